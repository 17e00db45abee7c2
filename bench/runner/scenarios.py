"""What is measured: which contestants do which work, how often, and in which order."""
import dataclasses

from . import measure, micro

REPEATS, QUICK_REPEATS = 5, 2
START_S = 1.5  # a step's programs started and ended


def in_words(setting):
    """What is done, for people."""
    if "bytes" in setting:
        return f"{setting['bytes']} bytes"
    if "warm" in setting:
        return "warm pool" if setting["warm"] else "cold"
    return f"{'from ' if 'step' in setting else ''}{setting['sessions']} × {setting.get('frame_ms', 20)} ms"


@dataclasses.dataclass(frozen=True)
class Scenario:
    """`settings` are measured for each contestant in each repeat; `measure` is a function of measure.py."""
    name: str
    title: str
    contestants: tuple
    settings: tuple
    measure: object
    planned_s: object = measure.planned_s


@dataclasses.dataclass(frozen=True)
class Step:
    scenario: Scenario
    contestant: str
    setting: dict
    repeat: int
    repeats: int

    @property
    def planned_s(self):
        return START_S + self.scenario.planned_s(self.setting)

    @property
    def label(self):
        return f"{self.scenario.name} · {self.contestant} · {in_words(self.setting)} · {self.repeat}/{self.repeats}"


ALL = ("nginx", "haproxy", "node", "repartee", "coalescing")
RELAYS = ("nginx", "haproxy", "node", "repartee")


def scenarios(quick):
    """All of them; `quick` has shorter windows."""
    window = {"warmup_s": 1, "seconds": 2} if quick else {"warmup_s": 2, "seconds": 5}
    held = {"warmup_s": 0, "seconds": 2 if quick else 4}
    ramp = {"frame_ms": 100, "warmup_s": 0.5, "seconds": 1 if quick else 2, "step": 80 if quick else 40, "sessions_max": 4000, "p99_limit_ms": 20}
    opened = {"sessions": 10 if quick else 30, "interval_ms": 100, "warmup_s": 0, "seconds": 1}

    def ramp_s(setting):
        # Where it ends is what is to be found out; about here it did.
        return 1200 / setting["step"] * (setting["seconds"] + setting["warmup_s"] + 0.3)

    def opening_s(setting):
        return setting["sessions"] * (setting["interval_ms"] / 1000 + 0.01)

    return (
        Scenario("cpu_one", "CPU a frame, one CPU shared by all", ALL, ({"sessions": 50, **window}, {"sessions": 100, **window}), measure.stream),
        Scenario("latency_own_cpu", "CPU a frame and latency, the relay on a CPU of its own", ("direct", *ALL),
                 ({"sessions": 200, "own_cpu": True, **window},), measure.stream),
        Scenario("syscalls", "System calls a frame", ALL, ({"sessions": 200, "own_cpu": True, **window},), measure.count_syscalls),
        Scenario("allocations", "Allocations a frame", ("nginx", "haproxy", "repartee"), ({"sessions": 50, **window, "warmup_s": 4},), measure.count_allocations),
        Scenario("memory", "Memory a session", RELAYS, ({"sessions": 200, "frame_ms": 20, "own_cpu": True, **held},
                                                        {"sessions": 1000, "frame_ms": 100, "own_cpu": True, **held}), measure.memory),
        Scenario("scaling", "CPU a frame with many sessions", ("nginx", "repartee"),
                 tuple({"sessions": sessions, "frame_ms": 100, "own_cpu": True, **window} for sessions in (100, 1000)), measure.stream),
        Scenario("warm_pool", "From connecting to session.created", ("repartee",),
                 ({**opened, "warm": True, "warm_connections": 20, "own_cpu": True}, {**opened, "warm": False, "warm_connections": 0, "own_cpu": True}),
                 measure.opening, opening_s),
        Scenario("burst", "Replies faster than real time", ("direct", "node", "repartee"), ({"sessions": 50, "mode": "burst", "own_cpu": True, **window},),
                 measure.stream),
        Scenario("talk", "People speak a third of the time, are answered, interrupt", ("repartee",),
                 ({"sessions": 100, "mode": "talk", "own_cpu": True, **window, "seconds": 5 if quick else 15},), measure.stream),
        Scenario("capacity", "The most sessions on one CPU", ("nginx", "haproxy", "repartee"), ({"sessions": 320 if quick else 400, **ramp},),
                 measure.capacity, ramp_s),
        Scenario("base64", "Base64 against memcpy, from the L2 cache", ("repartee",), ({"bytes": 960}, {"bytes": 65536}), micro.base64,
                 lambda _: micro.PLANNED_S),
    )


def with_contestants(scenario, keys):
    return dataclasses.replace(scenario, contestants=keys)


def steps(chosen, quick, repeats=None):
    """Every measurement in order. Contestants stand next to each other in time, in each repeat in another order."""
    repeats = repeats or (QUICK_REPEATS if quick else REPEATS)
    for scenario in chosen:
        for repeat in range(repeats):
            for setting in scenario.settings:
                shift = repeat % len(scenario.contestants)
                for contestant in scenario.contestants[shift:] + scenario.contestants[:shift]:
                    yield Step(scenario, contestant, setting, repeat + 1, repeats)
