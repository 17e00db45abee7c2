"""One measurement: upstream, relay and load generator started, pinned, followed, sampled and ended. Gives plain numbers for the JSON."""
import contextlib

from . import allocations, load, samples, syscalls
from .contestants import CONTESTANTS

UPSTREAM_TURNS = {"burst": ("--mode", "burst"), "talk": ("--mode", "talk")}


def placement(bench, setting):
    """(CPUs of load and upstream, CPUs of the relay)."""
    load_cpu, relay_cpu = bench.cpus
    return [load_cpu], [relay_cpu if setting.get("own_cpu") else load_cpu]


@contextlib.contextmanager
def relayed(bench, contestant, setting, changes=None):
    """(relay, upstream program, folder) while they run."""
    folder = bench.step_folder(contestant)
    load_cpus, relay_cpus = placement(bench, setting)
    mode = setting.get("mode", "echo")
    upstream, port = bench.start_upstream(folder, load_cpus, (*UPSTREAM_TURNS.get(mode, ()), "--frame-ms", setting.get("frame_ms", 20)))
    with upstream:
        relay = CONTESTANTS[contestant].start(bench, folder, port, relay_cpus, changes or {})
        try:
            yield relay, upstream, folder
            if relay.program and not relay.program.alive():
                raise load.Failed(f"{contestant} ended during the measurement\n{relay.program.tail()}")
        except load.Failed as failure:
            if relay.program:
                raise load.Failed(f"{failure}\n  the log of {contestant}:\n{relay.program.tail()}") from None
            raise
        finally:
            if relay.program:
                relay.program.stop()


def arguments(bench, relay, setting):
    given = ["--url", relay.url, "--dialect", relay.dialect, "--mode", setting.get("mode", "echo"),
             "--sessions", setting["sessions"], "--frame-ms", setting.get("frame_ms", 20), "--seconds", setting["seconds"], "--warmup-s", setting["warmup_s"]]
    return given + (["--ca", bench.ca] if relay.url.startswith("wss:") else [])


def planned_s(setting):
    return setting["seconds"] + setting["warmup_s"] + setting["sessions"] / 200


def stream(bench, contestant, setting, progress):
    """Sessions that speak at a steady pace; CPU, switches, memory and latency over the window."""
    with relayed(bench, contestant, setting) as (relay, upstream, folder):
        load_cpus, relay_cpus = placement(bench, setting)
        return sampled_run(bench, folder, arguments(bench, relay, setting), planned_s(setting), progress, load_cpus=load_cpus, relay_cpus=relay_cpus,
                           relay_pid=relay.program and relay.program.pid, upstream_pid=upstream.pid)


def sampled_run(bench, folder, load_arguments, run_s, progress, *, load_cpus=None, relay_cpus=(), relay_pid=None, upstream_pid=None):
    """Runs the generator and samples what can be sampled over its window."""
    pids = samples.tree(relay_pid) if relay_pid else []
    seen = {}

    def look(moment):
        seen[moment] = (samples.take(pids) if pids else None, samples.cpu_ns(upstream_pid) if upstream_pid else 0, samples.cpu_ticks())

    watcher = load.Watcher(lambda: look("begin"), lambda: look("end"), progress)
    result = load.run(bench, folder, load_arguments, load_cpus, run_s, watcher, may_damage=True)
    measure = _summary(result)
    (relay_before, upstream_before, ticks_before), (relay_after, upstream_after, ticks_after) = seen["begin"], seen["end"]
    if upstream_pid:
        measure["upstream_cpu_us_a_frame"] = (upstream_after - upstream_before) / 1e3 / measure["frames"]
    if pids:
        measure |= _relay_numbers(relay_before, relay_after, measure["frames"])
    if load_cpus:
        busy = sum(samples.busy_share(ticks_before, ticks_after, cpu) for cpu in {*load_cpus, *relay_cpus})
        measure["others_cpu_share"] = max(0.0, busy - measure["frames_a_second"] / 1e6 * sum(
            measure.get(part, 0) for part in ("cpu_us_a_frame", "generator_cpu_us_a_frame", "upstream_cpu_us_a_frame")))
    return measure


def _summary(result):
    """What of the generator's result is kept."""
    integrity = result["integrity"]
    frames = result["frames"]["sent"] + result["frames"]["received"]
    if not frames:
        raise load.Failed("no frame came or went in the window: is the machine too busy?")
    kept = {
        "frames": frames,
        "frames_a_second": frames / result["window"]["seconds"],
        "window_s": result["window"]["seconds"],
        "latency_us": result["latency_us"],
        "generator_lag_us": result["generator_lag_us"],
        "generator_was_late": result["generator"]["was_late"],
        "generator_cpu_us_a_frame": result["generator"]["cpu_s"] * 1e6 / frames,
        "damaged": integrity["lost"] + integrity["altered"] + integrity["reordered"],
        "integrity": integrity,
    }
    for mode in ("burst", "talk"):
        if mode in result:
            kept[mode] = result[mode]
    return kept


def _relay_numbers(before, after, frames):
    return {
        "cpu_us_a_frame": (after.cpu_ns - before.cpu_ns) / 1e3 / frames,
        "cpu_share": (after.cpu_ns - before.cpu_ns) / (after.at_ns - before.at_ns),
        "rss_kib": after.rss_kib,
        "pss_kib": after.pss_kib,
        "voluntary_switches_a_frame": (after.voluntary_switches - before.voluntary_switches) / frames,
        "involuntary_switches_a_frame": (after.involuntary_switches - before.involuntary_switches) / frames,
        "processes": after.processes,
        "threads": after.threads,
    }


def count_syscalls(bench, contestant, setting, progress):
    """System calls a frame over the window."""
    with relayed(bench, contestant, setting) as (relay, _upstream, folder):
        counter = syscalls.counter(folder, samples.tree(relay.program.pid))
        setting = setting | {"sessions": min(setting["sessions"], counter.sessions_max)}
        watcher = load.Watcher(counter.begin, counter.end, progress)
        result = load.run(bench, folder, arguments(bench, relay, setting), placement(bench, setting)[0], planned_s(setting), watcher)
        counts = counter.counts()
    frames = _summary(result)["frames"]
    return {
        "frames": frames,
        "tool": counter.tool,
        "sessions": setting["sessions"],
        "syscalls_a_frame": counts.pop("all") / frames,
        "by_name": {name: count / frames for name, count in sorted(counts.items(), key=lambda item: -item[1]) if count},
    }


def count_allocations(bench, contestant, setting, progress):
    """Calls of malloc and its like a frame over the window. The warm pool would fill up within it, and what a server does by the clock (it looks for
    changed files every other second) is not a frame's: both are kept out, the second by rounding to hundredths."""
    folder = bench.step_folder("allocations")
    counter = allocations.AllocationCounter(allocations.build(bench.work), folder)
    seen = {}
    watcher = load.Watcher(lambda: seen.update(begin=counter.value()), lambda: seen.update(end=counter.value()), progress)
    with relayed(bench, contestant, setting, {"environment": counter.environment, "settings": {"realtime.warm_connections": 0}}) as (relay, _upstream, folder):
        result = load.run(bench, folder, arguments(bench, relay, setting), placement(bench, setting)[0], planned_s(setting), watcher)
    if not seen["begin"]:
        raise load.Failed("the preloaded library counted nothing: is the program linked statically?")
    frames = _summary(result)["frames"]
    allocations_made = seen["end"] - seen["begin"]
    return {"frames": frames, "allocations": allocations_made, "allocations_a_frame": round(allocations_made / frames, 2)}


def memory(bench, contestant, setting, progress):
    """Memory a session: at its peak while all connect and speak, and after a silence."""
    with relayed(bench, contestant, setting) as (relay, _upstream, folder):
        load_cpus = placement(bench, setting)[0]
        # One session comes and goes first: what the first one loads once and for all is not any session's.
        one = setting | {"sessions": 1, "seconds": 0.2, "warmup_s": 0.1}
        load.run(bench, folder, arguments(bench, relay, one), load_cpus, planned_s(one), load.Watcher())
        pids = samples.tree(relay.program.pid)
        base_rss, base_pss = samples.memory_kib(pids)
        peak = [base_rss]
        seen = {}
        watcher = load.Watcher(lambda: seen.update(spoken=samples.memory_kib(pids)), lambda: seen.update(idle=samples.memory_kib(pids)), progress,
                               lambda: peak.append(samples.rss_kib(pids)))
        load.run(bench, folder, arguments(bench, relay, setting) + ["--hold"], load_cpus, planned_s(setting) + 1, watcher)
    sessions = setting["sessions"]
    return {
        "base_rss_kib": base_rss,
        "base_pss_kib": base_pss,
        "talking_kib_a_session": (max(*peak, seen["spoken"][0]) - base_rss) / sessions,
        "idle_kib_a_session": (seen["idle"][0] - base_rss) / sessions,
        "idle_pss_kib_a_session": (seen["idle"][1] - base_pss) / sessions,
        "talking_mib": (max(*peak, seen["spoken"][0])) / 1024,
        "idle_mib": seen["idle"][0] / 1024,
    }


def capacity(bench, contestant, setting, progress):
    """More and more sessions until the slowest hundredth of the frames takes too long."""
    with relayed(bench, contestant, setting) as (relay, _upstream, folder):
        ramp = ["--ramp", "--ramp-step", setting["step"], "--ramp-max", setting["sessions_max"], "--p99-limit-ms", setting["p99_limit_ms"]]
        steps = (setting["sessions_max"] - setting["sessions"]) / setting["step"] + 1
        result = load.run(bench, folder, arguments(bench, relay, setting) + ramp, placement(bench, setting)[0], steps * (planned_s(setting) + 3),
                          load.Watcher(progress=progress))
    return {
        "sessions_within_limit": result["sessions_max"],
        "ended_by": result["ended_by"],
        "steps": [{"sessions": step["sessions"], "p50_us": step["latency_us"]["p50"], "p99_us": step["latency_us"]["p99"],
                   "generator_lag_p99_us": step["generator_lag_us"]["p99"]} for step in result["steps"]],
    }


def opening(bench, contestant, setting, progress):
    """Sessions that come one after another: how long until the server says that one is there."""
    changes = {"settings": {"realtime.warm_connections": setting["warm_connections"]}}
    with relayed(bench, contestant, setting, changes) as (relay, _upstream, folder):
        connects = arguments(bench, relay, setting) + ["--connect-only", "--connect-interval-ms", setting["interval_ms"]]
        result = load.run(bench, folder, connects, placement(bench, setting)[0], setting["sessions"] * (setting["interval_ms"] / 1000 + 0.2),
                          load.Watcher(progress=progress))
    return {"created_us": result["connect_us"]["session_created"]}
