"""The results of one bench/run: a JSON file, and the tables it prints."""
import json

from .contestants import CONTESTANTS
from .scenarios import in_words
from .spread import by_repeat, spread

OTHERS_CPU_SHARE_MAX = 0.1  # of one CPU; above it a measurement says more about the rest of the machine

VERDICTS = {"aim": "reached the aim", "must": "reached the must", "missed": "MISSED"}


def write(path, results):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")


def number(value):
    """Three figures that matter."""
    if value is None:
        return "–"
    size = abs(value)
    if size == 0 or size >= 1000:
        return f"{value:.0f}"
    if size >= 100:
        return f"{value:.0f}"
    if size >= 10:
        return f"{value:.1f}"
    if size >= 0.01:
        return f"{value:.2f}"
    return f"{value:.2g}"


def syscalls_tool(runs):
    """How system calls were counted, in words, e.g. strace, 5 sessions; empty when they were not."""
    made = [run["measure"] for run in runs if run["scenario"] == "syscalls" and "measure" in run]
    return "; ".join(dict.fromkeys(f"{measure['tool']}, {measure['sessions']} sessions" for measure in made))


def between(found):
    """Median, least and greatest, e.g. 0.94 (0.92–0.97)."""
    if not found:
        return "–"
    return f"{number(found['median'])} ({number(found['min'])}–{number(found['max'])})"


def targets_table(judged):
    lines = ["| target | must | aim | median (min–max) | |", "|---|---|---|---|---|"]
    for target in judged:
        if not target["value"]:
            continue
        sign = "≤" if target["less_is_better"] else "≥"
        beside = f"; {target['beside']}" if target["beside"] else ""
        unit = f" {target['unit']}" if target["unit"] == "KiB" else ""
        lines.append(f"| {target['what']} | {sign} {target['must']:g} | {sign} {target['aim']:g} | {between(target['value'])}{unit}{beside} "
                     f"| {VERDICTS[target['verdict']]} |")
    left_out = not_measured(judged)
    return "\n".join(lines) + (f"\n\n{left_out}" if left_out else "")


def not_measured(judged):
    """The targets that a run said nothing about, in one sentence; empty when there are none."""
    names = [target["what"] for target in judged if not target["value"]]
    return f"Not measured in this run: {'; '.join(names)}." if names else ""


# Columns of the table of a scenario: (heading, path in the measure, factor).
STREAM_COLUMNS = (("CPU a frame µs", "cpu_us_a_frame", 1), ("CPU share", "cpu_share", 1), ("p50 ms", "latency_us.p50", 1e-3), ("p90 ms", "latency_us.p90", 1e-3),
                  ("p99 ms", "latency_us.p99", 1e-3), ("p99.9 ms", "latency_us.p99_9", 1e-3), ("switches a frame", "voluntary_switches_a_frame", 1),
                  ("RSS MiB", "rss_kib", 1 / 1024), ("frames/s", "frames_a_second", 1), ("generator µs", "generator_cpu_us_a_frame", 1),
                  ("generator late ms, p99", "generator_lag_us.p99", 1e-3),
                  ("damaged", "damaged", 1))
COLUMNS = {
    "syscalls": (("system calls a frame", "syscalls_a_frame", 1),),
    "allocations": (("allocations a frame", "allocations_a_frame", 1),),
    "memory": (("KiB a session, peak", "talking_kib_a_session", 1), ("KiB a session, silent again", "idle_kib_a_session", 1),
               ("PSS, silent again", "idle_pss_kib_a_session", 1), ("process before, MiB", "base_rss_kib", 1 / 1024)),
    "warm_pool": (("connect → session.created ms, p50", "created_us.p50", 1e-3), ("p99", "created_us.p99", 1e-3)),
    "base64": (("memcpy GB/s", "gb_a_second.memcpy", 1), ("encode ÷ memcpy", "encode_of_memcpy", 1), ("decode ÷ memcpy", "decode_of_memcpy", 1)),
    "capacity": (("sessions with p99 in the limit", "sessions_within_limit", 1),),
}


def columns_of(scenario):
    return COLUMNS.get(scenario, STREAM_COLUMNS)


def scenario_rows(runs, scenario):
    """(contestant's label, setting in words, [spread of each column]) of one scenario."""
    met = dict.fromkeys((run["contestant"], json.dumps(run["setting"])) for run in runs if run["scenario"] == scenario)
    order = list(CONTESTANTS)
    settings = list(dict.fromkeys(setting for _, setting in met))
    for contestant, words in sorted(met, key=lambda pair: (settings.index(pair[1]), order.index(pair[0]) if pair[0] in order else 99)):
        setting = json.loads(words)
        cells = []
        for _, path, factor in columns_of(scenario):
            found = by_repeat(runs, scenario, contestant, path, **setting)
            cells.append(spread(value * factor for value in found.values()))
        label = CONTESTANTS[contestant].label if contestant in CONTESTANTS else contestant
        yield label, _work_done(runs, scenario, contestant, setting), cells


def _work_done(runs, scenario, contestant, setting):
    """The setting in words; for system calls with the sessions that there really were, and what counted."""
    if scenario != "syscalls":
        return in_words(setting)
    of_these = [run for run in runs if run["scenario"] == scenario and run["contestant"] == contestant and run["setting"] == setting]
    done = [run["measure"] for run in of_these if "measure" in run]
    return "; ".join(dict.fromkeys(f"{in_words(setting | {'sessions': made['sessions']})}, {made['tool']}" for made in done)) or in_words(setting)


def scenario_table(runs, scenario):
    headings = [heading for heading, _, _ in columns_of(scenario)]
    lines = ["| | work | " + " | ".join(headings) + " |", "|---|---|" + "---|" * len(headings)]
    for label, words, cells in scenario_rows(runs, scenario):
        lines.append(f"| {label} | {words} | " + " | ".join(between(cell) for cell in cells) + " |")
    return "\n".join(lines)


def step_line(step, made):
    """What the progress says of a step that is done."""
    parts = []
    for path, text in (("cpu_us_a_frame", "{:.1f} µs CPU a frame"), ("syscalls_a_frame", "{:.2f} system calls a frame"),
                       ("allocations_a_frame", "{:.2f} allocations a frame"), ("talking_kib_a_session", "{:.0f} KiB a session"),
                       ("encode_of_memcpy", "encode {:.2f} of memcpy"), ("decode_of_memcpy", "decode {:.2f}"),
                       ("sessions_within_limit", "{:.0f} sessions"), ("created_us.p50", "{:.0f} µs to session.created"),
                       ("latency_us.p50", "p50 {:.0f} µs"), ("latency_us.p99", "p99 {:.0f} µs")):
        value = made
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if value is not None:
            parts.append(text.format(value))
    if "tool" in made:
        parts.append(f"{made['tool']}, {made['sessions']} sessions")
    if made.get("damaged"):
        parts.append(f"{made['damaged']} FRAMES DAMAGED")
    if made.get("others_cpu_share", 0) > OTHERS_CPU_SHARE_MAX:
        parts.append(f"disturbed: other programs used {made['others_cpu_share']:.0%} of a CPU")
    elif made.get("generator_was_late"):
        parts.append("the generator was late")
    return ", ".join(parts)
