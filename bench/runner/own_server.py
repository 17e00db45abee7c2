"""bench/run --url: the same load against a server of the user's own."""
import json
import os
import pathlib
import sys

from . import measure
from .programs import Failed

WARMUP_S = 2


def add_arguments(parser):
    group = parser.add_argument_group("your own server")
    group.add_argument("--url", help="ws:// or wss:// address; what is said to it must come back (--mode echo)")
    group.add_argument("--dialect", choices=("conversation", "realtime"), default="conversation",
                       help="conversation: binary PCM frames; realtime: the Realtime API's JSON events")
    group.add_argument("--ca", metavar="FILE", type=pathlib.Path, help="wss: authority to trust; default: the system's")
    group.add_argument("--header", action="append", default=[], metavar="'NAME: VALUE'", help="may be repeated")
    group.add_argument("--pid", type=int, help="the server's process on this machine: its CPU time and memory, children included, are reported too")
    group.add_argument("--sessions", type=int, default=50)
    group.add_argument("--frame-ms", type=int, default=20)
    group.add_argument("--seconds", type=float, default=10)
    group.add_argument("--mode", choices=("echo", "burst", "talk"), default="echo", help="what stands behind your server")


def run(bench, options):
    """Prints one JSON object. Nothing is pinned: who measures their own server knows where it should run."""
    if options.pid and not os.path.exists(f"/proc/{options.pid}"):
        raise Failed(f"--pid {options.pid}: there is no such process on this machine.")
    arguments = ["--url", options.url, "--dialect", options.dialect, "--mode", options.mode, "--sessions", options.sessions, "--frame-ms", options.frame_ms,
                 "--seconds", options.seconds, "--warmup-s", WARMUP_S]
    arguments += ["--ca", options.ca.resolve()] if options.ca else []
    arguments += [part for header in options.header for part in ("--header", header)]
    measured = measure.sampled_run(bench, bench.step_folder("own"), arguments, WARMUP_S + options.seconds, _tell, relay_pid=options.pid)
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    print(json.dumps(measured, indent=1))
    return 0


def _tell(event):
    begin, end = ("\r\033[K", "") if sys.stderr.isatty() else ("", "\n")
    print(f"{begin}{event['sessions']} sessions, {event['frames_per_s']} frames/s back, p50 {event['p50_us'] / 1000:.2f} ms, p99 {event['p99_us'] / 1000:.2f} ms",
          end=end, file=sys.stderr, flush=True)
