#!/usr/bin/env python3
"""TPC-DS's queries on both engines: test_tpcds.py BRAID_PROGRAM [QUERY...].

Makes the small database of make_data.py, and runs queries/*.sql on the columnar engine, which must
run each of them itself, and in SQLite: the rows must be the same, one by one, with their storage
classes. Every query orders its rows by all that tells them apart, so that the order is compared as
well. Where SQLite has no ROLLUP, it runs queries/NAME.sqlite.sql, the same with UNION ALL.
"""
import glob
import json
import math
import os
import subprocess
import sys
import tempfile

import make_data

QUERIES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "queries")


def ask(braid, database, path, engine):
    """The rows of a query, each a list of (column, value) pairs, and an error."""
    done = subprocess.run([braid, "query", database, "-f", path, "--format", "json",
                           "--engine", engine], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return [], f"{engine}: {done.stderr.strip()}"
    return json.loads(done.stdout, object_pairs_hook=list), ""


def values_agree(left, right):
    if isinstance(left, float) and isinstance(right, float):
        return math.isclose(left, right, rel_tol=1e-12)
    return type(left) is type(right) and left == right


def rows_agree(left, right):
    return len(left) == len(right) and all(
        values_agree(a[1], b[1]) for a, b in zip(left, right))


def compare(rows, expected):
    if not expected:
        return "no rows: it checks nothing"
    if all(value is None for row in expected for _, value in row):
        return "only NULLs: it checks nothing"
    if len(rows) != len(expected):
        return f"{len(rows)} rows, expected {len(expected)}"
    for number, (row, want) in enumerate(zip(rows, expected), 1):
        if not rows_agree(row, want):
            return f"row {number} is {row}, expected {want}"
    return ""


def check(braid, database, path):
    """What is wrong with one query, or ''."""
    rows, error = ask(braid, database, path, "olap")
    if error:
        return error
    other = path.replace(".sql", ".sqlite.sql")
    expected, error = ask(braid, database, other if os.path.exists(other) else path, "oltp")
    return error or compare(rows, expected)


def main(braid, names):
    paths = [path for path in sorted(glob.glob(os.path.join(QUERIES, "*.sql")))
             if not path.endswith(".sqlite.sql")]
    paths = [path for path in paths if not names or os.path.basename(path)[:-4] in names]
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        database = os.path.join(folder, "tpcds.db")
        make_data.make(database)
        for path in paths:
            problem = check(braid, database, path)
            if problem:
                failures += 1
                print(f"{os.path.basename(path)}: {problem}")
    print(f"tpcds: {len(paths)} queries, {failures} failed")
    return 1 if failures or not paths else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
