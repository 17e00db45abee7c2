"""What is to be reached, and whether it was: one row a target, from the runs of one bench/run."""
import dataclasses

from . import results
from .spread import by_repeat, differences, ratios, spread

LATENCY_ROOM_US = 20      # the relay may add so much more than nginx does, median
COALESCING_LATENCY_US = 5000


@dataclasses.dataclass(frozen=True)
class Target:
    """`values(runs)` gives one number a repeat; `condition(runs)` gives (holds, text) for what must hold beside."""
    key: str
    what: str
    unit: str
    must: float
    aim: float
    values: object
    condition: object = None
    less_is_better: bool = True


def _cpu(runs, scenario, contestant, **setting):
    return by_repeat(runs, scenario, contestant, "cpu_us_a_frame", **setting)


def _cpu_ratio(scenario, over, under, **setting):
    return lambda runs: ratios(_cpu(runs, scenario, over, **setting), _cpu(runs, scenario, under, **setting))


def _median_latency(runs, contestant):
    return by_repeat(runs, "latency_own_cpu", contestant, "latency_us.p50")


def added_latency(runs, contestant):
    """Median latency above the direct connection's, in each repeat."""
    return differences(_median_latency(runs, contestant), _median_latency(runs, "direct"))


def latency_above_nginx(runs):
    """Spread of the median latency above nginx's; None when they were not both measured."""
    return spread(differences(_median_latency(runs, "repartee"), _median_latency(runs, "nginx")))


def _latency_within_nginx(runs):
    more = latency_above_nginx(runs)
    added = spread(added_latency(runs, "repartee"))
    if not more:
        return False, "latency not compared"
    beside = f"adds {added['median']:.0f} µs, " if added else ""
    return more["median"] <= LATENCY_ROOM_US, f"{beside}{more['median']:+.0f} µs against nginx"


def _coalescing_latency(runs):
    added = spread(added_latency(runs, "coalescing"))
    if not added:
        return False, "latency not measured"
    return added["median"] <= COALESCING_LATENCY_US, f"adds {added['median'] / 1000:.2f} ms"


def _memory(sessions):
    return lambda runs: list(by_repeat(runs, "memory", "repartee", "talking_kib_a_session", sessions=sessions).values())


def _memory_idle(sessions):
    def condition(runs):
        idle = spread(by_repeat(runs, "memory", "repartee", "idle_kib_a_session", sessions=sessions).values())
        return True, f"{idle['median']:.0f} KiB when silent again" if idle else ""
    return condition


def _scaling(runs):
    return ratios(_cpu(runs, "scaling", "repartee", sessions=1000), _cpu(runs, "scaling", "repartee", sessions=100))


def _scaling_of_nginx(runs):
    other = spread(ratios(_cpu(runs, "scaling", "nginx", sessions=1000), _cpu(runs, "scaling", "nginx", sessions=100)))
    return True, f"nginx {other['median']:.2f}" if other else ""


def _capacity(runs):
    sessions = "sessions_within_limit"
    return ratios(by_repeat(runs, "capacity", "repartee", sessions), by_repeat(runs, "capacity", "nginx", sessions))


def _damage(runs):
    return [run["measure"]["damaged"] for run in runs if run["contestant"] in ("repartee", "coalescing") and "damaged" in run.get("measure", {})]


def _frames_checked(runs):
    frames = sum(run["measure"]["frames"] for run in runs if run["contestant"] in ("repartee", "coalescing") and "damaged" in run.get("measure", {}))
    return True, f"{frames:,} frames checked"


def _warm(runs):
    created = "created_us.p50"
    return ratios(by_repeat(runs, "warm_pool", "repartee", created, warm=True), by_repeat(runs, "warm_pool", "repartee", created, warm=False))


def _base64(work):
    return lambda runs: list(by_repeat(runs, "base64", "repartee", f"{work}_of_memcpy", bytes=65536).values())


def _base64_of_a_frame(work):
    def condition(runs):
        frame = spread(by_repeat(runs, "base64", "repartee", f"{work}_of_memcpy", bytes=960).values())
        return True, f"{frame['median']:.2f} with a 20 ms frame" if frame else ""
    return condition


def _syscalls_counted(runs):
    return True, f"counted by {results.syscalls_tool(runs)}"


def _single(scenario, path):
    return lambda runs: list(by_repeat(runs, scenario, "repartee", path).values())


TARGETS = (
    Target("cpu_nginx_50", "CPU a frame ÷ nginx, one CPU, 50 × 20 ms", "×", 1.10, 0.95, _cpu_ratio("cpu_one", "repartee", "nginx", sessions=50)),
    Target("cpu_nginx_100", "CPU a frame ÷ nginx, one CPU, 100 × 20 ms", "×", 1.10, 0.95, _cpu_ratio("cpu_one", "repartee", "nginx", sessions=100)),
    Target("cpu_node_50", "CPU a frame ÷ Node relay, one CPU, 50 × 20 ms", "×", 0.50, 0.40, _cpu_ratio("cpu_one", "repartee", "node", sessions=50)),
    Target("cpu_node_100", "CPU a frame ÷ Node relay, one CPU, 100 × 20 ms", "×", 0.50, 0.40, _cpu_ratio("cpu_one", "repartee", "node", sessions=100)),
    Target("cpu_own", f"CPU a frame ÷ nginx, own CPU, 200 × 20 ms; latency ≤ nginx + {LATENCY_ROOM_US} µs", "×", 1.05, 0.90,
           _cpu_ratio("latency_own_cpu", "repartee", "nginx"), _latency_within_nginx),
    Target("cpu_coalescing", "the same with coalescing; latency ≤ 5 ms", "×", 0.60, 0.45,
           _cpu_ratio("latency_own_cpu", "coalescing", "nginx"), _coalescing_latency),
    Target("syscalls", "syscalls a frame", "", 2.8, 2.0, _single("syscalls", "syscalls_a_frame"), _syscalls_counted),
    Target("memory_200", "RSS a session, 200 sessions", "KiB", 80, 45, _memory(200), _memory_idle(200)),
    Target("memory_1000", "RSS a session, 1000 sessions", "KiB", 80, 45, _memory(1000), _memory_idle(1000)),
    Target("capacity", "most sessions on one CPU, p99 < 20 ms, 100 ms frames, ÷ nginx", "×", 0.9, 1.1, _capacity, less_is_better=False),
    Target("scaling", "CPU a frame at 1000 sessions ÷ at 100", "×", 1.1, 0.9, _scaling, _scaling_of_nginx),
    Target("allocations", "allocations a frame, steady state", "", 0, 0, _single("allocations", "allocations_a_frame")),
    Target("base64_encode", "base64 encode ÷ memcpy, in L2", "×", 0.25, 0.6, _base64("encode"), _base64_of_a_frame("encode"), less_is_better=False),
    Target("base64_decode", "base64 decode ÷ memcpy, in L2", "×", 0.25, 0.6, _base64("decode"), _base64_of_a_frame("decode"), less_is_better=False),
    Target("integrity", "frames lost, reordered or altered", "", 0, 0, _damage, _frames_checked),
    Target("warm_pool", "connect → session.created, warm pool ÷ cold", "×", 0.2, 0.05, _warm),
)


def judge(runs):
    """Each target with its spread and verdict: aim, must, missed, or None when it was not measured."""
    judged = []
    for target in TARGETS:
        found = spread(target.values(runs))
        holds, beside = target.condition(runs) if target.condition and found else (True, "")
        # One frame damaged in any repeat is one too many: there the worst counts, elsewhere the median.
        decisive = found and (found["max"] if target.key == "integrity" else found["median"])
        judged.append({
            "key": target.key, "what": target.what, "unit": target.unit, "must": target.must, "aim": target.aim,
            "less_is_better": target.less_is_better, "value": found, "beside": beside,
            "verdict": None if not found else _verdict(target, decisive) if holds else "missed",
        })
    return judged


def _verdict(target, value):
    def reaches(limit):
        return value <= limit if target.less_is_better else value >= limit
    return "aim" if reaches(target.aim) else "must" if reaches(target.must) else "missed"
