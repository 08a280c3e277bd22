"""The systems a benchmark compares, each in a worker process that stays up.

A worker reads one JSON request per line ({"op": "load" | "query" | "peak"}) and answers with one JSON
line. Times are measured inside the worker, around the call that runs a query and leaves its result in
memory; turning values into Python objects is not part of them.
"""
import ctypes
import json
import os
import re
import resource
import subprocess
import sys
import threading
import time

NAMES = ["braid", "duckdb", "clickhouse", "sqlite"]


# ---- workers -------------------------------------------------------------------------------------

class BraidText(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("size", ctypes.c_uint32), ("reserved", ctypes.c_uint32)]


class BraidUnion(ctypes.Union):
    _fields_ = [("integer", ctypes.c_int64), ("real", ctypes.c_double), ("text", BraidText)]


class BraidValue(ctypes.Structure):
    _fields_ = [("type", ctypes.c_uint8), ("value", BraidUnion)]


class BraidInfo(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("engine", ctypes.c_int), ("reason", ctypes.c_char_p),
                ("seq", ctypes.c_uint64), ("lag_ms", ctypes.c_double),
                ("delta_rows", ctypes.c_uint64), ("run_ms", ctypes.c_double)]


class BraidConfig(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("create", ctypes.c_int), ("read_only", ctypes.c_int),
                ("threads", ctypes.c_uint32), ("memory_bytes", ctypes.c_uint64),
                ("busy_timeout_ms", ctypes.c_uint32), ("engine", ctypes.c_int),
                ("freshness", ctypes.c_int64), ("isa", ctypes.c_char_p), ("io", ctypes.c_char_p),
                ("exclude", ctypes.c_void_p)]


class Braid:
    """The library through its public interface, as any embedding program would use it."""

    def __init__(self, suite, threads):
        self.suite = suite
        self.threads = threads
        library = ctypes.CDLL(os.environ["BRAID_LIBRARY"])
        library.braid_error_message.restype = ctypes.c_char_p
        library.braid_row_count.restype = ctypes.c_uint64
        library.braid_column_count.restype = ctypes.c_uint32
        library.braid_value_get.restype = BraidValue
        library.braid_value_get.argtypes = [ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint32]
        for name in ("braid_row_count", "braid_column_count", "braid_result_free", "braid_checkpoint",
                     "braid_compact", "braid_error_message"):
            getattr(library, name).argtypes = [ctypes.c_void_p]
        library.braid_query.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
        library.braid_result_get_info.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
        self.library = library
        self.db = ctypes.c_void_p()

    def check(self, status):
        if status != 0:
            raise RuntimeError(self.library.braid_error_message(self.db).decode())

    def load(self):
        config = BraidConfig()
        self.library.braid_config_init(ctypes.byref(config))
        config.threads = self.threads
        begin = time.perf_counter()
        path = self.suite["sqlite"].encode()
        self.check(self.library.braid_open(path, ctypes.byref(config), ctypes.byref(self.db)))
        seconds = time.perf_counter() - begin
        self.check(self.library.braid_compact(self.db))
        return {"seconds": seconds, "bytes": folder_bytes(self.suite["sqlite"] + "-braid")}

    def query(self, sql, with_rows):
        result = ctypes.c_void_p()
        begin = time.perf_counter()
        self.check(self.library.braid_query(self.db, sql.encode(), ctypes.byref(result)))
        ms = (time.perf_counter() - begin) * 1000
        info = BraidInfo(size=ctypes.sizeof(BraidInfo))
        self.library.braid_result_get_info(result, ctypes.byref(info))
        rows = self.rows(result) if with_rows else None
        self.library.braid_result_free(result)
        return {"ms": ms, "rows": rows, "native": info.engine == 1}

    def rows(self, result):
        columns = range(self.library.braid_column_count(result))
        return [[self.value(result, row, column) for column in columns]
                for row in range(self.library.braid_row_count(result))]

    def value(self, result, row, column):
        got = self.library.braid_value_get(result, row, column)
        if got.type == 1:
            return got.value.integer
        if got.type == 2:
            return got.value.real
        if got.type == 0:
            return None
        return ctypes.string_at(got.value.text.data, got.value.text.size).decode("utf-8", "replace")


class DuckDb:
    def __init__(self, suite, threads):
        import duckdb
        self.suite = suite
        self.path = suite["folder"] + "/peer.duckdb"
        for name in (self.path, self.path + ".wal"):
            if os.path.exists(name):
                os.remove(name)
        self.db = duckdb.connect(self.path, config={"threads": threads})

    def load(self):
        begin = time.perf_counter()
        for table in self.suite["tables"]:
            columns = ", ".join(f'"{c["name"]}" {peer_type(c, "duckdb")}' for c in table["columns"])
            self.db.execute(f'CREATE TABLE "{table["name"]}"({columns})')
            header = "true" if table["header"] else "false"
            self.db.execute(f"""COPY "{table["name"]}" FROM '{table["file"]}'
                (DELIMITER '{table["separator"]}', HEADER {header}, QUOTE '"',
                NULLSTR '\\N')""")  # an empty field is empty text, as in SQLite
        self.db.execute("CHECKPOINT")
        return {"seconds": time.perf_counter() - begin, "bytes": os.path.getsize(self.path)}

    def query(self, sql, with_rows):
        sql = duckdb_dialect(sql)
        begin = time.perf_counter()
        table = self.db.sql(sql).to_arrow_table()
        ms = (time.perf_counter() - begin) * 1000
        return {"ms": ms, "rows": arrow_rows(table) if with_rows else None, "native": True}


class ClickHouse:
    def __init__(self, suite, threads):
        from chdb import session
        import shutil
        self.suite = suite
        self.path = suite["folder"] + "/peer.clickhouse"
        shutil.rmtree(self.path, ignore_errors=True)
        self.session = session.Session(self.path)
        self.session.query("CREATE DATABASE IF NOT EXISTS b")
        self.settings = (f" SETTINGS max_threads = {threads}, joined_subquery_requires_alias = 0,"
                         " allow_experimental_correlated_subqueries = 1, join_use_nulls = 1")

    def load(self):
        begin = time.perf_counter()
        for table in self.suite["tables"]:
            columns = ", ".join(f'`{c["name"]}` {peer_type(c, "clickhouse")}' for c in table["columns"])
            order = ", ".join(table["key"]) if table["key"] else "tuple()"
            self.session.query(f'CREATE TABLE b.`{table["name"]}`({columns}) '
                               f"ENGINE = MergeTree ORDER BY ({order})")
            form = "CSVWithNames" if table["header"] else "CSV"
            self.session.query(f"""INSERT INTO b.`{table["name"]}` SELECT * FROM file(
                '{table["file"]}', '{form}') SETTINGS format_csv_delimiter = '{table["separator"]}',
                input_format_csv_trim_whitespaces = 0""")
            self.session.query(f'OPTIMIZE TABLE b.`{table["name"]}` FINAL')
        seconds = time.perf_counter() - begin
        # The folder also holds the parts that OPTIMIZE replaced, until a timer removes them.
        stored = self.session.query("SELECT sum(bytes_on_disk) FROM system.parts WHERE active", "CSV")
        return {"seconds": seconds, "bytes": int(str(stored).strip())}

    def query(self, sql, with_rows):
        import pyarrow
        self.session.query("USE b")
        sql = clickhouse_dialect(sql).rstrip().rstrip(";") + self.settings
        begin = time.perf_counter()
        answer = self.session.query(sql, "ArrowStream")
        ms = (time.perf_counter() - begin) * 1000
        if not with_rows:
            return {"ms": ms, "rows": None, "native": True}
        with pyarrow.ipc.open_stream(answer.bytes()) as reader:
            return {"ms": ms, "rows": arrow_rows(reader.read_all()), "native": True}


class Sqlite:
    """Queries that take longer than suite["limit"] seconds are stopped: some would take hours."""

    def __init__(self, suite, threads):
        import sqlite3
        del threads  # one connection, one thread: that is what it is
        self.suite = suite
        self.db = sqlite3.connect(suite["sqlite"], check_same_thread=False)
        self.db.execute("PRAGMA cache_size = -1000000")
        self.db.execute("PRAGMA mmap_size = 8000000000")

    def load(self):
        return {"seconds": self.suite["sqlite_seconds"], "bytes": os.path.getsize(self.suite["sqlite"])}

    def query(self, sql, with_rows):
        import sqlite3
        timer = threading.Timer(self.suite["limit"], self.db.interrupt)
        timer.start()
        begin = time.perf_counter()
        try:
            rows = self.db.execute(sql).fetchall()
        except sqlite3.OperationalError as error:
            if str(error) != "interrupted":
                raise
            return {"over_limit": True}
        finally:
            timer.cancel()
        ms = (time.perf_counter() - begin) * 1000
        return {"ms": ms, "rows": [list(row) for row in rows] if with_rows else None, "native": True}


# ---- dialects and types --------------------------------------------------------------------------

def peer_type(column, system):
    """The type a user of that system would choose for what SQLite declares loosely."""
    if column["kind"] == "date":
        return "DATE" if system == "duckdb" else "Date"
    if column["kind"] == "datetime":
        return "TIMESTAMP" if system == "duckdb" else "DateTime"
    if column["kind"] == "money":
        return "DECIMAL(15, 2)" if system == "duckdb" else "Decimal(15, 2)"
    if column["kind"] == "integer":
        return "BIGINT" if system == "duckdb" else "Int64"
    if column["kind"] == "real":
        return "DOUBLE" if system == "duckdb" else "Float64"
    return "VARCHAR" if system == "duckdb" else "String"


def sqlite_like(sql):
    """LIKE as SQLite has it: the case of letters does not matter."""
    return re.sub(r"\bLIKE\b", "ILIKE", sql, flags=re.I)


def duckdb_dialect(sql):
    sql = sqlite_like(sql)
    sql = re.sub(r"CAST\s*\(\s*strftime\s*\(\s*'%Y'\s*,\s*([\w.]+)\s*\)\s*AS\s+INTEGER\s*\)", r"year(\1)",
                 sql, flags=re.I)
    return re.sub(r"strftime\s*\(\s*('[^']*')\s*,\s*([\w.]+)\s*\)", r"strftime(\2, \1)", sql, flags=re.I)


def clickhouse_dialect(sql):
    sql = sqlite_like(sql)
    sql = re.sub(r"CAST\s*\(\s*strftime\s*\(\s*'%Y'\s*,\s*([\w.]+)\s*\)\s*AS\s+INTEGER\s*\)",
                 r"toYear(\1)", sql, flags=re.I)

    def formatted(match):
        form = match[1].replace("%M", "%i")  # ClickHouse's %M is the month's name
        return f"formatDateTime({match[2]}, {form})"
    return re.sub(r"strftime\s*\(\s*('[^']*')\s*,\s*([\w.]+)\s*\)", formatted, sql, flags=re.I)


# ---- helpers -------------------------------------------------------------------------------------

def arrow_rows(table):
    def plain(value):
        if value is None or isinstance(value, (int, str)):
            return value
        if isinstance(value, bytes):
            return value.decode("utf-8", "replace")
        if isinstance(value, float):
            return None if value != value else value
        return float(value) if type(value).__name__ == "Decimal" else str(value)
    columns = [[plain(v) for v in column.to_pylist()] for column in table.columns]
    return [list(row) for row in zip(*columns)]


def folder_bytes(folder):
    return sum(os.path.getsize(os.path.join(path, name))
               for path, _, names in os.walk(folder) for name in names)


class Worker:
    """A system in a process of its own."""

    def __init__(self, name, python, suite, threads):
        self.name = name
        self.process = subprocess.Popen([python, os.path.abspath(__file__), name, json.dumps(suite),
                                         str(threads)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def ask(self, **request):
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        return json.loads(line) if line else {"error": "the process ended"}

    def close(self):
        self.process.kill()
        self.process.wait()


def serve(name, suite, threads):
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries that print must not break the protocol
    system = {"braid": Braid, "duckdb": DuckDb, "clickhouse": ClickHouse, "sqlite": Sqlite}[name](
        suite, threads)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request["op"] == "load":
                answer = system.load()
            elif request["op"] == "peak":
                answer = {"bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}
            else:
                answer = system.query(request["sql"], request["rows"])
        except Exception as error:  # a peer may fail in any way; the report says what it said
            answer = {"error": str(error).splitlines()[0][:200] if str(error) else repr(error)}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    serve(sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3]))
