"""bench/run --url: the same load against a server of the user's own."""
import json
import os
import pathlib
import sys

from . import measure, programs, samples
from .programs import Failed

WARMUP_S = 2

WHAT_IT_MUST_DO = """\
  conversation   After the WebSocket's opening the server sends the text {"type": "session.created"}. From then on it gets binary frames, PCM16 of
                 24 kHz, mono, and sends the same bytes back as binary frames, however they are cut. The query of the address gets input_rate=24000,
                 output_rate=24000 and pacing=off where it does not say otherwise.
  realtime       The server sends session.created, answers session.update with session.updated, and sends the audio of each
                 input_audio_buffer.append back in response.output_audio.delta events ({"type": …, "delta": "base64"}).
  Nothing is measured before, and after 10 s without it the run fails. Other text events are counted and nothing else; one of the type "error" is a
  failure. Every byte is checked: a server that resamples, mixes or re-encodes damages each frame. For --mode burst and talk, and for a relay in
  front of a Realtime service, let repartee-bench-upstream --mode MODE be that service: it answers with audio that is checked as well."""


def add_arguments(parser):
    group = parser.add_argument_group("your own server", WHAT_IT_MUST_DO)
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
    """Prints one JSON object; the exit status. Nothing is pinned: who measures their own server knows where it should run."""
    if options.pid is not None:
        _check_pid(options.pid)
    arguments = ["--url", options.url, "--dialect", options.dialect, "--mode", options.mode, "--sessions", options.sessions, "--frame-ms", options.frame_ms,
                 "--seconds", options.seconds, "--warmup-s", WARMUP_S]
    arguments += ["--ca", options.ca.resolve()] if options.ca else []
    arguments += [part for header in options.header for part in ("--header", header)]
    with programs.alone(lambda text: print(text, file=sys.stderr)):
        measured = measure.sampled_run(bench, bench.step_folder("own"), arguments, WARMUP_S + options.seconds, _tell, relay_pid=options.pid)
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    print(json.dumps(measured, indent=1))
    if not measured["damaged"]:
        return 0
    found = measured["integrity"]
    print(f"What came back is not what was sent: {found['lost']} frames lost, {found['altered']} altered, {found['reordered']} reordered.", file=sys.stderr)
    return 1


def _check_pid(pid):
    """Failed before anything is measured when the process is not there or may not be looked at."""
    if pid <= 0 or not os.path.exists(f"/proc/{pid}"):
        raise Failed(f"--pid {pid}: there is no such process on this machine.")
    samples.take(samples.tree(pid))


def _tell(event):
    begin, end = ("\r\033[K", "") if sys.stderr.isatty() else ("", "\n")
    print(f"{begin}{event['sessions']} sessions, {event['frames_per_s']} frames/s back, p50 {event['p50_us'] / 1000:.2f} ms, p99 {event['p99_us'] / 1000:.2f} ms",
          end=end, file=sys.stderr, flush=True)
