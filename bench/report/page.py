"""Puts the results into template.html: one file, no script, nothing from outside."""
import html
import pathlib
import string

from runner import results as tables
from runner.contestants import CONTESTANTS
from runner.results import between, number
from runner.scenarios import in_words
from runner.spread import spread
from runner.targets import LATENCY_ROOM_US, added_latency, latency_above_nginx

from . import bullet, plots

TEMPLATE = pathlib.Path(__file__).with_name("template.html")
VERDICT_WORDS = {"aim": "aim reached", "must": "must reached", "missed": "missed"}


def render(collected):
    """The page as text."""
    meta, runs, targets = collected["meta"], collected["runs"], collected["targets"]
    return string.Template(TEMPLATE.read_text()).substitute(
        summary=_summary(meta, targets),
        tiles="".join(_tiles(runs, targets)),
        targets="".join(_target_row(target) for target in targets if target["value"]),
        not_measured=html.escape(tables.not_measured(targets)),
        charts="".join(_charts(runs)),
        tables="".join(_tables(runs, meta)),
        failures=_failures(runs, meta),
        machine=_definitions(_machine(meta)),
        command=html.escape(meta["command"]),
        started=html.escape(meta["started"].replace("T", " ").replace("Z", " UTC")),
    )


def _summary(meta, targets):
    counts = {verdict: sum(target["verdict"] == verdict for target in targets) for verdict in VERDICT_WORDS}
    measured = sum(target["verdict"] is not None for target in targets)
    if not measured:
        return "No target was measured in this run."
    words = [f"Of {measured} targets measured, <b>{counts['aim']}</b> reach their aim"]
    if counts["must"]:
        words.append(f"<b>{counts['must']}</b> their must")
    words.append(f"<b>{counts['missed']}</b> {'misses' if counts['missed'] == 1 else 'miss'}" if counts["missed"] else "none misses")
    text = ", ".join(words) + "."
    return text + (" A quick run: two repeats and short windows, a look rather than a result." if meta["quick"] else "")


def _tiles(runs, targets):
    by_key = {target["key"]: target for target in targets}

    def tile(key, figure, words):
        verdict = by_key[key]["verdict"]
        return _tile(verdict, VERDICT_WORDS[verdict], figure, words)

    def times(key):
        return f"{by_key[key]['value']['median']:.2f}<small>×</small>"

    if by_key["cpu_nginx_100"]["value"]:
        yield tile("cpu_nginx_100", times("cpu_nginx_100"), "of nginx’s CPU a frame, one CPU, 100 sessions; nginx only passes bytes on")
    if by_key["cpu_node_100"]["value"]:
        yield tile("cpu_node_100", times("cpu_node_100"), "of a Node relay’s CPU a frame, the same work")
    added = spread(added_latency(runs, "repartee"))
    if added:
        yield _tile(*_latency_verdict(runs), f"{added['median']:+.0f}<small>µs</small>",
                    "median latency there and back, above a direct connection; 200 sessions")
    if by_key["memory_1000"]["value"]:
        yield tile("memory_1000", f"{by_key['memory_1000']['value']['median']:.0f}<small>KiB</small>", "of memory a session with 1000 sessions, both sockets and TLS in it")


def _tile(verdict, verdict_words, figure, words):
    return (f'<div class="tile {verdict}"><div class="figure">{figure}</div><div class="words">{words}</div>'
            f'<div class="verdict">{verdict_words}</div></div>')


def _latency_verdict(runs):
    """(verdict, words) of the latency alone: the target it belongs to judges the CPU time as well."""
    more = latency_above_nginx(runs)
    if not more:
        return "", "nginx was not measured beside it"
    return ("aim" if more["median"] <= LATENCY_ROOM_US else "missed"), f"{more['median']:+.0f} µs against nginx, {LATENCY_ROOM_US} allowed"


def _target_row(target):
    sign = "≤" if target["less_is_better"] else "≥"
    verdict = target["verdict"]
    unit = f" {target['unit']}" if target["unit"] == "KiB" else ""
    found = target["value"]
    value = f"<b>{number(found['median'])}{unit}</b>"
    between_words = f"{number(found['min'])}–{number(found['max'])}, n {found['n']}" if found["n"] > 1 else ""
    beside = f'<div class="beside">{html.escape(target["beside"])}</div>' if target["beside"] else ""
    return (f'<tr><td>{html.escape(target["what"])}{beside}</td><td class="num">{value}<div class="beside">{between_words}</div></td>'
            f'<td class="bullet">{bullet.draw(target)}</td>'
            f'<td class="num">{sign} {target["must"]:g}</td><td class="num">{sign} {target["aim"]:g}</td>'
            f'<td><span class="pill {verdict}">{VERDICT_WORDS[verdict]}</span></td></tr>')


CHARTS = (
    (plots.cpu, "CPU time a frame", "User and system time of the relay’s processes over the window, divided by the frames that clients sent and received. The whiskers go from "
     "the least to the greatest of the repeats. nginx and HAProxy pass bytes on and do TLS; Repartee and the Node relay also turn PCM frames into JSON events and back."),
    (plots.latency, "Latency", "From the instant a client’s 20 ms frame is due to the moment its echo is back, 200 sessions, the relay on a CPU of its own. Logarithmic. "
     "Coalescing buys CPU with latency, so its two figures belong together."),
    (plots.memory, "Memory against sessions", "Resident memory that the sessions add to the relay’s process at its peak, while all connect and speak; on the right what one of 1000 costs."),
    (plots.ramp, "How many on one CPU", "The slowest hundredth of the 100 ms frames, step by step more sessions, with relay, clients and upstream all on one CPU. "
     "Thin lines are single repeats. Logarithmic."),
    (plots.syscalls, "System calls a frame", "Counted in a run of its own, 20 ms frames, the relay on a CPU of its own. "
     "The more sessions there are, the more of them one wake-up serves."),
    (plots.base64, "Base64", "PCM a second on one core, 64 KiB pieces from the L2 cache. Which kernel runs is chosen when the program starts."),
)


def _charts(runs):
    for draw, title, words in CHARTS:
        drawn = draw(runs)
        if drawn:
            counted = f" Here: {html.escape(tables.syscalls_tool(runs))}." if draw is plots.syscalls else ""
            yield f"<section><h2>{title}</h2><p>{words}{counted}</p>{drawn}</section>"


def _tables(runs, meta):
    for scenario in dict.fromkeys(run["scenario"] for run in runs):
        headings = "".join(f"<th>{html.escape(heading)}</th>" for heading, _, _ in tables.columns_of(scenario))
        rows = []
        for label, words, cells in tables.scenario_rows(runs, scenario):
            cells_html = "".join(f'<td class="num" title="{between(cell)}">{_cell(cell)}</td>' for cell in cells)
            rows.append(f"<tr><td>{html.escape(label)}</td><td>{words}</td>{cells_html}</tr>")
        title = html.escape(meta["titles"].get(scenario, scenario))
        yield (f'<details><summary>{title}</summary><div class="wide"><table><thead><tr><th></th><th>work</th>{headings}</tr></thead>'
               f'<tbody>{"".join(rows)}</tbody></table></div></details>')


def _cell(found):
    if not found:
        return "–"
    if found["n"] == 1 or found["min"] == found["max"]:
        return number(found["median"])
    return f'{number(found["median"])}<div class="beside">{number(found["min"])}–{number(found["max"])}</div>'


def _failures(runs, meta):
    failed = [run for run in runs if "error" in run]
    parts = [f"<li>{html.escape(CONTESTANTS[key].label)} did not take part: {html.escape(reason)}</li>" for key, reason in meta["absent"].items()]
    parts += [f'<li>{html.escape(run["scenario"])}, {html.escape(run["contestant"])}, {html.escape(in_words(run["setting"]))}, repeat {run["repeat"]}'
              f'<pre>{html.escape(run["error"])}</pre></li>' for run in failed]
    disturbed = sum(run.get("measure", {}).get("others_cpu_share", 0) > tables.OTHERS_CPU_SHARE_MAX for run in runs)
    if disturbed:
        parts.append(f"<li>In {disturbed} of {len(runs)} measurements other programs used more than {tables.OTHERS_CPU_SHARE_MAX:.0%} of a CPU that was measured on.</li>")
    return f"<section><h2>What went wrong</h2><ul>{''.join(parts)}</ul></section>" if parts else ""


def _machine(meta):
    machine, versions = meta["machine"], meta["versions"]
    yield "CPU", f"{machine['cpus']} × {machine['cpu']}{', virtual' if machine['virtual'] else ''}"
    yield "memory", f"{machine['memory_gib']} GiB"
    yield "system", f"{machine['system']}, Linux {machine['kernel']}"
    yield "commit", meta["commit"] or "unknown"
    for name, version in versions.items():
        if version:
            yield name, version


def _definitions(pairs):
    return "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(str(value))}</dd>" for name, value in pairs)
