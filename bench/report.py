"""Writes what a benchmark measured: Markdown, CSV and an SVG chart."""
import csv
import math

COLOURS = {"braid": "#1b7f5c", "duckdb": "#d9a400", "clickhouse": "#c8452d", "sqlite": "#5b6f8f"}


def geometric_mean(values):
    return math.exp(sum(math.log(v) for v in values) / len(values)) if values else float("nan")


def common_queries(measured, left, right):
    return [q for q in measured if q["ms"].get(left) and q["ms"].get(right)]


def cell(query, name):
    if name in query["errors"]:
        return "failed"
    if name in query["over_limit"]:
        return "over limit"
    ms = query["ms"].get(name)
    if ms is None:
        return "-"
    mark = "*" if name == "braid" and not query["native"] else ""
    mark += "!" if name in query["wrong"] else ""
    return f"{ms:.2f}{mark}"


def markdown(suite, names, measured, loads, peaks, about):
    lines = [f"# {suite}", "", about, ""]
    peers = [n for n in names if n != "braid"]
    header = ["query"] + names + [f"{p} / braid" for p in peers]
    lines += ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    for query in measured:
        row = [query["name"]] + [cell(query, n) for n in names]
        for peer in peers:
            mine, theirs = query["ms"].get("braid"), query["ms"].get(peer)
            row.append(f"{theirs / mine:.2f}" if mine and theirs else "-")
        lines.append("| " + " | ".join(row) + " |")
    lines += ["", "Median ms; `*` SQLite ran it for Braid, `!` a different answer.", ""]
    lines += ["| | " + " | ".join(names) + " |", "|" + "---|" * (len(names) + 1)]
    lines.append("| total ms | " + " | ".join(
        f"{sum(q['ms'].get(n) or 0 for q in measured):.1f}" for n in names) + " |")
    lines.append("| queries answered | " + " | ".join(
        str(sum(1 for q in measured if q["ms"].get(n))) for n in names) + " |")
    lines.append("| load s | " + " | ".join(f"{loads[n]['seconds']:.1f}" for n in names) + " |")
    lines.append("| stored MB | " + " | ".join(f"{loads[n]['bytes'] / 1e6:.1f}" for n in names) + " |")
    lines.append("| peak memory MB | " + " | ".join(f"{peaks[n] / 1e6:.0f}" for n in names) + " |")
    for peer in peers:
        both = common_queries(measured, "braid", peer)
        ratio = geometric_mean([q["ms"][peer] / q["ms"]["braid"] for q in both])
        total = sum(q["ms"]["braid"] for q in both) / max(sum(q["ms"][peer] for q in both), 1e-9)
        lines += ["", f"Against {peer} on {len(both)} queries: geometric mean of the ratios {ratio:.2f}x "
                  f"in Braid's favour, Braid's total is {total:.2f} of {peer}'s."]
    failures = [f"- {q['name']} {n}: {q['errors'][n]}" for q in measured for n in q["errors"]]
    if failures:
        lines += ["", "Failures:"] + failures
    return "\n".join(lines) + "\n"


def chart(suite, names, measured):
    """Horizontal bars on a logarithmic axis, one group per query."""
    bar, gap, left, width = 9, 8, 70, 900
    times = [v for q in measured for v in q["ms"].values() if v]
    low = 10 ** math.floor(math.log10(min(times)))
    high = 10 ** math.ceil(math.log10(max(times)))
    group = bar * len(names) + gap
    height = 60 + group * len(measured)

    def x(ms):
        return left + (width - left - 90) * math.log(ms / low) / math.log(high / low)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
             'font-family="sans-serif" font-size="11">',
             f'<rect width="{width}" height="{height}" fill="white"/>',
             f'<text x="{left}" y="16" font-size="14">{suite}: median ms per query (log scale)</text>']
    for i, name in enumerate(names):
        parts.append(f'<rect x="{left + 110 * i}" y="24" width="10" height="10" fill="{COLOURS[name]}"/>'
                     f'<text x="{left + 110 * i + 14}" y="33">{name}</text>')
    tick = low
    while tick <= high:
        parts.append(f'<line x1="{x(tick):.0f}" x2="{x(tick):.0f}" y1="40" y2="{height - 12}" '
                     f'stroke="#ddd"/><text x="{x(tick):.0f}" y="{height - 2}">{tick:g}</text>')
        tick *= 10
    for i, query in enumerate(measured):
        top = 44 + group * i
        parts.append(f'<text x="4" y="{top + group / 2}">{query["name"]}</text>')
        for k, name in enumerate(names):
            ms = query["ms"].get(name)
            if ms:
                parts.append(f'<rect x="{left}" y="{top + bar * k}" width="{max(x(ms) - left, 1):.1f}" '
                             f'height="{bar - 1}" fill="{COLOURS[name]}"/>'
                             f'<text x="{x(ms) + 3:.1f}" y="{top + bar * k + 8}" font-size="8">'
                             f'{ms:.3g}</text>')
    return "\n".join(parts + ["</svg>"]) + "\n"


def write(path, suite, names, measured, loads, peaks, about):
    with open(path + ".md", "w", encoding="utf-8") as file:
        file.write(markdown(suite, names, measured, loads, peaks, about))
    with open(path + ".svg", "w", encoding="utf-8") as file:
        file.write(chart(suite, names, measured))
    with open(path + ".csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["suite", "query", "system", "median_ms", "native", "agrees"])
        for query in measured:
            for name in names:
                writer.writerow([suite, query["name"], name, query["ms"].get(name, ""),
                                 query["native"] if name == "braid" else "", name not in query["wrong"]])
