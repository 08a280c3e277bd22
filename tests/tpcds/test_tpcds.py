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


def ask(braid, database, paths, engine):
    """The rows of queries, each row a list of (column, value) pairs, or what stopped them."""
    files = [word for path in paths for word in ("-f", path)]
    done = subprocess.run([braid, "query", database, *files, "--format", "json",
                           "--engine", engine], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return f"{engine}: {done.stderr.strip()}"
    decoder, text, results = json.JSONDecoder(object_pairs_hook=list), done.stdout.strip(), []
    while text:
        rows, end = decoder.raw_decode(text)
        results.append(rows)
        text = text[end:].lstrip()
    if len(results) != len(paths):
        return f"{engine}: {len(results)} results of {len(paths)} queries"
    return results


def values_agree(left, right):
    if isinstance(left, float) and isinstance(right, float):
        return math.isclose(left, right, rel_tol=1e-12)
    return type(left) is type(right) and left == right


def rows_agree(left, right):
    return len(left) == len(right) and all(
        values_agree(a[1], b[1]) for a, b in zip(left, right))


def compare(rows, expected):
    if not any(value for row in expected for _, value in row):
        return "no rows, or only NULL and 0: it checks nothing"
    if len(rows) != len(expected):
        return f"{len(rows)} rows, expected {len(expected)}"
    for number, (row, want) in enumerate(zip(rows, expected), 1):
        if not rows_agree(row, want):
            return f"row {number} is {row}, expected {want}"
    return ""


def check(braid, database, paths):
    """What is wrong, a line a query."""
    olap = ask(braid, database, paths, "olap")
    others = [path.replace(".sql", ".sqlite.sql") for path in paths]
    oltp = ask(braid, database, [other if os.path.exists(other) else path
                                 for path, other in zip(paths, others)], "oltp")
    if isinstance(olap, str) or isinstance(oltp, str):
        if len(paths) > 1:
            return [line for path in paths for line in check(braid, database, [path])]
        problems = ["; ".join(result for result in (olap, oltp) if isinstance(result, str))]
    else:
        problems = map(compare, olap, oltp)
    return [f"{os.path.basename(path)}: {problem}"
            for path, problem in zip(paths, problems) if problem]


def main(braid, names):
    paths = [path for path in sorted(glob.glob(os.path.join(QUERIES, "*.sql")))
             if not path.endswith(".sqlite.sql")
             and (not names or os.path.basename(path)[:-4] in names)]
    with tempfile.TemporaryDirectory() as folder:
        database = os.path.join(folder, "tpcds.db")
        make_data.make(database)
        failures = check(braid, database, paths)
    print(*failures, f"tpcds: {len(paths)} queries, {len(failures)} failed", sep="\n")
    return 1 if failures or not paths else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
