#!/usr/bin/env python3
"""Runs a benchmark suite on Braid and its peers. See bench/README.md."""
import argparse
import collections
import os
import re
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import htap  # noqa: E402
import report  # noqa: E402
import suites  # noqa: E402
import systems  # noqa: E402

LAST_LIMIT = re.compile(r"\bLIMIT\s+\d+(\s+OFFSET\s+\d+)?\s*;?\s*$", re.I)


def peer_python(wanted):
    """A Python that has the peers: a venv beside this file. None when it cannot be made."""
    venv = os.path.join(HERE, ".venv")
    python = os.path.join(venv, "bin", "python")
    if not {"duckdb", "clickhouse"} & set(wanted):
        return sys.executable
    if not os.path.exists(python):
        print("bench: installing the peers into bench/.venv", file=sys.stderr)
        done = subprocess.run([sys.executable, "-m", "venv", venv], check=False).returncode == 0 and \
            subprocess.run([python, "-m", "pip", "install", "-q", "-r",
                            os.path.join(HERE, "requirements.txt")], check=False).returncode == 0
        if not done:
            subprocess.run(["rm", "-rf", venv], check=False)
            return None
    return python


def values_agree(left, right):
    if isinstance(left, (int, float)) and isinstance(right, (int, float)):
        return abs(left - right) <= 1e-9 * max(abs(left), abs(right), 1e-3)
    return left == right or (left is None and right == 0) or str(left) == str(right)


def row_key(row):
    return [(v is None, f"{v:.6e}" if isinstance(v, (int, float)) else str(v)) for v in row]


def rows_agree(left, right):
    if len(left) != len(right):
        return False
    pairs = zip(sorted(left, key=row_key), sorted(right, key=row_key))
    return all(len(a) == len(b) and all(map(values_agree, a, b)) for a, b in pairs)


def rows_agree_but_ties(rows, judge_rows, query, judge):
    """LIMIT may keep other rows of equal rank: as many rows, all of the answer without LIMIT."""
    unlimited = LAST_LIMIT.sub("", query["sql"])
    if unlimited == query["sql"] or len(rows) != len(judge_rows):
        return False
    possible = judge.ask(op="query", sql=unlimited, rows=True).get("rows") or []
    left = collections.Counter(str(row_key(row)) for row in possible)
    left.subtract(str(row_key(row)) for row in rows)
    return min(left.values(), default=-1) >= 0


def judge_answers(query, workers, answers):
    """The systems whose answer differs from the judge's: SQLite's where it came to an end."""
    judge = next((w for name in ("sqlite", "duckdb") for w in workers
                  if w.name == name and name in answers), None)
    if judge is None:
        return []
    right = answers[judge.name]
    return [name for name, rows in answers.items() if not rows_agree(rows, right) and
            not rows_agree_but_ties(rows, right, query, judge)]


def measure_query(query, workers, runs):
    """Warm up and compare answers, then time the systems in turns."""
    outcome = {"name": query["name"], "ms": {}, "errors": {}, "wrong": [], "native": True,
               "over_limit": []}
    answers, times = {}, {}
    for worker in workers:
        answer = worker.ask(op="query", sql=query["sql"], rows=True)
        if "over_limit" in answer:
            outcome["over_limit"].append(worker.name)
            continue
        if "error" in answer:
            outcome["errors"][worker.name] = answer["error"]
            continue
        answers[worker.name] = answer["rows"]
        times[worker.name] = []
        if worker.name == "braid":
            outcome["native"] = answer["native"]
    # SQLite is slow and the judge of the answers: timing it a few times is enough.
    for turn in range(runs):
        for worker in workers:
            if worker.name in times and (worker.name != "sqlite" or turn < 2):
                times[worker.name].append(worker.ask(op="query", sql=query["sql"], rows=False)["ms"])
    outcome["ms"] = {name: statistics.median(ms) for name, ms in times.items()}
    outcome["wrong"] = judge_answers(query, workers, answers)
    return outcome


def print_query(outcome, names):
    shown = "  ".join(f"{n} {report.cell(outcome, n):>10}" for n in names)
    print(f"{outcome['name']:>5}  {shown}", flush=True)


def run_suite(options):
    suite = suites.make(options.suite, options.scale, options.rows)
    suite["limit"] = options.limit
    python = peer_python(options.systems)
    names = [n for n in options.systems if python or n in ("braid", "sqlite")]
    for name in set(options.systems) - set(names):
        print(f"bench: {name} cannot be installed here and is left out", file=sys.stderr)
    workers, loads = [], {}
    for name in names:
        worker = systems.Worker(name, python or sys.executable, suite, options.threads)
        loads[name] = worker.ask(op="load")
        if "error" in loads[name]:
            print(f"bench: {name} is left out: {loads[name]['error']}", file=sys.stderr)
            worker.close()
            continue
        print(f"bench: {name} loaded in {loads[name]['seconds']:.1f} s, "
              f"{loads[name]['bytes'] / 1e6:.1f} MB", file=sys.stderr)
        workers.append(worker)
    names = [w.name for w in workers]
    measured = []
    for query in suite["queries"]:
        if options.query and query["name"] not in options.query:
            continue
        measured.append(measure_query(query, workers, options.runs))
        print_query(measured[-1], names)
    peaks = {w.name: w.ask(op="peak").get("bytes", 0) for w in workers}
    for worker in workers:
        worker.close()
    os.makedirs(os.path.join(HERE, "results"), exist_ok=True)
    path = os.path.join(HERE, "results", options.name or suite["label"])
    about = (f"{options.threads} threads, median of {options.runs} runs, resident and warm; SQLite "
             f"is stopped after {options.limit:g} s.")
    report.write(path, suite["label"], names, measured, loads, peaks, about)
    print(report.markdown(suite["label"], names, measured, loads, peaks, about))
    return any("braid" in q["wrong"] or "braid" in q["errors"] for q in measured)


def build_programs(options, names):
    """Builds them into a folder of their own; their names and where they are."""
    source = os.path.join(HERE, "..")
    build = os.path.abspath(options.build)
    for command in (["cmake", "-S", source, "-B", build, "-G", "Ninja", "-DBRAID_TESTS=ON",
                     "-DCMAKE_BUILD_TYPE=Release"],
                    ["cmake", "--build", build, "--target", *names]):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)
        if done.returncode != 0:
            sys.exit(done.stdout + "bench: the benchmarks cannot be built")
    return [(name, os.path.join(build, name)) for name in names]


def micro_programs(options):
    """bench/micro_*.c"""
    names = sorted(os.path.splitext(n)[0] for n in os.listdir(HERE)
                   if n.startswith("micro_") and n.endswith(".c"))
    names = ["micro_htap"] if options.capture else [n for n in names if n != "micro_htap"]
    if options.only:
        names = [n for n in names if n in options.only]
    return build_programs(options, names)


def run_program(command):
    """Shows what the program prints while it runs, and gives it back."""
    lines = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    if process.returncode != 0:
        sys.exit(f"bench: {command[0]} failed")
    return "".join(lines)


def run_micro(options):
    os.makedirs(os.path.join(HERE, "results"), exist_ok=True)
    programs = micro_programs(options)
    if options.capture:
        path = os.path.join(HERE, "results", (options.name or "htap") + ".md")
        run_program([programs[0][1], "--rounds", str(options.runs), "--markdown", path])
        return 0
    parts = ["# Micro benchmarks\n\n"]
    for name, program in programs:
        print(f"== {name}", flush=True)
        parts.append(f"## {name}\n\n```\n{run_program([program])}```\n\n")
    with open(os.path.join(HERE, "results", (options.name or "micro") + ".md"), "w",
              encoding="utf-8") as out:
        out.write("".join(parts))
    return 0


def numbers(text):
    return [int(number) for number in text.split(",")]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--suite", default="tpch", help="tpch, web, or a folder")
    parser.add_argument("--scale", type=float, default=1, help="of TPC-H")
    parser.add_argument("--rows", type=int, default=1000000, help="of the web suite")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--limit", type=float, default=60, help="seconds SQLite may take for a query")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--systems", type=lambda text: text.split(","), default=systems.NAMES)
    parser.add_argument("--query", action="append", help="only this one, e.g. q06; repeatable")
    parser.add_argument("--name", help="of the report; default: the suite's")
    parser.add_argument("--micro", action="store_true", help="what bench/micro_*.c measure")
    parser.add_argument("--capture", action="store_true", help="writing, mirroring, freshness")
    parser.add_argument("--htap", action="store_true", help="transactions and queries together")
    parser.add_argument("--warehouses", type=int, default=1, help="of --htap")
    parser.add_argument("--seconds", type=float, default=4, help="of --htap, per setting")
    parser.add_argument("--rounds", type=int, default=1, help="of --htap; medians are reported")
    parser.add_argument("--transactions", type=numbers, default=[0, 1, 2],
                        help="of --htap: numbers of clients, e.g. 0,1,2,4")
    parser.add_argument("--queries", type=numbers, default=[0, 1, 2], help="the same for queries")
    parser.add_argument("--only", action="append", help="of --micro: this program; repeatable")
    parser.add_argument("--build", default=os.path.join(HERE, "..", "build-bench"),
                        help="folder to build the micro benchmarks in")
    parser.add_argument("--library", default=os.path.join(HERE, "..", "build", "libbraid.so"))
    options = parser.parse_args()
    os.environ["BRAID_LIBRARY"] = os.path.abspath(options.library)
    if options.htap:
        return htap.run(build_programs(options, ["htap"])[0][1], options)
    return run_micro(options) if options.micro or options.capture else int(run_suite(options))


if __name__ == "__main__":
    sys.exit(main())
