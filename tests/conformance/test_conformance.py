#!/usr/bin/env python3
"""Answers that nobody here wrote: TPC-H, ClickBench's queries, SQLite's own sqllogictest.

    test_conformance.py BUILD_FOLDER tpch|hits|slt-sample|slt [olap|auto]

The data are an optional folder beside the source tree; BRAID_CONFORMANCE names another. It holds
tpch/ (schema.sql, data-*/TABLE.tbl[.zst], queries/qNN.sql, answers-*/qNN.csv), hits/ (schema.sql,
hits*.csv[.zst], queries/qNN.sql) and sqllogictest.tar.zst. What is absent is skipped (exit status
77). Unpacked files and databases are kept in BUILD_FOLDER/conformance.
"""
import collections
import contextlib
import csv
import fcntl
import glob
import math
import os
import re
import subprocess
import sys

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "bench"))
import suites  # noqa: E402

DATA = os.path.abspath(os.environ.get("BRAID_CONFORMANCE") or
                       os.path.join(ROOT, "..", "shared", "conformance"))
SKIPPED = 77
LAST_LIMIT = re.compile(r"\bLIMIT\s+\d+(\s+OFFSET\s+\d+)?\s*;?\s*$", re.I)


def need(path):
    """The path, if it is there; otherwise the test ends as skipped."""
    if not os.path.exists(path):
        print(f"SKIPPED: the optional conformance data are absent: {path}")
        sys.exit(SKIPPED)
    return path


@contextlib.contextmanager
def folder_of(build, name):
    """The suite's folder, for one test at a time: the first one fills it."""
    folder = os.path.join(build, "conformance", name)
    os.makedirs(folder, exist_ok=True)
    with open(folder + ".lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def load(name, build):
    """The suite's SQLite file, made once, and its queries."""
    source = need(os.path.join(DATA, name))
    schema = os.path.join(source, "schema.sql")
    tables = suites.read_schema(schema)
    with folder_of(build, name) as folder:
        database = os.path.join(folder, "suite.db")
        if not os.path.exists(database):
            suites.attach_files(tables, source, folder)
            suites.load_sqlite(database, schema, tables)
    return database, suites.read_queries(os.path.join(source, "queries"))


def ask(build, database, sql, engine):
    """Rows of one query, as lists; an error ends the test with its message."""
    done = subprocess.run([os.path.join(build, "braid"), "query", database, sql, "--format", "csv",
                           "--engine", engine], capture_output=True, check=False)
    if done.returncode != 0:
        return None, done.stderr.decode("utf-8", "replace").strip()
    text = done.stdout.decode("utf-8", "replace")
    return list(csv.reader(text.splitlines(keepends=True)))[1:], ""


# ---- comparing -----------------------------------------------------------------------------------

def number(text):
    try:
        return float(text)
    except ValueError:
        return None


def values_agree(left, right):
    if left == right:
        return True
    a, b = number(left), number(right)
    return a is not None and b is not None and math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)


def rows_agree(left, right):
    return len(left) == len(right) and all(
        len(a) == len(b) and all(map(values_agree, a, b)) for a, b in zip(left, right))


def row_key(row):
    return tuple(text if number(text) is None else f"{number(text):.6e}" for text in row)


def rows_agree_in_any_order(left, right):
    return rows_agree(sorted(left, key=row_key), sorted(right, key=row_key))


def rows_agree_but_ties(rows, expected, sql, build, database):
    """LIMIT may keep other rows of equal rank: as many rows, all of the answer without LIMIT."""
    unlimited = LAST_LIMIT.sub("", sql)
    if unlimited == sql or len(rows) != len(expected):
        return False
    possible, _ = ask(build, database, unlimited, "oltp")
    left = collections.Counter(row_key(row) for row in possible or [])
    left.subtract(row_key(row) for row in rows)
    return min(left.values(), default=-1) >= 0


def first_difference(rows, expected):
    if len(rows) != len(expected):
        return f"{len(rows)} rows, expected {len(expected)}"
    for index, (row, want) in enumerate(zip(rows, expected), 1):
        if not rows_agree([row], [want]):
            return f"row {index} is {row}, expected {want}"
    return "no difference in this order"


# ---- the suites ----------------------------------------------------------------------------------

def finish(name, count, failures):
    for failure in failures:
        print(failure)
    print(f"{name}: {count} queries, {len(failures)} failed")
    return 1 if failures or count == 0 else 0


def run_tpch(build):
    """Every query on the columnar engine, rows in the order of the published answers."""
    database, queries = load("tpch", build)
    failures = []
    for query in queries:
        answers = glob.glob(os.path.join(DATA, "tpch", "answers-*", query["name"] + ".csv"))
        with open(answers[0], encoding="utf-8", newline="") as file:
            expected = list(csv.reader(file, delimiter="|"))[1:]
        rows, error = ask(build, database, query["sql"], "olap")
        if rows is None:
            failures.append(f"{query['name']}: {error}")
        elif not rows_agree(rows, expected):
            failures.append(f"{query['name']}: {first_difference(rows, expected)}")
    return finish("tpch", len(queries), failures)


def run_hits(build):
    """Every query on the columnar engine, against SQLite."""
    database, queries = load("hits", build)
    failures = []
    for query in queries:
        rows, error = ask(build, database, query["sql"], "olap")
        expected, oltp_error = ask(build, database, query["sql"], "oltp")
        if rows is None or expected is None:
            failures.append(f"{query['name']}: {error or oltp_error}")
        elif not rows_agree_in_any_order(rows, expected) and not rows_agree_but_ties(
                rows, expected, query["sql"], build, database):
            failures.append(f"{query['name']}: {first_difference(rows, expected)}")
    return finish("hits", len(queries), failures)


def run_slt(build, engine, step):
    """Every `step`-th script."""
    archive = need(os.path.join(DATA, "sqllogictest.tar.zst"))
    with folder_of(build, "slt") as folder:
        complete = os.path.join(folder, "complete")
        if not os.path.exists(complete):
            subprocess.run(["tar", "-C", folder, "--zstd", "-xf", archive], check=True)
            os.mknod(complete)
    scripts = sorted(glob.glob(folder + "/**/*.test", recursive=True))[::step]
    done = subprocess.run([os.path.join(build, "braid-slt"), "--engine", engine, *scripts],
                          check=False)
    return finish("sqllogictest scripts", len(scripts),
                  [f"engine {engine}: see above"] if done.returncode else [])


def main():
    build, word = os.path.abspath(sys.argv[1]), sys.argv[2]
    if word == "tpch":
        return run_tpch(build)
    if word == "hits":
        return run_hits(build)
    return run_slt(build, sys.argv[3], {"slt": 1, "slt-sample": 3}[word])


if __name__ == "__main__":
    sys.exit(main())
