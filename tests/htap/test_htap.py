#!/usr/bin/env python3
"""Tests the HTAP benchmark: its data, its transactions, and its 22 queries on both engines.

usage: test_htap.py HTAP BRAID QUERIES-FOLDER
"""
# SPDX-License-Identifier: Apache-2.0
import glob
import json
import math
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import unittest

HTAP, BRAID, QUERIES = map(os.path.abspath, sys.argv[1:4])
SCALE = ["--customers", "90", "--items", "900", "--warehouses", "2"]


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        raise AssertionError(f"{command}: {done.stdout} {done.stderr}")
    return done.stdout


def content(path):
    """All rows of all tables."""
    db = sqlite3.connect(path)
    tables = [name for (name,) in db.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_braid%' ESCAPE '\\'"
        " AND name NOT LIKE 'sqlite%' ORDER BY name")]
    rows = {table: db.execute(f"SELECT * FROM {table} ORDER BY rowid").fetchall() for table in tables}
    db.close()
    return rows


def is_close(left, right):
    if isinstance(left, float) and isinstance(right, float):
        return math.isclose(left, right, rel_tol=1e-9, abs_tol=1e-9)
    return left == right


class TestHtap(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="braid-htap-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.made = os.path.join(cls.folder, "made.db")
        run(HTAP, "make", cls.made, *SCALE, "--seed", "5")

    def copy(self, name):
        path = os.path.join(self.folder, name)
        shutil.copyfile(self.made, path)
        return path

    def test_data_come_from_the_seed(self):
        other = os.path.join(self.folder, "other.db")
        run(HTAP, "make", other, *SCALE, "--seed", "5")
        self.assertEqual(content(other), content(self.made))
        run(HTAP, "make", other, *SCALE, "--seed", "6")
        self.assertNotEqual(content(other)["customer"], content(self.made)["customer"])
        counts = {table: len(rows) for table, rows in content(self.made).items()}
        self.assertEqual(counts["customer"], 2 * 10 * 90)
        self.assertEqual(counts["stock"], 2 * 900)
        self.assertEqual(counts["nation"], 62)

    def test_transactions_are_the_same_through_both_apis(self):
        plain, captured, braid = self.copy("plain.db"), self.copy("captured.db"), self.copy("braid.db")
        run(HTAP, "mirror", captured)
        run(HTAP, "work", plain, "600")
        run(HTAP, "work", captured, "600")
        run(HTAP, "work", braid, "600", "--by-braid")
        self.assertEqual(content(captured), content(plain))
        self.assertEqual(content(braid), content(plain))
        for path in (captured, braid):
            self.assertIn("ok:", run(BRAID, "verify", path))
        self.check_conditions(plain)

    def check_conditions(self, path):
        """The consistency conditions of TPC-C, 3.3.2, as rows that break them."""
        db = sqlite3.connect(path)
        for sql in [
                "SELECT w_id FROM warehouse WHERE abs(w_ytd -"
                " (SELECT sum(d_ytd) FROM district WHERE d_w_id = w_id)) > 0.01",
                "SELECT d_id FROM district WHERE d_next_o_id - 1 <> (SELECT max(o_id) FROM orders"
                " WHERE o_w_id = d_w_id AND o_d_id = d_id)",
                "SELECT no_w_id FROM new_order GROUP BY no_w_id, no_d_id"
                " HAVING max(no_o_id) - min(no_o_id) + 1 <> count(*)",
                "SELECT o_w_id FROM orders WHERE o_ol_cnt <> (SELECT count(*) FROM order_line WHERE"
                " ol_w_id = o_w_id AND ol_d_id = o_d_id AND ol_o_id = o_id)",
                "SELECT o_id FROM orders WHERE (o_carrier_id IS NULL) <> EXISTS (SELECT * FROM"
                " new_order WHERE no_w_id = o_w_id AND no_d_id = o_d_id AND no_o_id = o_id)",
                "SELECT ol_o_id FROM order_line, orders WHERE ol_w_id = o_w_id AND ol_d_id = o_d_id"
                " AND ol_o_id = o_id AND (ol_delivery_d IS NULL) <> (o_carrier_id IS NULL)"]:
            self.assertEqual(db.execute(sql).fetchall(), [], sql)
        self.assertEqual(db.execute("SELECT number FROM freshness WHERE client = 0").fetchone()[0], 600)
        db.close()

    def test_queries_are_native_and_as_sqlites(self):
        path = self.copy("queries.db")
        run(HTAP, "mirror", path)
        run(HTAP, "work", path, "300")
        db = sqlite3.connect(path)
        names = sorted(glob.glob(QUERIES + "/q*.sql"))
        self.assertEqual(len(names), 22)
        not_empty = 0
        for name in names:
            with open(name, encoding="utf-8") as file:
                sql = file.read()
            rows = db.execute(sql).fetchall()
            text = run(BRAID, "query", path, sql, "--engine", "olap", "--format", "json")
            native = [tuple(row.values()) for row in json.loads(text)]
            self.assertEqual(len(native), len(rows), name)
            key = lambda row: [(v is None, f"{v:.6e}" if isinstance(v, float) else str(v)) for v in row]
            for left, right in zip(sorted(native, key=key), sorted(rows, key=key)):
                self.assertTrue(all(map(is_close, left, right)), (name, left, right))
            not_empty += len(rows) > 0
        self.assertGreaterEqual(not_empty, 15)
        db.close()

    def test_a_run_of_each_kind(self):
        path = self.copy("run.db")
        base = json.loads(run(HTAP, "run", path, "--seconds", "0.5"))
        self.assertEqual((base["system"], base["transaction_clients"]), ("sqlite", 1))
        self.assertGreater(base["tps"], 0)
        self.assertGreater(base["qps"], 0)
        run(HTAP, "mirror", path)
        for more in [["--queries", "0"], ["--transactions", "0", "--queries", "2"],
                     ["--transactions", "2", "--queries", "2"], ["--by-braid"],
                     ["--freshness", "-1"]]:
            got = json.loads(run(HTAP, "run", path, "--braid", "--seconds", "0.5", *more))
            self.assertEqual(got["tps"] > 0, got["transaction_clients"] > 0, got)
            self.assertEqual(got["qps"] > 0, got["query_clients"] > 0, got)
            if got["freshness"] == 0:  # strict: nothing that was committed before is missing
                self.assertEqual(got["age_ms"], [0, 0, 0, 0])
        self.assertIn("ok:", run(BRAID, "verify", path))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]])
