"""The pictures of the report. Each takes the runs and gives an SVG, or None when what it shows was not measured."""
from runner.contestants import CONTESTANTS
from runner.results import number
from runner.spread import by_repeat, spread

from . import svg

WIDTH = 760
LABELS = 172  # room left of the bars
VALUES = 170  # and right of them


def colour(contestant):
    return f"var(--{contestant})"


def label(contestant):
    return CONTESTANTS[contestant].label


def present(runs, scenario, path, **setting):
    """{contestant: spread} in the order of the contestants."""
    found = {}
    for contestant in CONTESTANTS:
        value = spread(by_repeat(runs, scenario, contestant, path, **setting).values())
        if value:
            found[contestant] = value
    return found


def _name(contestant, x, y):
    return svg.text(x, y, label(contestant), "name ours" if contestant in ("repartee", "coalescing") else "name", "end")


def cpu(runs):
    """CPU time a frame: a group of bars for each setting, the repeats' spread on each bar."""
    groups = [("50 sessions × 20 ms, one CPU for everything", present(runs, "cpu_one", "cpu_us_a_frame", sessions=50)),
              ("100 sessions × 20 ms, one CPU for everything", present(runs, "cpu_one", "cpu_us_a_frame", sessions=100)),
              ("200 sessions × 20 ms, the relay on a CPU of its own", present(runs, "latency_own_cpu", "cpu_us_a_frame"))]
    groups = [(title, bars) for title, bars in groups if bars]
    if not groups:
        return None
    steps = svg.round_steps(max(value["max"] for _, bars in groups for value in bars.values()))
    x = svg.linear(0, steps[-1], LABELS, WIDTH - VALUES)
    height = sum(30 + 24 * len(bars) + 14 for _, bars in groups) + 26
    parts = _vertical_grid(steps, x, 22, height - 26, "µs")
    y = 8
    for title, bars in groups:
        parts.append(svg.text(LABELS, y + 10, title, "group"))
        y += 22
        for contestant, value in bars.items():
            tip = f"{label(contestant)}: {number(value['median'])} µs a frame, {number(value['min'])} to {number(value['max'])} in {value['n']} repeats"
            parts += [_name(contestant, LABELS - 8, y + 14), svg.bar(LABELS, y + 3, max(x(value["median"]) - LABELS, 1), 15, colour(contestant), tip),
                      svg.whisker(x(value["min"]), x(value["max"]), y + 10.5)]
            end = max(x(value["max"]), x(value["median"])) + 9
            parts.append(svg.text(end, y + 15, f"{number(value['median'])} µs", "value"))
            if "nginx" in bars and contestant != "nginx":
                parts.append(svg.text(end + 58, y + 15, f"{value['median'] / bars['nginx']['median']:.2f} × nginx", "soft"))
            y += 24
        y += 22
    return svg.picture(WIDTH, height, parts, "CPU time a frame by contestant")


def _vertical_grid(steps, x, top, bottom, unit):
    parts = []
    for step in steps:
        parts += [svg.line(x(step), top, x(step), bottom, "grid"), svg.text(x(step), bottom + 16, f"{step:g}" + (f" {unit}" if step == steps[-1] else ""), "tick", "middle")]
    return parts


QUANTILES = (("p50", "median"), ("p90", "90 %"), ("p99", "99 %"), ("p99_9", "99.9 %"))


def latency(runs):
    """Latency there and back at each quantile; the median of the repeats."""
    curves = {}
    for contestant in CONTESTANTS:
        points = [spread(by_repeat(runs, "latency_own_cpu", contestant, f"latency_us.{quantile}").values()) for quantile, _ in QUANTILES]
        if all(points):
            curves[contestant] = [point["median"] / 1000 for point in points]
    if not curves:
        return None
    height, top, bottom, left, right = 340, 16, 296, 60, WIDTH - 160
    steps = svg.decade_steps(min(map(min, curves.values())), max(map(max, curves.values())))
    y = svg.logarithmic(steps[0], steps[-1], bottom, top)
    x = svg.linear(0, len(QUANTILES) - 1, left + 10, right)
    parts = _horizontal_grid(steps, y, left, right, "ms")
    parts += [svg.text(x(i), bottom + 20, words, "tick", "middle") for i, (_, words) in enumerate(QUANTILES)]
    for contestant, values in curves.items():
        points = [(x(i), y(value)) for i, value in enumerate(values)]
        parts.append(svg.polyline(points, colour(contestant), 3 if contestant == "repartee" else 2, contestant == "direct"))
        parts += [svg.dot(*point, colour(contestant), f"{label(contestant)}, {words}: {number(value)} ms")
                  for point, value, (_, words) in zip(points, values, QUANTILES)]
    parts += _end_labels({contestant: (right + 12, y(values[-1])) for contestant, values in curves.items()})
    return svg.picture(WIDTH, height, parts, "Latency quantiles by contestant")


def _horizontal_grid(steps, y, left, right, unit):
    parts = []
    for step in steps:
        parts += [svg.line(left, y(step), right, y(step), "grid"),
                  svg.text(left - 8, y(step) + 4, f"{step:g}" + (f" {unit}" if step == steps[-1] else ""), "tick", "end")]
    return parts


def _end_labels(ends, names=None):
    """A name beside the end (x, y) of each curve, moved apart where they would overlap."""
    places = svg.labels_apart([y for _, y in ends.values()], 17)
    labels = []
    for (contestant, (x, _)), y in zip(ends.items(), places):
        cls = "end ours" if contestant in ("repartee", "coalescing") else "end"
        labels.append(svg.text(x, y + 4, names[contestant] if names else label(contestant), cls, style=f"fill:{colour(contestant)}"))
    return labels


def memory(runs):
    """What sessions add to the process, against how many there are."""
    curves = {}
    for contestant in CONTESTANTS:
        points = [(0, 0.0, None)]
        for sessions in (200, 1000):
            value = spread(by_repeat(runs, "memory", contestant, "talking_kib_a_session", sessions=sessions).values())
            if value:
                points.append((sessions, value["median"] * sessions / 1024, value["median"]))
        if len(points) > 1:
            curves[contestant] = points
    if not curves:
        return None
    height, top, bottom, left, right = 340, 16, 296, 60, WIDTH - 190
    steps = svg.round_steps(max(mib for points in curves.values() for _, mib, _ in points))
    y = svg.linear(0, steps[-1], bottom, top)
    x = svg.linear(0, 1000, left, right)
    parts = _horizontal_grid(steps, y, left, right, "MiB")
    parts += [svg.text(x(sessions), bottom + 20, f"{sessions} sessions" if sessions else "0", "tick", "middle") for sessions in (0, 200, 1000)]
    for contestant, points in curves.items():
        places = [(x(sessions), y(mib)) for sessions, mib, _ in points]
        parts.append(svg.polyline(places, colour(contestant), 3 if contestant == "repartee" else 2))
        parts += [svg.dot(*place, colour(contestant), f"{label(contestant)}, {sessions} sessions: {number(mib)} MiB, {number(each)} KiB each")
                  for place, (sessions, mib, each) in zip(places, points) if each]
    parts += _end_labels({contestant: (right + 12, y(points[-1][1])) for contestant, points in curves.items()},
                         {contestant: f"{label(contestant)} · {number(points[-1][2])} KiB" for contestant, points in curves.items()})
    return svg.picture(WIDTH, height, parts, "Memory against the number of sessions")


def ramp(runs):
    """The slowest hundredth of the frames against the number of sessions; one thin curve a repeat, their median strong."""
    curves = {}
    limit_ms = None
    for run in runs:
        if run["scenario"] == "capacity" and "measure" in run:
            limit_ms = run["setting"]["p99_limit_ms"]
            curves.setdefault(run["contestant"], []).append([(step["sessions"], max(step["p99_us"], 1) / 1000) for step in run["measure"]["steps"]])
    curves = {contestant: curves[contestant] for contestant in CONTESTANTS if contestant in curves}
    if not curves:
        return None
    height, top, bottom, left, right = 360, 16, 312, 60, WIDTH - 150
    points = [point for repeats in curves.values() for repeat in repeats for point in repeat]
    steps = svg.decade_steps(min(ms for _, ms in points), min(max(max(ms for _, ms in points), limit_ms), 500))
    y = svg.logarithmic(steps[0], steps[-1], bottom, top)
    most = svg.round_steps(max(sessions for sessions, _ in points))
    x = svg.linear(0, most[-1], left, right)
    parts = _horizontal_grid(steps, y, left, right, "ms")
    parts += [svg.text(x(sessions), bottom + 20, f"{sessions:g}" + (" sessions" if sessions == most[-1] else ""), "tick", "middle") for sessions in most]
    parts += [svg.line(left, y(limit_ms), right, y(limit_ms), "limit"), svg.text(left + 6, y(limit_ms) - 6, f"the limit, {limit_ms} ms", "soft")]
    ends, names = {}, {}
    for contestant, repeats in curves.items():
        parts += [f'<g opacity="0.3">{svg.polyline([(x(s), y(min(ms, steps[-1]))) for s, ms in repeat], colour(contestant), 1)}</g>' for repeat in repeats]
        by_sessions = {}
        for sessions, ms in (point for repeat in repeats for point in repeat):
            by_sessions.setdefault(sessions, []).append(ms)
        middle = [(sessions, spread(values)["median"]) for sessions, values in sorted(by_sessions.items()) if len(values) * 2 >= len(repeats)]
        if not middle:
            continue
        parts.append(svg.polyline([(x(s), y(min(ms, steps[-1]))) for s, ms in middle], colour(contestant), 3 if contestant == "repartee" else 2))
        ends[contestant] = (x(middle[-1][0]) + 9, y(min(middle[-1][1], steps[-1])))
        sessions = spread(by_repeat(runs, "capacity", contestant, "sessions_within_limit").values())["median"]
        parts.append(svg.dot(x(sessions), y(limit_ms), colour(contestant), f"{label(contestant)}: {sessions:.0f} sessions within the limit", 5))
        names[contestant] = f"{label(contestant)} · {sessions:.0f}"
    parts += _end_labels(ends, names)
    return svg.picture(WIDTH, height, parts, "p99 latency against the number of sessions")


# What a call is for decides its shade: reading, writing, waiting, other.
KINDS = (("reading", {"read", "readv", "recvfrom", "recvmsg"}, 1.0), ("writing", {"write", "writev", "sendto", "sendmsg"}, 0.68),
         ("waiting", {"epoll_wait", "epoll_pwait", "io_uring_enter"}, 0.42), ("other", None, 0.22))


def syscalls(runs):
    """System calls a frame, stacked by what they are for."""
    totals = present(runs, "syscalls", "syscalls_a_frame")
    if not totals:
        return None
    steps = svg.round_steps(max(value["median"] for value in totals.values()))
    x = svg.linear(0, steps[-1], LABELS, WIDTH - VALUES + 60)
    height = 30 * len(totals) + 62
    parts = _vertical_grid(steps, x, 26, height - 26, "a frame")
    at = LABELS
    for kind, _, opacity in KINDS:
        parts += [svg.block(at, 2, 12, 12, "var(--text)", opacity), svg.text(at + 17, 12, kind, "soft")]
        at += 90
    for row, (contestant, total) in enumerate(totals.items()):
        y = 34 + 30 * row
        parts.append(_name(contestant, LABELS - 8, y + 15))
        begin = 0.0
        for kind, count, opacity, names in _stack(runs, contestant, total["median"]):
            parts.append(svg.block(x(begin), y, x(begin + count) - x(begin), 20, colour(contestant), opacity, f"{label(contestant)}, {kind}: {count:.2f} a frame {names}"))
            begin += count
        parts.append(svg.text(x(total["median"]) + 8, y + 15, f"{total['median']:.2f}", "value"))
    return svg.picture(WIDTH, height, parts, "System calls a frame by contestant")


def _stack(runs, contestant, total):
    """(kind, calls a frame, shade, names), the medians of the repeats; what is not named is other."""
    counts = {}
    repeats = [run["measure"]["by_name"] for run in runs if run["scenario"] == "syscalls" and run["contestant"] == contestant and "measure" in run]
    for name in {name for repeat in repeats for name in repeat}:
        counts[name] = spread([repeat.get(name, 0) for repeat in repeats])["median"]
    left = total
    for kind, names, opacity in KINDS:
        mine = {name: count for name, count in counts.items() if names and name in names}
        count = sum(mine.values()) if names else max(left, 0)
        left -= count
        said = ", ".join(sorted(mine)) if names else ", ".join(sorted(name for name in counts if not any(others and name in others for _, others, _ in KINDS)))
        yield kind, count, opacity, f"({said})" if said else ""


def base64(runs):
    """PCM a second of each base64 kernel, beside memcpy and OpenSSL."""
    rates = {}
    for run in runs:
        if run["scenario"] == "base64" and run["setting"]["bytes"] == 65536 and "measure" in run:
            for name, rate in run["measure"]["gb_a_second"].items():
                rates.setdefault(name, []).append(rate)
    if not rates:
        return None
    rates = {name: spread(values) for name, values in rates.items()}
    steps = svg.round_steps(max(rate["max"] for rate in rates.values()))
    x = svg.linear(0, steps[-1], LABELS, WIDTH - VALUES)
    groups = [(work, {name: rate for name, rate in rates.items() if name == "memcpy" or name.startswith(f"{work}/")}) for work in ("encode", "decode")]
    height = sum(44 + 22 * len(bars) for _, bars in groups) + 26
    parts = _vertical_grid(steps, x, 22, height - 26, "GB/s")
    y = 8
    for work, bars in groups:
        parts.append(svg.text(LABELS, y + 10, work, "group"))
        y += 22
        for name, rate in bars.items():
            kernel = name.rpartition("/")[2]
            shade = "var(--direct)" if kernel == "memcpy" else "var(--haproxy)" if kernel == "openssl" else "var(--repartee)"
            parts += [svg.text(LABELS - 8, y + 13, kernel, "name", "end"), svg.bar(LABELS, y + 3, max(x(rate["median"]) - LABELS, 1), 13, shade, name),
                      svg.whisker(x(rate["min"]), x(rate["max"]), y + 9.5), svg.text(x(rate["max"]) + 9, y + 14, number(rate["median"]), "value"),
                      svg.text(x(rate["max"]) + 48, y + 14, f"{rate['median'] / rates['memcpy']['median']:.2f} × memcpy" if kernel != "memcpy" else "", "soft")]
            y += 22
        y += 22
    return svg.picture(WIDTH, height, parts, "Base64 throughput by kernel")
