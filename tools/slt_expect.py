#!/usr/bin/env python3
"""Writes into SQL scripts (tests/sql/*.test) the rows that SQLite answers.

    tools/slt_expect.py FILE...

A script is a list of records with empty lines between them: comments (`#`), statements, and queries.
A record that begins with SQL gets its header: `statement ok`, `statement error`, or `query` with one
letter per column (T for text as it is; R, three digits, where the record begins with `real`) and
`rowsort` unless the SQL has an ORDER BY outside of parentheses. Rows that are there already are
replaced, so a script can be edited and run through again. A query that fails while running expects
no rows.
"""
import re
import sqlite3
import sys


def render_real(value):
    """Three digits, and no more than 16 that say something: as braid-slt prints an R column."""
    mantissa, exponent = ("%.15e" % value).split("e")
    if int(exponent) < 16 or int(exponent) > 300:
        return "%.3f" % value
    return mantissa.replace(".", "") + "0" * (int(exponent) - 15) + ".000"


def render(value, is_real, db):
    if value is None:
        return "NULL"
    if isinstance(value, bytes):  # text too: see fill
        return "".join(chr(byte) if 32 <= byte <= 126 else "@" for byte in value) or "(empty)"
    if is_real:
        return render_real(float(value))
    if isinstance(value, float):
        return db.execute("SELECT printf('%!.15g', ?)", (value,)).fetchone()[0].decode()
    return str(value)


def strip_nested(sql):
    """The text without strings and without anything in parentheses."""
    sql = re.sub(r"'[^']*'", "''", sql)
    while True:
        shorter = re.sub(r"\([^()]*\)", " ", sql)
        if shorter == sql:
            return sql
        sql = shorter


def is_query(sql):
    return re.match(r"\s*(select|with|values|explain)\b", sql, re.I) is not None and \
        re.search(r"\b(insert|update|delete)\b", strip_nested(sql), re.I) is None


def record(lines, db):
    is_real = False
    if re.match(r"(query|statement)\b", lines[0]):
        header = lines.pop(0).split()
        is_real = header[0] == "query" and "R" in header[1]
    elif lines[0] == "real":
        lines.pop(0)
        is_real = True
    if "----" in lines:
        lines = lines[:lines.index("----")]
    sql = "\n".join(lines)
    if not is_query(sql):
        try:
            db.executescript(sql)
            return ["statement ok", *lines]
        except sqlite3.Error:
            return ["statement error", *lines]
    is_ordered = re.search(r"\border\s+by\b", strip_nested(sql), re.I) is not None
    order = "nosort" if is_ordered else "rowsort"
    letter = "R" if is_real else "T"
    try:
        cursor = db.execute(sql)
    except sqlite3.Error as error:
        if not re.search("overflow|malformed|too big|single character|mismatch", str(error)):
            return ["statement error", *lines]
        return [f"query {letter} {order}", *lines, "----"]
    columns = len(cursor.description)
    try:
        rows = [[render(v, is_real, db) for v in row] for row in cursor.fetchall()]
    except sqlite3.Error:
        rows = []
    if order == "rowsort":
        rows.sort()
    return [f"query {letter * columns} {order}", *lines, "----", *(v for row in rows for v in row)]


def fill(path):
    db = sqlite3.connect(":memory:")
    db.isolation_level = None
    db.text_factory = bytes  # any bytes may come
    out = []
    with open(path, encoding="utf-8") as file:
        blocks = re.split(r"\n{2,}", file.read().strip("\n"))
    for block in blocks:
        lines = block.split("\n")
        comments = []
        while lines and lines[0].startswith("#"):
            comments.append(lines.pop(0))
        out.append("\n".join(comments + (record(lines, db) if lines else [])))
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n\n".join(out) + "\n")
    print(f"{path}: {sum(1 for block in out if re.search(r'^query', block, re.M))} queries")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        fill(name)
