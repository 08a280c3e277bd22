#!/usr/bin/env python3
"""Runs the statements of an SQL file through both engines of braid, compares answers and times.

usage: demo_compare.py BRAID DATABASE SQL-FILE
"""
# SPDX-License-Identifier: Apache-2.0
import json
import math
import statistics
import subprocess
import sys

REPEAT = {"oltp": 3, "olap": 5}  # SQLite takes most of the time of the demo
ROWS_SHOWN = 4


def titles_of(path):
    """The last line of the comment before each statement."""
    titles, comment, in_statement = [], None, False
    for line in open(path, encoding="utf-8"):
        line = line.strip()
        if not in_statement and line.startswith("--"):
            comment = line[2:].strip()
        elif line:
            if not in_statement:
                titles.append(comment)
            in_statement = not line.endswith(";")
    return titles


def run(braid, database, sql_file, engine):
    """A list of (rows, milliseconds) per statement; rows are lists of (name, value) pairs."""
    command = [braid, "query", database, "-f", sql_file, "--engine", engine, "--repeat",
               str(REPEAT[engine]), "--timing", "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"demo: {' '.join(command)}\n{done.stderr}")
    answers, decoder, at = [], json.JSONDecoder(object_pairs_hook=list), 0
    for line in done.stderr.splitlines():
        timing = json.loads(line)
        rows, at = decoder.raw_decode(done.stdout, at)
        at += 1  # the line feed
        if timing["engine"] != engine or timing["rows"] != len(rows):
            sys.exit(f"demo: statement {timing['statement']} did not run as asked: {line}")
        answers.append((rows, statistics.median(timing["ms"])))
    return answers


def is_same(one, other):
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9)
    return type(one) is type(other) and one == other


def check_rows(title, sqlite_rows, braid_rows):
    ok = len(sqlite_rows) == len(braid_rows) and all(
        len(one) == len(other) and all(
            a[0] == b[0] and is_same(a[1], b[1]) for a, b in zip(one, other))
        for one, other in zip(sqlite_rows, braid_rows))
    if not ok:
        sys.exit(f"demo: {title}: the answers differ\nSQLite: {sqlite_rows}\nBraid: {braid_rows}")


def cell(value):
    if value is None:
        return "NULL"
    return f"{value:,.2f}" if isinstance(value, float) else f"{value:,}" if isinstance(
        value, int) else str(value)


def print_table(header, rows, indent="  "):
    numeric = [all(not isinstance(row[i], str) or row[i].endswith(" x") for row in rows)
               for i in range(len(header))]
    cells = [header] + [[cell(value) for value in row] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    for row in cells:
        print(indent + "  ".join(
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(row, widths, numeric)).rstrip())


def print_answer(title, rows):
    print(f"\n{title}")
    if rows:
        print_table([name for name, _ in rows[0]],
                    [[value for _, value in row] for row in rows[:ROWS_SHOWN]])
    if len(rows) > ROWS_SHOWN:
        print(f"  ... {len(rows)} rows")


def main():
    braid, database, sql_file = sys.argv[1:]
    titles = titles_of(sql_file)
    print(f"the median of {REPEAT['oltp']} runs in SQLite and {REPEAT['olap']} in Braid; "
          "SQLite first, this takes a little ...", flush=True)
    sqlite = run(braid, database, sql_file, "oltp")
    columnar = run(braid, database, sql_file, "olap")
    if not len(titles) == len(sqlite) == len(columnar):
        sys.exit(f"demo: {len(titles)} titles, {len(sqlite)} and {len(columnar)} answers")
    lines = []
    for title, (sqlite_rows, sqlite_ms), (rows, ms) in zip(titles, sqlite, columnar):
        check_rows(title, sqlite_rows, rows)
        print_answer(title, rows)
        lines.append([title, sqlite_ms, ms, f"{sqlite_ms / ms:,.0f} x"])
    sqlite_total, total = sum(line[1] for line in lines), sum(line[2] for line in lines)
    lines.append(["all together", sqlite_total, total, f"{sqlite_total / total:,.0f} x"])
    print()
    print_table(["question", "SQLite ms", "Braid ms", "faster"], lines)


if __name__ == "__main__":
    main()
