"""Transactions and queries on the same data: runs bench/htap's program over a grid of settings."""
import json
import os
import shutil
import statistics
import subprocess

import report

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "data")
STRICT, ANY = 0, -1


def freshness_name(freshness):
    return {STRICT: "strict", ANY: "any"}.get(freshness, f"{freshness} ms")


def settings_of(options):
    """What is run, in this order: the systems take turns, so that noise hits both."""
    for transactions in options.transactions:
        for queries in options.queries:
            if transactions + queries > 0:
                for system in ("sqlite", "braid"):
                    yield {"system": system, "api": "sqlite", "transaction_clients": transactions,
                           "query_clients": queries, "freshness": STRICT}
    for freshness in (100, ANY):
        yield {"system": "braid", "api": "sqlite", "transaction_clients": 1, "query_clients": 1,
               "freshness": freshness}
    for queries in (0, 1):
        yield {"system": "braid", "api": "braid", "transaction_clients": 1,
               "query_clients": queries, "freshness": STRICT}


def copy_durably(source, target):
    """So that the disk is quiet when the clock starts."""
    shutil.copyfile(source, target)
    with open(target, "rb") as file:
        os.fsync(file.fileno())


def prepare(program, options):
    """The same data twice, once with a columnar copy: made once."""
    folder = os.path.join(DATA, f"htap-{options.warehouses}")
    os.makedirs(folder, exist_ok=True)
    plain, mirrored = os.path.join(folder, "sqlite.db"), os.path.join(folder, "braid.db")
    if not os.path.exists(plain):
        subprocess.run([program, "make", plain + ".partial", "--warehouses",
                        str(options.warehouses)], check=True)
        os.rename(plain + ".partial", plain)
    # The copy is of this build: its capture may be another than the last one's.
    remove(mirrored)
    copy_durably(plain, mirrored)
    subprocess.run([program, "mirror", mirrored], check=True)
    return folder


def remove(path):
    shutil.rmtree(path + "-braid", ignore_errors=True)
    for suffix in ("", "-wal", "-shm"):
        if os.path.exists(path + suffix):
            os.remove(path + suffix)


def run_once(program, folder, setting, seconds):
    """On a copy, so that every setting begins with the same data."""
    source, path = os.path.join(folder, setting["system"] + ".db"), os.path.join(folder, "run.db")
    remove(path)
    copy_durably(source, path)
    if setting["system"] == "braid":
        shutil.copytree(source + "-braid", path + "-braid")
    command = [program, "run", path, "--transactions", str(setting["transaction_clients"]),
               "--queries", str(setting["query_clients"]), "--seconds", str(seconds),
               "--freshness", str(setting["freshness"])]
    command += ["--braid"] if setting["system"] == "braid" else []
    command += ["--by-braid"] if setting["api"] == "braid" else []
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    remove(path)
    return json.loads(done.stdout)


def median_of(results):
    """Each figure's median over the rounds."""
    merged = dict(results[0])
    for name, value in results[0].items():
        if isinstance(value, float) or name == "new_orders_per_minute":
            merged[name] = statistics.median(r[name] for r in results)
        elif isinstance(value, list):
            merged[name] = [statistics.median(column) for column in zip(*(r[name] for r in results))]
    return merged


def find(measured, **wanted):
    wanted = {"api": "sqlite", "freshness": STRICT, **wanted}
    return next((m for m in measured if all(m[k] == v for k, v in wanted.items())), None)


def alone(measured, one):
    """The same transactions without queries."""
    return find(measured, system=one["system"], api=one["api"], query_clients=0,
                transaction_clients=one["transaction_clients"])


def ratio(one, other, of):
    return of(one) / of(other) if one and other and of(other) > 0 else None


def shown(value, form=".2f"):
    return "-" if value is None else f"{value:{form}}"


def label(one):
    name = one["system"]
    if one["api"] == "braid":
        name += ", transactions through braid.h"
    if one["freshness"] != STRICT:
        name += ", " + freshness_name(one["freshness"])
    return name


def row_of(measured, one):
    base = alone(measured, one)
    has_both = one["transaction_clients"] > 0 and one["query_clients"] > 0
    cells = [label(one), str(one["transaction_clients"]), str(one["query_clients"])]
    if one["transaction_clients"] > 0:
        p50, _, p99, _ = one["latency_us"]
        cells += [f"{one['tps']:.0f}", shown(ratio(one, base, lambda m: m["tps"]) if has_both else None),
                  f"{p50:.0f}", f"{p99:.0f}",
                  shown(ratio(one, base, lambda m: m["latency_us"][2]) if has_both else None)]
    else:
        cells += ["-"] * 5
    if one["query_clients"] > 0:
        age, probe = one["age_ms"], one["probe_ms"]
        cells += [f"{one['qps']:.2f}", f"{one['geometric_mean_ms']:.1f}",
                  " / ".join(f"{age[i]:.1f}" for i in (0, 2, 3)) if has_both else "-",
                  " / ".join(f"{probe[i]:.2f}" for i in (0, 2))]
    else:
        cells += ["-"] * 4
    return "| " + " | ".join(cells) + " |"


def summary(measured):
    lines = []
    for system in ("sqlite", "braid"):
        both = find(measured, system=system, transaction_clients=1, query_clients=1)
        if both is None or alone(measured, both) is None:
            continue
        base = alone(measured, both)
        lines.append(f"- {system}: with one core's worth of queries one client keeps "
                     f"{ratio(both, base, lambda m: m['tps']):.2f} of its transactions per second, "
                     f"p99 is {ratio(both, base, lambda m: m['latency_us'][2]):.2f} times what it is "
                     f"alone.")
    plain = find(measured, system="sqlite", transaction_clients=1, query_clients=0)
    captured = find(measured, system="braid", transaction_clients=1, query_clients=0)
    if plain and captured:
        lines.append(f"- Capture alone leaves {captured['tps'] / plain['tps']:.2f} of plain SQLite's "
                     "transactions per second.")
    return lines


def markdown(measured, about):
    lines = ["# Transactions and queries on the same data", "", about, ""] + summary(measured) + [""]
    header = ["system", "transaction clients", "query clients", "transactions/s", "of those alone",
              "p50 us", "p99 us", "p99 to alone", "queries/s", "query ms (geometric mean)",
              "age of data ms: p50 / p99 / max", "small query ms: p50 / p99"]
    lines += ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += [row_of(measured, one) for one in measured]
    lines += ["", "Transactions: TPC-C's mix, by SQLite's API, one process per client. Queries: the 22 of "
              "CH-benCHmark, one thread per client; for Braid with `--engine olap` and strict "
              "freshness unless said otherwise. Age: how long ago the first transaction committed "
              "that a query does not see, 0 if it sees all; asked by a small query, whose time "
              "includes bringing the copy up to date, before each of the 22."]
    return "\n".join(lines) + "\n"


def axis_end(value):
    """A round number above the value."""
    step = 10 ** (len(str(int(value))) - 1)
    while step * 2 <= value:
        step *= 2
    return step if value <= step else step * 2


def chart(measured):
    """The frontier: transactions against queries per second; a line per number of clients."""
    width, height, left, bottom, top = 820, 460, 60, 50, 50
    points = [m for m in measured if m["api"] == "sqlite" and m["freshness"] == STRICT]
    x_end = axis_end(max(max(m["tps"] for m in points), 1))
    y_end = axis_end(max(max(m["qps"] for m in points), 1))

    def place(one):
        return (left + (width - left - 30) * one["tps"] / x_end,
                height - bottom - (height - bottom - top) * one["qps"] / y_end)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
             'font-family="sans-serif" font-size="11">',
             f'<rect width="{width}" height="{height}" fill="white"/>',
             f'<text x="{left}" y="16" font-size="14">Transactions against queries; '
             'N+M: clients of each</text>']
    for i, system in enumerate(("sqlite", "braid")):
        parts.append(f'<rect x="{left + 110 * i}" y="24" width="10" height="10" '
                     f'fill="{report.COLOURS[system]}"/><text x="{left + 110 * i + 14}" y="33">'
                     f'{system}</text>')
    for i in range(5):
        x, y = place({"tps": x_end * i / 4, "qps": y_end * i / 4})
        parts.append(f'<line x1="{x:.0f}" x2="{x:.0f}" y1="{top}" y2="{height - bottom}" stroke="#ddd"/>'
                     f'<text x="{x:.0f}" y="{height - bottom + 14}" text-anchor="middle">'
                     f'{x_end * i / 4:g}</text>'
                     f'<line x1="{left}" x2="{width - 30}" y1="{y:.0f}" y2="{y:.0f}" stroke="#ddd"/>'
                     f'<text x="{left - 6}" y="{y + 4:.0f}" text-anchor="end">{y_end * i / 4:g}</text>')
    parts.append(f'<text x="{width / 2}" y="{height - 12}" text-anchor="middle">transactions/s</text>'
                 f'<text x="14" y="{height / 2}" transform="rotate(-90 14 {height / 2})" '
                 'text-anchor="middle">queries/s</text>')
    for system in ("sqlite", "braid"):
        for count in sorted({m["transaction_clients"] for m in points}):
            line = [m for m in points if m["system"] == system and m["transaction_clients"] == count]
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(place, line))
            parts.append(f'<polyline points="{path}" fill="none" stroke="{report.COLOURS[system]}"/>')
            for one in line:
                x, y = place(one)
                parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{report.COLOURS[system]}"/>'
                             f'<text x="{x + 5:.1f}" y="{y - 4:.1f}" font-size="9">'
                             f'{one["transaction_clients"]}+{one["query_clients"]}</text>')
    return "\n".join(parts + ["</svg>"]) + "\n"


def run(program, options):
    folder = prepare(program, options)
    settings = list(settings_of(options))
    results = [[] for _ in settings]
    for _ in range(options.rounds):
        for setting, found in zip(settings, results):
            found.append(run_once(program, folder, setting, options.seconds))
            print(row_of(found, found[-1]), flush=True)
    measured = [median_of(found) for found in results]
    about = (f"{options.warehouses} warehouse(s), {options.seconds:g} s per setting, median of "
             f"{options.rounds} round(s), {len(os.sched_getaffinity(0))} CPUs, WAL with "
             "synchronous=NORMAL.")
    os.makedirs(os.path.join(HERE, "results"), exist_ok=True)
    path = os.path.join(HERE, "results", options.name or "ch")
    with open(path + ".md", "w", encoding="utf-8") as file:
        file.write(markdown(measured, about))
    with open(path + ".svg", "w", encoding="utf-8") as file:
        file.write(chart(measured))
    print(markdown(measured, about))
    return 0
