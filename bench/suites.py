"""Data and queries of a benchmark: made or unpacked once into bench/data, and loaded into SQLite."""
import glob
import os
import re
import sqlite3
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "data")
GENERATORS = os.environ.get("BRAID_BUILD", os.path.join(HERE, "..", "build"))


def column_kind(name, declared):
    """What the column means: SQLite declares money as REAL and dates as TEXT."""
    declared = declared.upper()
    if declared == "TEXT" and re.search(r"(date)$", name, re.I):
        return "date"
    if declared == "TEXT" and re.search(r"(time)$", name, re.I):
        return "datetime"
    if declared == "REAL":
        return "money"
    return "integer" if declared == "INTEGER" else "text"


def read_schema(path):
    """Tables and columns of a schema.sql, by asking SQLite."""
    db = sqlite3.connect(":memory:")
    with open(path, encoding="utf-8") as file:
        db.executescript(file.read())
    tables = []
    names = db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rootpage")
    for (name,) in names.fetchall():
        columns = db.execute(f'PRAGMA table_info("{name}")').fetchall()
        key = [c[1] for c in sorted(columns, key=lambda c: c[5]) if c[5] > 0]
        tables.append({"name": name, "key": key, "columns": [
            {"name": c[1], "kind": column_kind(c[1], c[2])} for c in columns]})
    return tables


def unpack(path, folder):
    """The plain file behind a possibly compressed one."""
    if not path.endswith(".zst"):
        return path
    plain = os.path.join(folder, os.path.basename(path)[:-4])
    if not os.path.exists(plain):
        subprocess.run(["zstd", "-dqf", path, "-o", plain], check=True)
    return plain


def attach_files(tables, source, folder):
    for table in tables:
        found = sorted(glob.glob(f"{source}/{table['name']}.tbl*") +
                       glob.glob(f"{source}/data*/{table['name']}.tbl*"))
        table["separator"], table["header"] = "|", False
        if not found:
            found = sorted(glob.glob(f"{source}/{table['name']}*.csv*"))
            table["separator"], table["header"] = ",", True
        if not found:
            raise SystemExit(f"bench: no data file for table {table['name']} in {source}")
        table["file"] = unpack(found[-1], folder)


def load_sqlite(path, schema, tables):
    """Fills the SQLite file with the system's shell; returns how long that took."""
    if os.path.exists(path):
        return 0.0
    begin = time.perf_counter()
    partial = path + ".partial"
    if os.path.exists(partial):
        os.remove(partial)
    with open(schema, encoding="utf-8") as file:
        subprocess.run(["sqlite3", partial], stdin=file, check=True)
    for table in tables:
        mode = ".mode csv" if table["separator"] == "," else ".mode list"
        skip = "--skip 1 " if table["header"] else ""
        subprocess.run(["sqlite3", partial, "PRAGMA synchronous = OFF", mode,
                        f".separator '{table['separator']}'",
                        f".import {skip}'{table['file']}' {table['name']}"], check=True,
                       stdout=subprocess.DEVNULL)
    os.rename(partial, path)
    return time.perf_counter() - begin


def read_queries(folder):
    queries = []
    for path in sorted(glob.glob(folder + "/q*.sql")):
        with open(path, encoding="utf-8") as file:
            queries.append({"name": os.path.basename(path)[:-4], "sql": file.read().strip()})
    return queries


def make(name, scale, rows):
    """The suite as the workers want it: a folder, tables with files, a SQLite file, queries."""
    if name == "tpch":
        label, source = f"tpch-{scale:g}", None
        definition = os.path.join(HERE, "queries", "tpch")
        command = ["tpch_generate", f"{scale:g}"]
    elif name == "web":
        label, source = f"web-{rows}", None
        definition = os.path.join(HERE, "queries", "web")
        command = ["web_generate", str(rows)]
    else:
        definition = source = os.path.abspath(name)
        label = os.path.basename(definition)
        command = None
    folder = os.path.join(DATA, label)
    os.makedirs(folder, exist_ok=True)
    if command is not None:
        source = folder
        if not glob.glob(folder + "/*.tbl") and not glob.glob(folder + "/*.csv"):
            subprocess.run([os.path.join(GENERATORS, command[0]), command[1], folder], check=True)
    schema = os.path.join(definition, "schema.sql")
    tables = read_schema(schema)
    attach_files(tables, source, folder)
    database = os.path.join(folder, "suite.db")
    seconds = load_sqlite(database, schema, tables)
    queries = os.path.join(definition, "queries")
    return {"label": label, "folder": folder, "tables": tables, "sqlite": database,
            "sqlite_seconds": seconds,
            "queries": read_queries(queries if os.path.isdir(queries) else definition)}
