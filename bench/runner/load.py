"""One run of the load generator, followed event by event, so that the relay is sampled over exactly the generator's window."""
import dataclasses
import json
import os
import select
import time

from .programs import Failed, Program

# Beside the planned time: connecting, draining, a machine that is busy.
SLACK_S = 60
DAMAGED_EXIT = 3


@dataclasses.dataclass
class Watcher:
    """What to do while the generator runs. `tick` is called about ten times a second, when it is not None."""
    window_begin: object = lambda: None
    window_end: object = lambda: None
    progress: object = lambda event: None
    tick: object = None


def run(bench, folder, arguments, cpus, planned_s, watcher, may_damage=False):
    """The generator's result. Failed when it failed, unless what failed is the audio and `may_damage` says that this is a result too."""
    command = [bench.load, "--json", "--progress", *arguments]
    with Program("load", command, folder, cpus, stderr_pipe=True) as program:
        said = _follow(program, planned_s + SLACK_S, watcher)
        status = program.process.wait(5)
        (folder / "load.err").write_text(said)
        result = _last_object(program.out.read_text())
    damaged = status == DAMAGED_EXIT and may_damage
    if result is None or "error" in result or (status != 0 and not damaged):
        reason = (result or {}).get("error") or f"the load generator ended with status {status}"
        raise Failed(f"{reason}\n" + "\n".join("    " + line for line in said.splitlines()[-6:]))
    return result


def _follow(program, limit_s, watcher):
    """Reads standard error to its end and calls the watcher. Returns what was no event."""
    pipe = program.process.stderr.fileno()
    os.set_blocking(pipe, False)
    until = time.monotonic() + limit_s
    pending, said = b"", []
    while True:
        left = until - time.monotonic()
        if left <= 0:
            raise Failed(f"the load generator did not end within {limit_s:.0f} s")
        readable, _, _ = select.select([pipe], [], [], min(left, 0.1 if watcher.tick else 5))
        if watcher.tick:
            watcher.tick()
        if not readable:
            continue
        chunk = os.read(pipe, 65536)
        if not chunk:
            return "\n".join(said)
        *lines, pending = (pending + chunk).split(b"\n")
        for line in lines:
            _tell(line.decode(errors="replace"), watcher, said)


def _tell(line, watcher, said):
    try:
        event = json.loads(line)
    except ValueError:
        event = None
    kind = event.get("event") if isinstance(event, dict) else None
    if kind == "window_begin":
        watcher.window_begin()
    elif kind == "window_end":
        watcher.window_end()
    elif kind == "progress":
        watcher.progress(event)
    elif line:
        said.append(line)


def _last_object(text):
    for line in reversed(text.splitlines()):
        if line.startswith("{"):
            try:
                return json.loads(line)
            except ValueError:
                return None
    return None
