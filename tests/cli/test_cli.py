#!/usr/bin/env python3
"""Tests the program braid from outside: every command, format, exit code and message.

usage: test_cli.py BRAID HAS-LIBEDIT [UNITTEST-ARGUMENTS]; the second is 1 or 0
"""
# SPDX-License-Identifier: Apache-2.0
import csv
import io
import json
import os
import pathlib
import random
import re
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import xml.etree.ElementTree

BRAID = os.path.abspath(sys.argv[1])
HAS_LIBEDIT = sys.argv[2] == "1"
FOREVER = ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
           "SELECT count(*) FROM n WHERE i < 0")


class Case(unittest.TestCase):
    """Each test runs in a folder of its own, with a small database t.db."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="braid-cli-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.environment = dict(os.environ, HOME=self.folder, LC_ALL="C.UTF-8")
        self.sqlite("CREATE TABLE t(a INTEGER, b TEXT, c REAL);"
                    "INSERT INTO t VALUES (1, 'one', 1.5), (2, NULL, -0.25), (3, 'three', 1e300)")

    def nodes(self, plan):
        yield plan
        for inner in plan["inputs"]:
            yield from self.nodes(inner)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, content):
        data = content if isinstance(content, bytes) else content.encode()
        pathlib.Path(self.path(name)).write_bytes(data)
        return name

    def sqlite(self, sql, database="t.db"):
        """Runs a script; gives the rows of the last statement if it is alone."""
        connection = sqlite3.connect(self.path(database))
        try:
            if ";" in sql:
                connection.executescript(sql)
                rows = []
            else:
                rows = connection.execute(sql).fetchall()
            connection.commit()
            return rows
        finally:
            connection.close()

    def braid(self, *arguments, code=0, stdin="", text=True):
        """Runs braid, checks its exit code, gives (stdout, stderr)."""
        done = subprocess.run([BRAID, *arguments], cwd=self.folder, env=self.environment,
                              input=stdin if text else stdin.encode(), capture_output=True,
                              text=text, timeout=120)
        self.assertEqual(done.returncode, code, f"{arguments}: {done.stdout!r} {done.stderr!r}")
        return done.stdout, done.stderr

    def rows(self, *arguments, **named):
        """stdout of a query in csv."""
        return self.braid("query", "t.db", *arguments, "--format", "csv", **named)[0]


class TestUsage(Case):
    commands = ["query", "exec", "shell", "import", "explain", "status", "sync", "verify",
                "checkpoint", "compact", "rebuild", "register", "detach", "temporal"]

    def test_help(self):
        out, err = self.braid("--help")
        self.assertEqual(err, "")
        for command in self.commands:
            self.assertRegex(out, rf"(?m)^  {command} ")
            text, _ = self.braid(command, "--help")
            self.assertTrue(text.startswith(f"usage: braid {command} [options] PATH"), text)
            self.assertEqual(text, self.braid("help", command)[0])
            self.assertEqual(text, self.braid(command, "t.db", "-h")[0])
            self.assertLess(max(map(len, text.splitlines())), 101)

    def test_version(self):
        self.assertRegex(self.braid("--version")[0], r"^braid \d+\.\d+\.\d+\n$")

    def test_without_a_command(self):
        out, err = self.braid(code=2)
        self.assertEqual(out, "")
        self.assertIn("usage: braid COMMAND", err)

    def test_wrong_usage(self):
        for arguments, message in [
            (["quer"], "unknown command 'quer'"),
            (["query"], "braid query: too few arguments"),
            (["query", "t.db", "--formt", "csv"], "unknown option '--formt'"),
            (["query", "t.db", "-x"], "unknown option '-x'"),
            (["query", "t.db", "--format"], "option --format needs a value"),
            (["query", "t.db", "--timing=yes"], "option --timing takes no value"),
            (["query", "t.db", "--format", "xml"], "expected table, csv, json, jsonl or markdown"),
            (["query", "t.db", "--engine", "duck"], "expected auto, olap or oltp"),
            (["query", "t.db", "--freshness", "-3"], "expected strict, any or milliseconds"),
            (["query", "t.db", "--freshness", "soon"], "expected strict, any or milliseconds"),
            (["query", "t.db", "--repeat", "0"], "--repeat '0': expected a number from 1"),
            (["query", "t.db", "--repeat", "1x"], "--repeat '1x': expected a number"),
            (["query", "t.db", "--threads", "99999999"], "--threads '99999999': expected"),
            (["query", "t.db", "--memory", "1X"], "--memory '1X': expected a number"),
            (["query", "t.db", "--memory", "99999999T"], "--memory '99999999T': expected"),
            (["status", "t.db", "--format", "csv"], "expected table or json"),
            (["status", "t.db", "u.db"], "unexpected argument 'u.db'"),
            (["explain", "t.db"], "too few arguments"),
            (["import", "t.db", "t"], "too few arguments"),
            (["import", "t.db", "t", "f.csv", "-s", "ab"], "expected one character, or tab"),
            (["import", "t.db", "t", "f.csv", "-s", '"'], "expected one character, or tab"),
            (["detach"], "too few arguments"),
        ]:
            out, err = self.braid(*arguments, code=2)
            self.assertIn(message, err)
            self.assertEqual(out, "")
        self.assertFalse(os.path.exists(self.path("t.db-braid")))

    def test_option_spellings(self):
        self.write("q.sql", "SELECT 7")
        for arguments in [["-f", "q.sql"], ["-fq.sql"], ["--file", "q.sql"], ["--file=q.sql"]]:
            self.assertEqual(self.rows(*arguments), "7\n7\n")
        self.assertEqual(self.rows("--memory", "64M", "--threads=1", "SELECT 8"), "8\n8\n")
        out, _ = self.braid("query", "t.db", "--format", "csv", "--", "--9\nSELECT 9")
        self.assertEqual(out, "9\n9\n")
        self.assertEqual(self.rows("-- a comment\nSELECT 9"), "9\n9\n")


class TestFormats(Case):
    everything = ("SELECT 1 AS i, -0.5 AS r, 'x' AS t, NULL AS n, x'00fF' AS b, '' AS e "
                  "UNION ALL SELECT -9223372036854775808, 1e300, 'é', NULL, x'', 'a,\"b\"'")

    def test_csv(self):
        self.assertEqual(
            self.rows(self.everything),
            'i,r,t,n,b,e\n1,-0.5,x,,00FF,""\n-9223372036854775808,1e+300,é,,"","a,""b"""\n')

    def test_csv_reads_back(self):
        texts = ["", "plain", "a,b", 'say "hi"', "two\nlines", "cr\rlf\r\n", " spaces ", "'",
                 "é\t"]
        connection = sqlite3.connect(self.path("t.db"))
        connection.execute(
            "CREATE TABLE texts(i INTEGER PRIMARY KEY, x TEXT, \"odd,\"\"name\" TEXT)")
        connection.executemany("INSERT INTO texts(x, \"odd,\"\"name\") VALUES (?1, ?1)",
                               [(text,) for text in texts])
        connection.commit()
        connection.close()
        out = self.braid("query", "t.db", "SELECT * FROM texts ORDER BY i", "--format", "csv",
                         text=False)[0].decode()
        records = list(csv.reader(io.StringIO(out, newline="")))
        self.assertEqual(records[0], ["i", "x", 'odd,"name'])
        self.assertEqual([row[1] for row in records[1:]], texts)
        self.assertEqual([row[2] for row in records[1:]], texts)

    def test_reals_have_the_fewest_digits_that_read_back(self):
        seed = 20240607
        source = random.Random(seed)
        values = [0.1, 1 / 3, 100.0, 1e15, 1e16, 123456789012345678.0, 5e-324,
                  2.2250738585072014e-308, 1.7976931348623157e308, -1e-7, 4503599627370497.5, 2.5e-5, -0.0]
        while len(values) < 3000:
            value = struct.unpack("<d", struct.pack("<Q", source.getrandbits(64)))[0]
            if value == value and abs(value) != float("inf"):
                values.append(value)
            values.append(round(source.uniform(-1e6, 1e6), source.randrange(5)))
        connection = sqlite3.connect(self.path("t.db"))
        connection.execute("CREATE TABLE reals(i INTEGER PRIMARY KEY, x REAL)")
        connection.executemany("INSERT INTO reals(x) VALUES (?)", [(value,) for value in values])
        connection.commit()
        connection.close()
        out = self.rows("SELECT x FROM reals ORDER BY i").splitlines()[1:]
        self.assertEqual(len(out), len(values))

        def digits(text):
            return len(re.sub(r"[eE].*|[-.]", "", text).strip("0"))

        longer = 0
        for text, value in zip(out, values):
            self.assertEqual(float(text), value, f"seed {seed}")
            self.assertRegex(text, r"[.e]")
            longer += digits(text) > digits(repr(value))
        self.assertEqual(longer, 0, f"seed {seed}")

    def test_infinity(self):
        self.assertEqual(self.rows("SELECT 1e999 AS x, -1e999 AS y"), "x,y\n1e999,-1e999\n")
        out, _ = self.braid("query", "t.db", "SELECT 1e999 AS x, -1e999 AS y")
        self.assertIn("Inf | -Inf", out)

    def test_json(self):
        out, _ = self.braid("query", "t.db", self.everything, "--format", "json")
        self.assertEqual(json.loads(out), [
            {"i": 1, "r": -0.5, "t": "x", "n": None, "b": "00FF", "e": ""},
            {"i": -9223372036854775808, "r": 1e300, "t": "é", "n": None, "b": "", "e": 'a,"b"'}])
        self.assertEqual(self.braid("query", "t.db", "SELECT 1 WHERE 0", "--format", "json")[0],
                         "[]\n")

    def test_json_keeps_columns_of_the_same_name(self):
        out, _ = self.braid("query", "t.db", "SELECT 1 AS a, 2 AS a", "--format", "json")
        self.assertEqual(json.loads(out, object_pairs_hook=list), [[("a", 1), ("a", 2)]])

    def test_json_text(self):
        text = 'q" b\\ n\n t\t c\x01 é 世 \U0001f40d'
        self.sqlite("CREATE TABLE texts(x TEXT)")
        connection = sqlite3.connect(self.path("t.db"))
        connection.execute("INSERT INTO texts VALUES (?)", (text,))
        connection.execute("INSERT INTO texts VALUES (CAST(x'41ff42' AS TEXT))")
        connection.commit()
        connection.close()
        out, _ = self.braid("query", "t.db", "SELECT x FROM texts ORDER BY rowid", "--format",
                            "jsonl")
        lines = out.splitlines()
        self.assertEqual([json.loads(line)["x"] for line in lines], [text, "A\ufffdB"])

    def test_jsonl(self):
        out, _ = self.braid("query", "t.db", "SELECT a, b FROM t ORDER BY a", "--format", "jsonl")
        self.assertEqual(out, '{"a":1,"b":"one"}\n{"a":2,"b":null}\n{"a":3,"b":"three"}\n')
        out, _ = self.braid("query", "t.db", "SELECT 1 WHERE 0", "--format", "jsonl")
        self.assertEqual(out, "")

    def test_table(self):
        out, _ = self.braid("query", "t.db", "SELECT b AS name, a AS number, '世界' AS w FROM t "
                            "ORDER BY a", "SELECT 'x\ny' AS a")
        self.assertEqual(out, " name  | number | w\n"
                              "-------+--------+------\n"
                              " one   |      1 | 世界\n"
                              " NULL  |      2 | 世界\n"
                              " three |      3 | 世界\n"
                              "(3 rows)\n\n"
                              " a\n------\n x\\ny\n(1 row)\n")

    def test_markdown(self):
        out, _ = self.braid("query", "t.db", "SELECT 'a|b' AS x, 2.5 AS y", "--format", "markdown")
        self.assertEqual(out, "| x    |   y |\n| ---- | --: |\n| a\\|b | 2.5 |\n")

    def test_many_rows(self):
        sql = ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 30000) "
               "SELECT i, 'row ' || i AS x FROM n")
        expected = "".join(f"{i},row {i}\n" for i in range(1, 30001))
        self.assertEqual(self.rows(sql), "i,x\n" + expected)
        out, _ = self.braid("query", "t.db", sql, "--format", "json")
        self.assertEqual(len(json.loads(out)), 30000)
        out, _ = self.braid("query", "t.db", sql)
        self.assertTrue(out.endswith("(30000 rows)\n"))


class TestQuery(Case):
    def test_memory_stays_within_the_budget(self):
        self.sqlite("CREATE TABLE n(i INTEGER PRIMARY KEY, k INTEGER, t TEXT); WITH RECURSIVE "
                    "s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 400000) INSERT INTO "
                    "n SELECT i, i * 104729 % 400009, 'number ' || (i * 7919 % 400009) FROM s",
                    "n.db")
        self.braid("sync", "n.db")
        sql = ("SELECT count(*), max(t) FROM (SELECT k, max(t) AS t, count(*) FROM n GROUP BY k, t)",
               "SELECT i FROM n ORDER BY t, k LIMIT 1 OFFSET 399000",
               "SELECT count(*), max(b.t) FROM n a JOIN n b ON a.k = b.i")
        code = ("import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); "
                "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
        for query in sql:
            run = subprocess.run(
                [sys.executable, "-c", code, BRAID, "query", "n.db", query, "--engine", "olap",
                 "--memory", "40M", "--format", "csv"], cwd=self.folder, env=self.environment,
                stdout=subprocess.PIPE, check=True, text=True)
            lines = run.stdout.splitlines()
            expected = self.sqlite(query, "n.db")[0]
            self.assertEqual(lines[-2].split(",")[0], str(expected[0]))
            program_kib = 12 * 1024  # libraries, code, SQLite's own cache
            if "asan" not in BRAID:  # the sanitizer's own memory is not ours
                self.assertLess(int(lines[-1]), 40 * 1024 * 1.1 + program_kib, query)

    def test_statements_run_in_order(self):
        self.write("q.sql", "\ufeffSELECT 2; -- a comment; with a semicolon\nSELECT ';' AS x;;\n")
        self.assertEqual(self.rows("SELECT 1", "-f", "q.sql", "SELECT 3; SELECT 4"),
                         "1\n1\n2\n2\nx\n;\n3\n3\n4\n4\n")

    def test_stdin(self):
        self.assertEqual(self.rows(stdin="SELECT 1;\n/* ; */ SELECT 2"), "1\n1\n2\n2\n")
        self.assertEqual(self.rows("-f", "-", stdin="SELECT 3"), "3\n3\n")
        self.assertEqual(self.rows(stdin=" ; -- nothing\n/* open"), "")

    def test_writes_and_triggers(self):
        out = self.rows("CREATE TABLE log(x); CREATE TEMP TABLE tmp(x);"
                        "CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO log VALUES (new.a);"
                        " INSERT INTO log VALUES ('end;'); END; "
                        "INSERT INTO t VALUES (9, 'nine', 9.0); SELECT count(*) AS n FROM log")
        self.assertEqual(out, "n\n2\n")
        self.assertEqual(self.sqlite("SELECT count(*) FROM t"), [(4,)])

    def test_sees_what_others_wrote(self):
        self.assertEqual(self.rows("SELECT sum(a) AS s FROM t"), "s\n6\n")
        self.sqlite("INSERT INTO t VALUES (10, NULL, NULL); DELETE FROM t WHERE a = 1;"
                    "UPDATE t SET a = 20 WHERE a = 2")
        for engine in ["olap", "oltp", "auto"]:
            self.assertEqual(self.rows("SELECT sum(a) AS s FROM t", "--engine", engine), "s\n33\n")

    def test_timing(self):
        _, err = self.braid("query", "t.db", "SELECT a FROM t", "INSERT INTO t(a) VALUES (5)",
                            "--repeat", "3", "--timing", "--engine", "oltp")
        lines = [json.loads(line) for line in err.splitlines()]
        self.assertEqual([line["statement"] for line in lines], [1, 2])
        self.assertEqual([line["rows"] for line in lines], [3, 0])
        for line in lines:
            self.assertEqual(list(line), ["statement", "engine", "reason", "rows", "ms", "lag_ms"])
            self.assertEqual(line["engine"], "oltp")
            self.assertEqual(len(line["ms"]), 3)
            self.assertTrue(all(isinstance(ms, float) and ms > 0 for ms in line["ms"]))
        self.assertEqual(self.rows("SELECT count(*) AS n FROM t WHERE a = 5"), "n\n3\n")
        _, err = self.braid("query", "t.db", "SELECT count(*) FROM t", "--timing", "--engine",
                            "olap")
        line = json.loads(err)
        self.assertEqual((line["engine"], line["rows"], line["lag_ms"]), ("olap", 1, 0))

    def test_forced_engine_fails_with_the_reason(self):
        sql = "SELECT name FROM pragma_table_info WHERE arg IN ('t') ORDER BY cid"
        out, err = self.braid("query", "t.db", sql, "--engine", "olap", code=1)
        self.assertEqual(out, "")
        self.assertRegex(err, r"^braid: line 1(, column \d+)?: .+")
        self.assertIn("with --engine auto SQLite answers", err)
        self.assertEqual(self.rows(sql), "name\na\nb\nc\n")

    def test_freshness(self):
        for freshness in ["any", "strict", "0", "1000"]:
            self.assertEqual(self.rows("SELECT count(*) AS n FROM t", "--freshness", freshness),
                             "n\n3\n")

    def test_read_only(self):
        self.rows("SELECT 1")
        self.assertEqual(self.rows("SELECT count(*) AS n FROM t", "--read-only"), "n\n3\n")
        self.braid("query", "t.db", "DELETE FROM t", "--read-only", code=1)
        self.assertEqual(self.sqlite("SELECT count(*) FROM t"), [(3,)])


class TestErrors(Case):
    def test_place_in_an_argument(self):
        _, err = self.braid("query", "t.db", "SELECT missing FROM t", code=1)
        self.assertEqual(err, "braid: line 1, column 8: no such column: missing\n"
                              "  SELECT missing FROM t\n"
                              "         ^\n")

    def test_place_in_a_file(self):
        self.write("q.sql", "-- first\nSELECT 1;\n\nSELECT\n\t'世é', missing FROM t;\n")
        out, err = self.braid("query", "t.db", "-f", "q.sql", "--format", "csv", code=1)
        self.assertEqual(out, "1\n1\n")
        self.assertEqual(err, "braid: q.sql:5:8: no such column: missing\n"
                              "  \t'世é', missing FROM t;\n"
                              "  \t       ^\n")

    def test_syntax(self):
        _, err = self.braid("query", "t.db", "SELECT 1;\nSELEC 2", code=1)
        self.assertIn("braid: line 2, column 1: near \"SELEC\": syntax error\n  SELEC 2\n  ^\n",
                      err)
        _, err = self.braid("query", "t.db", "SELECT (1", code=1)
        self.assertIn("incomplete input", err)

    def test_long_line_shows_the_part_around_the_place(self):
        sql = "SELECT " + "1 + " * 300 + "missing" + " + 1" * 300 + " FROM t"
        _, err = self.braid("query", "t.db", sql, code=1)
        message, line, caret = err.splitlines()
        self.assertIn("column 1208: no such column: missing", message)
        self.assertLess(len(line), 210)
        self.assertEqual(line[caret.index("^"):].split()[0], "missing")

    def test_runtime_failure_has_a_line(self):
        self.sqlite("CREATE TABLE k(x INTEGER PRIMARY KEY); INSERT INTO k VALUES (1)")
        self.write("q.sql", "SELECT 1;\n\nINSERT INTO k VALUES (1);\nSELECT 2;\n")
        out, err = self.braid("query", "t.db", "-f", "q.sql", "--format", "csv", code=1)
        self.assertEqual(out, "1\n1\n")
        self.assertEqual(err, "braid: q.sql:3: UNIQUE constraint failed: k.x\n")

    def test_databases_that_cannot_be_opened(self):
        _, err = self.braid("query", "missing.db", "SELECT 1", code=1)
        self.assertIn("cannot open 'missing.db': No such file", err)
        self.assertIn("make new databases", err)
        self.assertFalse(os.path.exists(self.path("missing.db")))
        self.write("text.db", "this is not a database, it is just some text\n" * 100)
        _, err = self.braid("query", "text.db", "SELECT 1", code=1)
        self.assertIn("cannot open 'text.db'", err)
        os.mkdir(self.path("folder"))
        self.braid("query", "folder", "SELECT 1", code=1)

    def test_files_that_cannot_be_read(self):
        _, err = self.braid("query", "t.db", "-f", "missing.sql", code=1)
        self.assertIn("cannot open 'missing.sql': No such file", err)
        self.write("nul.sql", b"SELECT 1;\0SELECT 2")
        _, err = self.braid("query", "t.db", "-f", "nul.sql", code=1)
        self.assertIn("byte 9 is NUL", err)

    def test_output_that_cannot_be_written(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("no /dev/full")
        with open("/dev/full", "w") as full:
            done = subprocess.run([BRAID, "query", "t.db", "SELECT * FROM t"], cwd=self.folder,
                                  stdout=full, stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("could not be written", done.stderr)

    def test_interrupt(self):
        process = subprocess.Popen([BRAID, "query", "t.db", "SELECT 1 AS x", FOREVER, "--engine",
                                    "oltp", "--format", "csv"], cwd=self.folder, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(process.stdout.readline(), "x\n")
        self.assertEqual(process.stdout.readline(), "1\n")  # now the handler is installed
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        self.assertEqual((process.returncode, out, err), (130, "", "braid: interrupted\n"))


class TestExec(Case):
    def test_makes_a_database(self):
        out, err = self.braid("exec", "new.db", "CREATE TABLE n(x); INSERT INTO n VALUES (1), (2)",
                              "DELETE FROM n WHERE x = 1; SELECT 'not shown'")
        self.assertEqual((out, err), ("", ""))
        self.assertEqual(self.sqlite("SELECT x FROM n", "new.db"), [(2,)])
        self.write("q.sql", "UPDATE n SET x = 5;")
        self.braid("exec", "new.db", "-f", "q.sql")
        self.braid("exec", "new.db", stdin="INSERT INTO n VALUES (6);\nINSERT INTO n VALUES (7)\n")
        self.assertEqual(self.sqlite("SELECT x FROM n ORDER BY x", "new.db"), [(5,), (6,), (7,)])

    def test_failure(self):
        statements = "INSERT INTO t(a) VALUES (4);\nINSERT INTO u VALUES (5)"
        _, err = self.braid("exec", "t.db", statements, code=1)
        self.assertIn("line 2, column 13: no such table: u" if "column" in err
                      else "line 2: no such table: u", err)
        self.assertEqual(self.sqlite("SELECT count(*) FROM t"), [(4,)])
        self.braid("exec", "t.db", "--atomic", statements, code=1)
        self.assertEqual(self.sqlite("SELECT count(*) FROM t"), [(4,)])
        self.braid("exec", "t.db", "--atomic", "INSERT INTO t(a) VALUES (4)", "DELETE FROM t")
        self.assertEqual(self.sqlite("SELECT count(*) FROM t"), [(0,)])


class TestImport(Case):
    def load(self, content, *arguments, code=0, table="n", name="n.csv"):
        self.write(name, content)
        return self.braid("import", "n.db", table, name, *arguments, code=code)

    def content(self, columns="*", table="n"):
        return self.sqlite(f"SELECT {columns} FROM {table} ORDER BY rowid", "n.db")

    def types(self, table="n"):
        rows = self.sqlite(f"SELECT name, type FROM pragma_table_info('{table}')", "n.db")
        return dict(rows)

    def test_types_are_inferred(self):
        out, err = self.load("i,r,mixed,zip,big,text,none,e\n"
                             "1,1.5,1,00501,9223372036854775807,x,,1e3\n"
                             "-9223372036854775808,-.25,2.5,10001,9223372036854775808,,,-2E-2\n"
                             "0,0.1,-3,7,1,3,,0.0\n")
        self.assertEqual(err, "")
        self.assertRegex(out, r"^3 rows into a new table n in \d+\.\d s\n$")
        self.assertEqual(self.types(), {"i": "INTEGER", "r": "REAL", "mixed": "REAL", "zip": "TEXT",
                                        "big": "TEXT", "text": "TEXT", "none": "TEXT", "e": "REAL"})
        self.assertEqual(self.content(), [
            (1, 1.5, 1.0, "00501", "9223372036854775807", "x", None, 1000.0),
            (-9223372036854775808, -0.25, 2.5, "10001", "9223372036854775808", None, None, -0.02),
            (0, 0.1, -3.0, "7", "1", "3", None, 0.0)])

    def test_what_is_no_number(self):
        for text in ["+1", "1 ", "-0", "1.", ".", "-", "1e", "e5", "0x10", "nan", "inf", "1_0",
                     "01.5", "--1", "1.2.3", "1e5.0"]:
            self.load(f"x\n{text}\n", table="n" + text.encode().hex())
            self.assertEqual(self.content(table="n" + text.encode().hex()), [(text,)])

    def test_reals_are_read_exactly(self):
        seed = 7
        source = random.Random(seed)
        values = [source.uniform(-1e9, 1e9) for _ in range(500)]
        values += [round(source.uniform(-1e5, 1e5), 3) for _ in range(500)]
        values += [source.random() * 10 ** source.randrange(-300, 300) for _ in range(500)]
        self.load("x\n" + "".join(f"{value!r}\n" for value in values))
        self.assertEqual(self.content(), [(value,) for value in values], f"seed {seed}")

    def test_quotes_and_line_ends(self):
        self.load('\ufeffa,"b ""x""",c\r\n"1,2","say ""hi""",""\r\n"two\nlines",it"s,"cr\r\n"\r\n'
                  ',,\r\n"",x,y')
        self.assertEqual(list(self.types()), ["a", 'b "x"', "c"])
        self.assertEqual(self.content(), [("1,2", 'say "hi"', ""), ("two\nlines", 'it"s', "cr\r\n"),
                                          (None, None, None), ("", "x", "y")])

    def test_quoted_empty_in_a_column_of_numbers_is_null(self):
        self.load('a,b\n"1","x"\n"",""\n')
        self.assertEqual(self.content(), [(1, "x"), (None, "")])

    def test_blank_lines(self):
        self.load("a,b\n1,2\n\n3,4\n\n")
        self.assertEqual(self.content(), [(1, 2), (3, 4)])
        self.load("a\n1\n\n3\n", table="single")
        self.assertEqual(self.content(table="single"), [(1,), (None,), (3,)])

    def test_header_only_and_names(self):
        self.load("a,,c d\n")
        self.assertEqual(self.types(), {"a": "TEXT", "c2": "TEXT", "c d": "TEXT"})
        self.assertEqual(self.content(), [])

    def test_no_header_and_separators(self):
        self.load("1;x\n2;y,z\n", "--no-header", "--separator", ";")
        self.assertEqual(self.types(), {"c1": "INTEGER", "c2": "TEXT"})
        self.assertEqual(self.content(), [(1, "x"), (2, "y,z")])
        self.load("a\tb\n1\tx\n", "-s", "tab", table="tabs")
        self.assertEqual(self.content(table="tabs"), [(1, "x")])

    def test_null_text(self):
        self.load('a,b\nNA,NA\n1,"NA"\n2,\n', "--null", "NA")
        self.assertEqual(self.content(), [(None, None), (1, "NA"), (2, None)])

    def test_existing_table(self):
        self.sqlite("CREATE TABLE n(id INTEGER PRIMARY KEY, x TEXT, y REAL, z)", "n.db")
        out, _ = self.load("Y,x\n1,007\n2.5,\n")
        self.assertRegex(out, r"^2 rows into the table n in ")
        self.assertEqual(self.content(), [(1, "007", 1.0, None), (2, None, 2.5, None)])
        _, err = self.load("x,q\n1,2\n", code=1)
        self.assertIn("n.csv:1: field 2: table 'n' has no column 'q'", err)
        _, err = self.load("1,2\n", "--no-header", code=1)
        self.assertIn("2 fields, but table 'n' has 4 columns", err)
        self.load("7,a,1e2,b\n", "--no-header")
        self.assertEqual(self.content()[-1], (7, "a", 100.0, "b"))

    def test_wrong_files(self):
        for content, message in [
            ("a,b\n1,2\n3\n4,5\n", "n.csv:3:1: 1 field, expected 2"),
            ('a,b\n"x\ny",2\n1,2,3\n', "n.csv:4:1: 3 fields, expected 2"),
            ('a,b\n1,2\n3,"open\n4,5\n', "n.csv:3:3: this quote is never closed"),
            ('a,b\n"é\nf" x,2\n', "n.csv:3:3: expected a separator behind the closing quote"),
            ("", "n.csv: the file is empty"),
        ]:
            out, err = self.load(content, code=1)
            self.assertTrue(err.startswith("braid: " + message), err)
            self.assertIn("nothing was imported", err)
            self.assertEqual(out, "")
        self.assertFalse(os.path.exists(self.path("n.db")))
        _, err = self.braid("import", "n.db", "n", "missing.csv", code=1)
        self.assertIn("cannot open 'missing.csv': No such file", err)
        _, err = self.braid("import", "n.db", "n", ".", code=1)
        self.assertIn("Is a directory", err)

    def test_row_that_the_table_refuses(self):
        self.sqlite("CREATE TABLE n(id INTEGER PRIMARY KEY, x TEXT NOT NULL)", "n.db")
        rows = [f"{i},x\n" for i in range(1, 1000)]
        rows[700] = "5,again\n"
        _, err = self.load("id,x\n" + "".join(rows), code=1)
        self.assertEqual(err, "braid: n.csv:702: UNIQUE constraint failed: n.id\n"
                              "  nothing was imported\n")
        self.assertEqual(self.content(), [])
        _, err = self.load('id,x\n1,"two\nlines"\n2,\n', code=1)
        self.assertIn("n.csv:4: NOT NULL constraint failed: n.x", err)

    def test_refusal_that_ends_the_transaction(self):
        self.sqlite("CREATE TABLE n(id INTEGER PRIMARY KEY ON CONFLICT ROLLBACK)", "n.db")
        rows = [f"{i}\n" for i in range(1, 1000)]
        rows[700] = "5\n"
        _, err = self.load("id\n" + "".join(rows), code=1)
        self.assertIn("n.csv:", err)
        self.assertIn("nothing was imported", err)
        self.assertEqual(self.content(), [])

    def test_interrupt_leaves_whole_transactions(self):
        self.write("n.csv", "i\n" + "".join(f"{i}\n" for i in range(500000)))
        for delay in [0.15, 0.3, 0.45]:
            self.sqlite("DROP TABLE IF EXISTS n", "n.db")
            process = subprocess.Popen([BRAID, "import", "n.db", "n", "n.csv"], cwd=self.folder,
                                       text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            time.sleep(delay)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
            tables = self.sqlite("SELECT name FROM sqlite_schema WHERE name = 'n'", "n.db")
            count = self.sqlite("SELECT count(*) FROM n", "n.db")[0][0] if tables else 0
            if process.returncode == 130:
                reported = re.search(r"(?:the first|all) (\d+) rows were imported", err)
                self.assertEqual(count, int(reported[1]) if reported else 0, err)
            self.assertEqual(count % 200000, 0 if count != 500000 else 100000)

    def test_new_table_goes_with_the_failed_import(self):
        _, err = self.load("a,a\n1,2\n", code=1)
        self.assertIn("cannot create table 'n': duplicate column name: a", err)
        self.assertEqual(self.sqlite("SELECT count(*) FROM sqlite_schema WHERE name = 'n'", "n.db"),
                         [(0,)])

    def test_more_than_a_transaction(self):
        count = 200001
        self.load("i,s\n" + "".join(f"{i},{'v' + str(i % 10)}\n" for i in range(count)))
        out, _ = self.braid("query", "n.db", "SELECT count(*) AS n, sum(i) AS s, "
                            "count(DISTINCT s) AS d FROM n", "--format", "csv")
        self.assertEqual(out, f"n,s,d\n{count},{count * (count - 1) // 2},10\n")

    def test_zstd(self):
        if shutil.which("zstd") is None:
            self.skipTest("no zstd program")
        self.write("z.csv", "a,b\n" + "1,x\n2,y\n" * 1000)
        subprocess.run(["zstd", "-q", "z.csv"], cwd=self.folder, check=True)
        self.braid("import", "n.db", "n", "z.csv.zst")
        self.assertEqual(self.content("count(*), sum(a)"), [(2000, 3000)])
        compressed = pathlib.Path(self.path("z.csv.zst")).read_bytes()
        self.write("cut.csv.zst", compressed[:-10])
        _, err = self.braid("import", "n.db", "cut", "cut.csv.zst", code=1)
        self.assertIn("the zstd data end in the middle", err)
        self.write("bad.csv.zst", compressed[:8] + b"\xff" * 40)
        _, err = self.braid("import", "n.db", "bad", "bad.csv.zst", code=1)
        self.assertIn("not zstd data", err)

    def test_round_trip_through_csv(self):
        self.sqlite("CREATE TABLE n(i INTEGER, r REAL, t TEXT);"
                    "INSERT INTO n VALUES (1, 0.1, 'a,b'), (NULL, NULL, NULL), (-5, 1e100, ''),"
                    "(0, -2.0, 'q\"' || char(10) || 'x')", "n.db")
        out, _ = self.braid("query", "n.db", "SELECT * FROM n ORDER BY rowid", "--format", "csv")
        self.load(out, table="copy", name="copy.csv")
        self.assertEqual(self.content(table="copy"), self.content())
        self.assertEqual(self.types("copy"), self.types())


class TestEstimates(Case):
    """How far estimates are off on data that are not spread evenly (the q-error: the larger of
    estimate and truth divided by the smaller)."""

    def setUp(self):
        super().setUp()
        # f: skew falls steeply, month follows day, note is rare words, k refers to d, few to the end.
        self.sqlite(
            "CREATE TABLE f(id INTEGER PRIMARY KEY, skew INT, day INT, month INT, note TEXT, k INT);"
            "CREATE TABLE d(k INTEGER PRIMARY KEY, kind TEXT, pad INT);"
            "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 119999), "
            "h(i, x, y) AS (SELECT i, (i * 7919 + i / 13) % 10007, (i * 104729) % 9973 FROM n) "
            "INSERT INTO f SELECT i + 1, 100 * x * x / 10007 * x / 10007 * x / 10007 / 10007, "
            "y % 360, y % 360 / 30, CASE WHEN y % 50 = 0 THEN 'some special thing' "
            "WHEN y % 3 = 0 THEN 'plain' ELSE 'other words ' || x END, x % 2000 + 1 FROM h;"
            "INSERT INTO d SELECT id, CASE WHEN id % 10 < 8 THEN 'often' ELSE 'rare' || id % 5 END, "
            "id FROM f WHERE id <= 2000")

    def check(self, sql, operator, truth, limit):
        out, _ = self.braid("explain", "t.db", sql, "--format", "json")
        nodes = [node for node in self.nodes(json.loads(out)["plan"][0])
                 if node["detail"].startswith(operator)]
        self.assertEqual(len(nodes), 1, sql)
        rows = max(self.sqlite(truth)[0][0], 1)
        estimate = max(nodes[0]["estimated_rows"], 1)
        off = max(estimate / rows, rows / estimate)
        self.assertLessEqual(off, limit, f"{sql}: estimated {estimate}, {rows} rows")

    def test_estimates_of_conditions(self):
        for condition, limit in [
                ("f.skew = 0", 1.5), ("f.skew = 1", 2), ("f.skew IN (0, 5, 9)", 1.5),
                ("f.skew <> 0", 1.5), ("f.note LIKE '%special%'", 2), ("f.note LIKE 'other%'", 1.5),
                ("f.note = 'plain'", 1.5), ("f.month = 3 AND f.day % 30 < 15", 2),
                ("f.day = 95 AND f.month = 3", 12), ("f.day < 90", 1.5),
                ("f.day BETWEEN 100 AND 110", 1.5), ("f.id > 60000 AND f.id <= 61000", 1.5),
                ("f.day < 90 AND f.note LIKE '%special%'", 2), ("f.k = 17", 3),
                ("length(f.note) = 5", 1.5), ("f.day / 30 = f.month", 1.5)]:
            self.check(f"SELECT count(*), sum(d.pad) FROM f JOIN d ON f.k = d.k WHERE {condition}",
                       "scan f ", f"SELECT count(*) FROM f WHERE {condition}", limit)

    def test_estimates_of_frequent_values(self):
        # Zipf: value k of z.v has a share of 1/k of the first; of w a tenth as many rows.
        self.sqlite(
            "CREATE TABLE z(id INTEGER PRIMARY KEY, v INT, t TEXT, r, s INT);"
            "CREATE TABLE w(id INTEGER PRIMARY KEY, v INT, x INT);"
            "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 199999), "
            "h(i, u) AS (SELECT i, ((i * 7919 + i / 13 * 104729) % 200003 + 0.5) / 200003 FROM n) "
            "INSERT INTO z SELECT i, CAST(exp(u * ln(5000.0)) AS INT), "
            "'name ' || CAST(exp(u * ln(5000.0)) AS INT), CASE WHEN i % 2 THEN 5 "
            "WHEN i % 3 THEN 5.0 ELSE 'x' || (i % 700) END, i % 5000 FROM h;"
            "INSERT INTO w SELECT id, v, s FROM z WHERE id % 10 = 3")
        for condition, limit in [
                ("z.v = 1", 1.2), ("z.v = 7", 1.7), ("z.v = 4000", 6), ("z.v IN (1, 2, 3)", 1.2),
                ("z.v <> 1", 1.1), ("z.t = 'name 1'", 1.2), ("z.t = 'name 3000'", 6),
                ("z.r = 5", 1.2), ("z.r = 5.0", 1.2), ("z.r = 'x4'", 2), ("z.s = 77", 1.2)]:
            self.check(f"SELECT count(*), sum(w.x) FROM z JOIN w ON z.id = w.id WHERE {condition}",
                       "scan z ", f"SELECT count(*) FROM z WHERE {condition}", limit)
        for keys, limit in [("v", 1.15), ("t", 1.15), ("r", 1.15), ("s", 1.15)]:
            self.check(f"SELECT {keys}, count(*) FROM z GROUP BY {keys}", "aggregate",
                       f"SELECT count(*) FROM (SELECT DISTINCT {keys} FROM z)", limit)
        for on, limit in [("z.v = w.v", 1.5), ("z.s = w.x", 1.3), ("z.v = w.x", 3)]:
            self.check(f"SELECT sum(z.s + w.x) FROM z JOIN w ON {on}", "inner join",
                       f"SELECT count(*) FROM z JOIN w ON {on}", limit)

    def test_estimates_of_joins_and_groups(self):
        join = "FROM f JOIN d ON f.k = d.k"
        for condition, limit in [("1", 1.5), ("d.kind = 'often'", 5), ("f.note LIKE '%special%'", 2),
                                 ("f.skew = 0 AND d.k < 500", 2), ("f.k < 500", 1.5)]:
            self.check(f"SELECT sum(f.day), sum(d.pad) {join} WHERE {condition}", "inner join",
                       f"SELECT count(*) {join} WHERE {condition}", limit)
        for keys, limit in [("f.day", 1.5), ("f.skew", 2), ("f.k", 1.5), ("f.month, f.day", 13)]:
            self.check(f"SELECT {keys}, count(*) FROM f GROUP BY {keys}", "aggregate",
                       f"SELECT count(*) FROM (SELECT DISTINCT {keys} FROM f)", limit)
        self.check("SELECT k FROM f GROUP BY k HAVING count(*) > 80", "filter",
                   "SELECT count(*) FROM (SELECT k FROM f GROUP BY k HAVING count(*) > 80)", 50)

    def test_estimates_of_dates_and_of_missing_partners(self):
        self.sqlite("CREATE TABLE c(id INTEGER PRIMARY KEY, day TEXT); INSERT INTO c "
                    "SELECT id, date('1998-01-01', '+' || id || ' days') FROM f WHERE id <= 2000")
        for low, high, limit in [
                ("'2000-08-23'", "date('2000-08-23', '+14 days')", 1.5),
                ("date('2000-08-23', '-30 days')", "date('2000-08-23', '+30 days')", 1.2),
                ("date('1999-01-01')", "date('1999-01-01', '+1 year', '-1 day')", 1.2),
                ("'1999-03-01'", "date('1999-03-01', 'start of month', '+2 months')", 1.2)]:
            where = f"WHERE day BETWEEN {low} AND {high}"
            self.check(f"SELECT count(id) FROM c {where}", "scan c ",
                       f"SELECT count(*) FROM c {where}", limit)
        for where in ["d.k IS NULL", "d.kind IS NULL", "d.k IS NULL AND f.day < 90"]:
            source = f"FROM f LEFT JOIN d ON f.id = d.k * 2 WHERE {where}"
            self.check(f"SELECT sum(f.skew) {source}", "filter", f"SELECT count(*) {source}", 1.5)

    def test_estimates_of_groups_of_text_dates_and_mixed_values(self):
        self.sqlite(
            "CREATE TABLE g(id INTEGER PRIMARY KEY, day TEXT, code TEXT, mixed);"
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150000) "
            "INSERT INTO g SELECT i, date('2019-01-01', (i * 7919 % 1461) || ' days'), "
            "printf('%08x', (i * i + i / 7 * 7919) % 60013 * 65599 % 2147483647), "
            "CASE WHEN i % 3 = 0 THEN 'k' || i % 50 ELSE i % 7 END FROM n")
        for key, limit in [("substr(day, 1, 4)", 1.1), ("strftime('%Y-%m', day)", 1.5), ("code", 1.3),
                           ("mixed", 1.3)]:
            self.check(f"SELECT {key}, count(*) FROM g GROUP BY 1", "aggregate",
                       f"SELECT count(DISTINCT {key}) FROM g", limit)
        self.check("SELECT substr(day, 1, 4), count(*) FROM g WHERE day >= '2021-01-01' GROUP BY 1",
                   "aggregate", "SELECT 2", 1.1)
        self.check("SELECT n, count(*) FROM (SELECT k, count(*) AS n FROM f GROUP BY k) GROUP BY n",
                   "aggregate by #", "SELECT count(DISTINCT n) FROM"
                   " (SELECT count(*) AS n FROM f GROUP BY k)", 8)


class TestAdmin(Case):
    def test_status(self):
        self.braid("sync", "t.db")
        out, _ = self.braid("status", "t.db")
        self.assertRegex(out, r"(?m)^database  t\.db$")
        self.assertRegex(out, r"(?m)^  t  +3 ")
        out, _ = self.braid("status", "t.db", "--format", "json")
        status = json.loads(out)
        self.assertEqual([(table["name"], table["rows"]) for table in status["tables"]], [("t", 3)])
        self.assertIn("lag_ms", status)
        self.assertIn("fallbacks", status)

    def test_explain(self):
        out, _ = self.braid("explain", "t.db", "SELECT sum(a) FROM t; DELETE FROM t")
        self.assertRegex(out, r"^engine: ol[at]p .*\nreason: .+\n")
        self.assertIn("\n\nengine: oltp (SQLite)\nreason: not a query\n", out)
        self.assertEqual(self.sqlite("SELECT count(*) FROM t"), [(3,)])
        _, err = self.braid("explain", "t.db", "SELECT missing FROM t", code=1)
        self.assertIn("no such column: missing", err)

    def fill(self):
        """20,000 rows in t and a table u of 1,000."""
        self.sqlite("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 20000) "
                    "INSERT INTO t SELECT i, 'row <' || (i % 100) || '> & \"more\"', i * 0.5 FROM n")
        self.sqlite("CREATE TABLE u(k INTEGER PRIMARY KEY, name TEXT);"
                    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000) "
                    "INSERT INTO u SELECT i, 'u' || i FROM n")

    def test_explain_analyze_counts_what_operators_did(self):
        self.fill()
        sql = ("SELECT u.name, count(*) FROM t JOIN u ON t.a = u.k WHERE u.k <= 500 "
               "AND t.b <> 'x\U0001f600\"\\' GROUP BY u.name ORDER BY 2, 1 LIMIT 7")
        out, _ = self.braid("explain", "t.db", sql, "--analyze", "--format", "json")
        top = json.loads(out)
        self.assertEqual((top["sql"], top["analyzed"]), (sql, True))
        self.assertGreater(top["wall_ms"], 0)
        nodes = list(self.nodes(top["plan"][0]))
        rows = {node["operator"]: node["rows"] for node in nodes}
        self.assertEqual((rows["sort"], rows["aggregate"], rows["join"]), (7, 500, 502))
        join = [node for node in nodes if node["operator"] == "join"][0]
        self.assertIn(join["build_rows"], (500, 502))
        scan = [node for node in nodes if node["detail"].startswith("scan t ")][0]
        # What the join found out about its keys spares two of three zones.
        self.assertEqual((scan["rows_read"], scan["zones_skipped"]), (8192, 2))
        self.assertAlmostEqual(sum(node["share"] for node in nodes), 1, places=2)
        self.assertAlmostEqual(sum(node["cpu_ms"] for node in nodes), top["cpu_ms"], places=3)
        for node in nodes:
            self.assertEqual(node["spilled_bytes"], 0)
        # Keys far from each other: no row of the zone between them has a partner.
        self.sqlite("CREATE TABLE w(k INTEGER PRIMARY KEY); INSERT INTO w VALUES (5), (19999)")
        out, _ = self.braid("explain", "t.db", "SELECT sum(t.c) FROM t JOIN w ON t.a = w.k",
                            "--analyze", "--format", "json")
        nodes = list(self.nodes(json.loads(out)["plan"][0]))
        scan = [node for node in nodes if node["detail"].startswith("scan t ")][0]
        self.assertEqual((scan["rows"], scan["zones_skipped"]), (2, 1))
        # Rows that came after the copy was made durable are in the delta.
        self.sqlite("INSERT INTO t VALUES (7, 'new', 0)")
        out, _ = self.braid("explain", "t.db", "SELECT a + 1 FROM t WHERE c > 5000", "--analyze",
                            "--format", "json")
        scan = list(self.nodes(json.loads(out)["plan"][0]))[-1]
        self.assertEqual(scan["delta_rows"], 1)
        self.assertEqual(scan["rows"], 10001)
        self.assertGreater(scan["zones_skipped"], 0)

    def test_explain_analyze_tells_shared_plans_and_subqueries(self):
        self.fill()
        sql = ("WITH s AS (SELECT a, count(*) AS n FROM t GROUP BY a) SELECT x.a FROM s x, s y "
               "WHERE x.a = y.a AND x.n >= (SELECT max(k) / 1000 FROM u)")
        out, _ = self.braid("explain", "t.db", sql, "--analyze", "--format", "json",
                            "--engine", "olap")
        top = json.loads(out)
        self.assertEqual(top["plan"][0]["rows"], 20000)
        self.assertEqual([plan["rows"] for plan in top["shared"]], [20000])
        self.assertEqual([plan["rows"] for plan in top["subqueries"]], [1])

    def test_explain_analyze_as_text(self):
        self.fill()
        sql = "SELECT b, count(*) FROM t GROUP BY b"
        out, _ = self.braid("explain", "t.db", sql, "--analyze", "--threads", "1")
        self.assertRegex(out, r"(?m)^time: [0-9.]+ ms, CPU [0-9.]+ ms on up to 1 threads, memory ")
        self.assertRegex(out, r"(?m)^ *aggregate by b.*\(103 rows, estimated \d+; ")
        self.assertRegex(out, r"(?m)^ *scan t .*\(20003 rows, estimated 20003; .* zones skipped")
        rows, _ = self.braid("query", "t.db", "EXPLAIN ANALYZE " + sql, "--format", "csv")
        self.assertTrue(rows.startswith("plan\n"))
        self.assertIn("(103 rows, estimated ", rows)
        # Off by more than ten times is pointed out.
        out, _ = self.braid("explain", "t.db", "EXPLAIN ANALYZE SELECT count(b) FROM t "
                            "WHERE a % 2 + a % 3 + a % 5 < -9")
        self.assertRegex(out, r"\(\d+x off\)")

    def test_explain_analyze_in_sqlite_and_of_writes(self):
        sql = "SELECT name FROM pragma_table_info WHERE arg IN ('t') AND name = 'a'"
        out, _ = self.braid("explain", "t.db", sql, "--analyze")
        self.assertRegex(out, r"^engine: oltp .*\nreason: .*\ntime: [0-9.]+ ms, 1 rows\n$")
        out, _ = self.braid("explain", "t.db", sql, "--analyze", "--format", "json")
        self.assertEqual(json.loads(out)["rows"], 1)
        out, _ = self.braid("explain", "t.db", "DELETE FROM t", "--analyze", "--format", "json")
        self.assertFalse(json.loads(out)["analyzed"])
        self.assertEqual(self.sqlite("SELECT count(*) FROM t"), [(3,)])
        _, err = self.braid("explain", "t.db", "SELECT 1", "--format", "yaml", code=2)
        self.assertIn("--format 'yaml': expected text, json or html", err)

    def test_explain_as_page(self):
        self.fill()
        sql = "SELECT b, count(*) FROM t WHERE b <> '<script>&' AND a % 2 < -9 GROUP BY b"
        for options, headings in [([], 2), (["--analyze"], 6)]:
            out, _ = self.braid("explain", "t.db", sql, "--format", "html", *options)
            self.assertTrue(out.startswith("<!DOCTYPE html>\n"))
            page = xml.etree.ElementTree.fromstring(out)
            self.assertEqual(page.find("body/pre").text, sql)
            rows = page.findall("body/table/tr")
            self.assertEqual(len(rows[0].findall("th")), headings)
            self.assertIn("'<script>&'", "".join(rows[-1].find("td").itertext()))
            self.assertEqual(len(page.findall(".//svg")), len(rows) - 1 if options else 0)
        self.assertTrue(page.findall(".//td[@class='n off']"))
        out, _ = self.braid("explain", "t.db", "DELETE FROM t", "--format", "html")
        xml.etree.ElementTree.fromstring(out)

    def test_looking_after_the_copy(self):
        for command in ["sync", "checkpoint", "compact", "rebuild"]:
            self.sqlite(f"INSERT INTO t(b) VALUES ('{command}')")
            self.assertEqual(self.braid(command, "t.db"), ("", ""))
            out, err = self.braid("verify", "t.db")
            self.assertRegex(out, r"^ok: every checksum, and \d+ rows equal on both sides, in "
                                  r"\d+\.\d s \([\d,]+ rows/s\)\n$")
            self.assertEqual(err, "")
            self.braid(command, "missing.db", code=1)
        self.assertIn("and 7 rows equal", out)

    def test_sync_of_several_databases(self):
        os.mkdir(self.path("f"))
        for name in ["a.db", "b.db", "plain.db"]:
            self.sqlite("CREATE TABLE t(a); INSERT INTO t VALUES (1)", "f/" + name)
        self.assertEqual(self.braid("sync", "t.db", "f/a.db", "f/b.db"), ("", ""))
        for name in ["a.db", "b.db"]:
            self.sqlite("INSERT INTO t VALUES (2); INSERT INTO t VALUES (3)", "f/" + name)
        os.mkdir(self.path("f/gone.db-braid"))
        self.assertEqual(self.braid("sync", "--all", "f", "t.db"), ("", ""))
        self.assertFalse(os.path.exists(self.path("f/plain.db-braid")))
        for name in ["a.db", "b.db"]:
            out, _ = self.braid("query", "f/" + name, "SELECT count(*) FROM t", "--freshness", "any",
                                "--engine", "olap", "--format", "csv")
            self.assertEqual(out, "count(*)\n3\n")
        self.write("f/b.db", "x" * 5000)
        _, err = self.braid("sync", "f", "--all", code=1)
        self.assertIn("cannot open 'f/b.db'", err)
        _, err = self.braid("sync", "f", code=1)
        self.assertIn("cannot open 'f'", err)

    def test_watching_the_status(self):
        process = subprocess.Popen([BRAID, "status", "t.db", "--watch", "0.05", "--format", "json"],
                                   cwd=self.folder, text=True, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        text = ""
        while '"rows": 4,' not in text:
            line = process.stdout.readline()
            self.assertNotEqual(line, "")
            if '"rows": 3,' in line and '"rows": 3,' not in text:
                self.sqlite("INSERT INTO t(a) VALUES (4)")
            text += line
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        self.assertEqual((process.returncode, err), (130, ""))
        for wrong in ["--watch=x", "--watch=0", "--watch=1e9"]:
            self.braid("status", "t.db", wrong, code=2)

    def make_big(self):
        self.big_rows = 1500000
        self.sqlite("CREATE TABLE big(id INTEGER PRIMARY KEY, a, b);"
                    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1500000) "
                    "INSERT INTO big(a, b) SELECT i % 1000, 'text ' || i FROM n", "big.db")

    def double_big(self):
        self.sqlite("INSERT INTO big(a, b) SELECT a, b FROM big", "big.db")
        self.big_rows *= 2

    def run_on_terminal(self, pattern, *arguments):
        """Runs with stderr on a terminal; Ctrl-C once the pattern was seen. Code and what it said."""
        import pty
        import select
        ours, theirs = pty.openpty()
        process = subprocess.Popen([BRAID, *arguments], cwd=self.folder, stdout=subprocess.PIPE,
                                   stderr=theirs)
        os.close(theirs)
        said, is_stopped = "", False
        while process.poll() is None:
            if select.select([ours], [], [], 0.05)[0]:
                try:
                    said += os.read(ours, 4096).decode()
                except OSError:
                    break
            if pattern is not None and not is_stopped and re.search(pattern, said):
                process.send_signal(signal.SIGINT)
                is_stopped = True
        process.communicate(timeout=60)
        os.close(ours)
        return process.returncode, said

    def stop_on_terminal(self, pattern, *arguments):
        """The same, on more rows when the work was over before anything was shown."""
        for _ in range(4):
            code, said = self.run_on_terminal(pattern, *arguments)
            if code != 0:
                break
            if arguments[0] == "sync":
                self.braid("detach", arguments[1])
            self.double_big()
        return code, said

    def test_long_work_shows_its_progress_and_can_be_stopped(self):
        self.make_big()
        bar = r"%s: \[#*-*\] \d+ %%, \d+ s left, [\d,]+ rows, [\d,]+ rows/s"
        code, said = self.stop_on_terminal("mirroring", "sync", "big.db")
        self.assertRegex(said, bar % "mirroring big")
        self.assertEqual(code, 130, said)
        self.assertTrue(said.endswith("\r\033[Kbraid: interrupted\r\n"), said)
        self.assertIn(f"and {self.big_rows:,} rows equal", self.braid("verify", "big.db")[0])
        for command, what in [("verify", "verifying"), ("rebuild", "mirroring")]:
            code, said = self.stop_on_terminal(what, command, "big.db")
            self.assertEqual(code, 130, said)
            self.assertRegex(said, bar % (what + " big"))
        code, said = self.run_on_terminal(None, "rebuild", "big.db")
        while code == 0 and said == "" and self.big_rows < 20000000:
            self.double_big()
            code, said = self.run_on_terminal(None, "rebuild", "big.db")
        self.assertEqual(code, 0, said)
        self.assertRegex(said, bar % "mirroring big")
        self.assertTrue(said.endswith("\r\033[K"), said)
        self.assertEqual(self.braid("rebuild", "big.db"), ("", ""))
        self.assertIn(f"and {self.big_rows:,} rows equal", self.braid("verify", "big.db")[0])

    def test_temporal(self):
        self.braid("exec", "t.db", "CREATE TABLE h(a INTEGER PRIMARY KEY, b); INSERT INTO h VALUES(1, 2)")
        self.assertEqual(self.braid("temporal", "t.db", "h"), ("", ""))
        self.braid("exec", "t.db", "UPDATE h SET b = 3; DELETE FROM h")
        feed = "SELECT operation, b FROM braid_changes('h')"
        self.assertEqual(self.rows(feed).split(), ["operation,b", "I,2", "U,3", "D,3"])
        self.braid("temporal", "t.db", "h", "--off")
        self.assertEqual(self.rows("SELECT count(*) FROM h FOR SYSTEM_TIME ALL").split()[1], "3")
        self.braid("temporal", "t.db", "h", "--keep-age", "30d", "--keep-versions", "5")
        self.braid("temporal", "t.db", "h", "--off", "--purge")
        _, err = self.braid("query", "t.db", feed, code=1)
        self.assertIn("table 'h' has no history", err)
        _, err = self.braid("temporal", "t.db", "missing", code=1)
        self.assertIn("no such table: missing", err)
        for wrong in (["--keep-age", "3x"], ["--keep-versions", "-1"], ["--purge"],
                      ["--off", "--keep-age", "1d"]):
            self.braid("temporal", "t.db", "h", *wrong, code=2)

    def test_register(self):
        self.assertEqual(self.braid("register", "t.db", "T", "--columns", "a,c"), ("", ""))
        self.assertEqual(self.rows("SELECT sum(a) FROM t", "--engine", "olap"), "sum(a)\n6\n")
        _, err = self.braid("query", "t.db", "SELECT b FROM t", "--engine", "olap", code=1)
        self.assertIn("column 'b' is not mirrored", err)
        self.assertEqual(self.rows("SELECT b FROM t WHERE a = 1"), "b\none\n")
        self.braid("register", "t.db", "t*", "--exclude")
        status = json.loads(self.braid("status", "t.db", "--format", "json")[0])
        self.assertEqual(status["tables"], [])
        self.braid("register", "t.db", "t*", "--remove")
        self.braid("register", "t.db", "T", "--remove")
        self.assertEqual(self.rows("SELECT count(b) FROM t", "--engine", "olap"),
                         "count(b)\n2\n")
        _, err = self.braid("register", "t.db", "T", "--remove", code=1)
        self.assertIn("nothing is registered for 'T'", err)
        _, err = self.braid("register", "t.db", "t", "--columns", "a", "--columns", "z", code=1)
        self.assertIn("no table like 't' has a column 'z'", err)
        for wrong in (["--columns", "a", "--exclude"], ["--columns", ","]):
            self.braid("register", "t.db", "t", *wrong, code=2)
        self.braid("register", "t.db", code=2)

    def test_detach(self):
        self.rows("SELECT count(*) FROM t", "--engine", "olap")
        self.assertTrue(os.path.isdir(self.path("t.db-braid")))
        self.assertNotEqual(self.sqlite("SELECT count(*) FROM sqlite_schema"), [(1,)])
        self.assertEqual(self.braid("detach", "t.db"), ("", ""))
        self.assertFalse(os.path.exists(self.path("t.db-braid")))
        self.assertEqual(self.sqlite("SELECT name FROM sqlite_schema"), [("t",)])
        self.assertEqual(self.sqlite("SELECT count(*) FROM t"), [(3,)])
        _, err = self.braid("detach", "missing.db", code=1)
        self.assertIn("cannot detach 'missing.db'", err)


class TestPipedShell(Case):
    def shell(self, text, code=0, *arguments):
        return self.braid("shell", "t.db", "--format", "csv", *arguments, stdin=text, code=code)

    def test_statements(self):
        out, err = self.shell("SELECT 1;\nSELECT\n a\nFROM t /* ;\n */ WHERE a < 3\nORDER BY a; "
                              "SELECT 3; SELECT\n 4")
        self.assertEqual((out, err), ("1\n1\na\n1\n2\n3\n3\n4\n4\n", ""))

    def test_errors_go_on_and_count(self):
        out, err = self.shell("SELECT 1;\n\nSELECT\n missing FROM t;\nSELECT 2;\n.nonsense\n", 1)
        self.assertEqual(out, "1\n1\n2\n2\n")
        self.assertIn("braid: stdin:4:2: no such column: missing\n   missing FROM t;\n   ^\n", err)
        self.assertIn("unknown command '.nonsense'", err)

    def test_dot_commands(self):
        self.sqlite("CREATE VIEW v AS SELECT a FROM t; CREATE INDEX ix ON t(b)")
        out, _ = self.shell(".tables\n.schema T\n.mode\n.mode jsonl\nSELECT 1 AS x;\n.engine\n"
                            ".engine oltp\n.engine\n.freshness any\n.sync\n")
        self.assertEqual(out, "t\nv\nCREATE TABLE t(a INTEGER, b TEXT, c REAL);\n"
                              "CREATE INDEX ix ON t(b);\ncsv\n{\"x\":1}\nauto\noltp\n")
        out, _ = self.shell(".timer on\n.engine oltp\nSELECT 1;\n.timer off\nSELECT 2;\n"
                            ".explain\n.explain SELECT sum(a) FROM t\n.status\n.help\n.quit\n"
                            "SELECT 'not reached';\n")
        self.assertRegex(out, r"^1\n1\n\d+\.\d ms, oltp \(forced\)\n2\n2\nengine: ")
        self.assertEqual(out.count("engine: "), 2)
        self.assertIn("database  t.db", out)
        self.assertRegex(out, r"(?m)^\.schema +\[TABLE\]")
        self.assertNotIn("reached", out)

    def test_dot_commands_that_fail(self):
        for line, message in [(".mode xml", ".mode: expected table"), (".timer", "on or off"),
                              (".engine x", "auto, olap or oltp"),
                              (".schema zz", "no table or view"),
                              (".freshness x", "strict, any"), (".read", "expected a file"),
                              (".read zz", "cannot open 'zz'"), (".explain", "a statement")]:
            self.assertIn(message, self.shell(line + "\n", 1)[1])

    def test_read(self):
        self.write("q.sql", "SELECT 1;\nSELECT 2;")
        self.assertEqual(self.shell("  .read q.sql  \n")[0], "1\n1\n2\n2\n")


class Terminal:
    """braid shell on a pseudo terminal."""

    def __init__(self, case, *arguments):
        import pty
        self.case = case
        self.output = ""
        environment = dict(case.environment, TERM="vt100")
        self.child, self.master = pty.fork()
        if self.child == 0:
            os.chdir(case.folder)
            os.execve(BRAID, [BRAID, "shell", "t.db", *arguments], environment)

    def expect(self, pattern):
        """Reads until the pattern was there; what is up to its end is forgotten."""
        import select
        end = time.time() + 60
        while True:
            found = re.search(pattern, self.output)
            if found:
                self.output = self.output[found.end():]
                return found
            ready, _, _ = select.select([self.master], [], [], max(0, end - time.time()))
            if not ready:
                self.case.fail(f"{pattern!r} did not come, but {self.output!r}")
            try:
                data = os.read(self.master, 4096)
            except OSError:
                data = b""
            if not data:
                self.case.fail(f"{pattern!r} did not come before the end, but {self.output!r}")
            self.output += data.decode(errors="replace")

    def type(self, text):
        os.write(self.master, text.encode())

    def end(self):
        """Leaves with Ctrl-D, typed at a prompt or ahead of it; gives the exit code."""
        self.type("\x04")
        done = (0, 0)
        begin = time.time()
        while done[0] == 0 and time.time() < begin + 60:
            time.sleep(0.02)
            done = os.waitpid(self.child, os.WNOHANG)
        if done[0] == 0:
            os.kill(self.child, signal.SIGKILL)
            os.waitpid(self.child, 0)
            self.case.fail("the shell did not leave at Ctrl-D")
        os.close(self.master)
        return os.waitstatus_to_exitcode(done[1])


class TestTerminal(Case):
    def test_end_of_input_typed_ahead(self):
        for _ in range(3):
            self.assertEqual(Terminal(self).end(), 0)

    def test_statements_and_interrupts(self):
        shell = Terminal(self, "--format", "csv")
        shell.expect("Braid .*t.db")
        shell.expect("braid> ")
        shell.type("SELECT 40 +\n")
        shell.expect(r"\.\.\.> ")
        shell.type("2 AS x;\n")
        shell.expect("x\r\n42\r\n")
        shell.expect("braid> ")
        shell.type("SELECT never\n")
        shell.expect(r"\.\.\.> ")
        shell.type("ended ")
        shell.expect("ended")
        shell.type("\x03")
        shell.expect("braid> ")
        shell.type(".engine oltp\n")
        shell.expect("braid> ")
        shell.type(FOREVER + ";\n")
        shell.expect("i < 0")
        time.sleep(0.5)
        shell.type("\x03")
        shell.expect("interrupted")
        shell.expect("braid> ")
        shell.type("SELECT missing;\n")
        shell.expect("line 1, column 8: no such column: missing")
        shell.expect("braid> ")
        self.assertEqual(shell.end(), 0)

    @unittest.skipUnless(HAS_LIBEDIT, "built without libedit")
    def test_completion_and_history(self):
        self.sqlite("CREATE TABLE passengers(seat_number TEXT, \"odd name\" TEXT);"
                    "INSERT INTO passengers VALUES ('12A', 'very odd'); CREATE TABLE passages(x)")
        shell = Terminal(self, "--format", "csv")
        shell.expect("braid> ")
        for typed, answer in [("SEL\t40 + 2 AS \"x\";", "x\r\n42\r\n"),
                              ("sele\t'low' || 'er' fr\tt LIM\t1;", "lower\r\n"),
                              (".ta\t", "passages\r\npassengers\r\nt\r\n"),
                              ("select sea\t from passengers;", "seat_number\r\n12A\r\n"),
                              ("select count(*) + 7 from PASSE\t;", "8\r\n"),
                              ("select passengers.se\t from passengers;", "12A\r\n"),
                              ("select p.se\t from passengers p;", "12A\r\n"),
                              ("select odd\tfrom passengers;", "very odd\r\n"),
                              ("select count(*) - 5 from passa\t, passengers;", "-5\r\n")]:
            shell.type(typed + "\n")
            shell.expect(re.escape(answer))
            shell.expect("braid> ")
        shell.type("select pass\t\t")
        shell.expect(r"passages +passengers")
        shell.type("\x03")
        shell.expect("braid> ")
        shell.type("SELECT 'remember me' AS x;\n")
        shell.expect("x\r\nremember me\r\n")
        shell.expect("braid> ")
        self.assertEqual(shell.end(), 0)
        self.assertIn("remember", pathlib.Path(self.path(".braid_history")).read_text())
        shell = Terminal(self, "--format", "csv")
        shell.expect("braid> ")
        shell.type("\x10\n")  # the line before
        shell.expect("x\r\nremember me\r\n")
        shell.expect("braid> ")
        self.assertEqual(shell.end(), 0)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
