"""Who is measured: each is started in front of the same upstream and says where clients connect."""
import dataclasses
import os
import pathlib
import shutil
import socket
import string
import time

from . import bench as bench_
from .programs import Failed, Program

PROXIES = pathlib.Path(__file__).resolve().parents[1] / "proxies"
RELAY_START_LIMIT_S = 20
# The load generator adds the query that turns off what would change the work: resampling and pacing.
CONVERSATION_PATH = "/ws/conversations/oh_kyungmi"
REALTIME_PATH = "/v1/realtime?model=bench"


@dataclasses.dataclass
class Relay:
    """A contestant that runs. `program` is None for the direct connection."""
    url: str
    dialect: str
    program: Program | None = None


@dataclasses.dataclass(frozen=True)
class Contestant:
    key: str
    label: str
    start: object  # (bench, folder, upstream_port, cpus, changes) -> Relay
    needs: tuple = ()


def _rendered(template, folder, **values):
    """A proxy's configuration, filled in. Names that are not ours ($http_upgrade) stay."""
    path = folder / template
    path.write_text(string.Template((PROXIES / template).read_text()).safe_substitute(values))
    return path


def _wait_for_port(program, port):
    until = time.monotonic() + RELAY_START_LIMIT_S
    while True:
        if not program.alive():
            raise Failed(f"{program.name} ended with status {program.process.returncode} before it listened\n{program.tail()}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > until:
                raise Failed(f"{program.name} did not listen within {RELAY_START_LIMIT_S} s\n{program.tail()}") from None
            time.sleep(0.02)


def _direct(_bench, _folder, upstream_port, _cpus, _changes):
    return Relay(f"wss://localhost:{upstream_port}{REALTIME_PATH}", "realtime")


def _nginx(bench, folder, upstream_port, cpus, changes):
    port = bench_.free_port()
    conf = _rendered("nginx.conf", folder, work=folder, port=port, upstream_port=upstream_port, ca=bench.ca, files_max=bench.files_max)
    program = Program("nginx", [*changes.get("wrapper", ()), "nginx", "-p", folder, "-c", conf, "-e", "stderr"], folder, cpus, _environment(changes))
    _wait_for_port(program, port)
    return Relay(f"ws://127.0.0.1:{port}{REALTIME_PATH}", "realtime", program)


def _haproxy(bench, folder, upstream_port, cpus, changes):
    port = bench_.free_port()
    conf = _rendered("haproxy.cfg", folder, port=port, upstream_port=upstream_port, ca=bench.ca, sessions_max=bench.files_max // 4)
    program = Program("haproxy", [*changes.get("wrapper", ()), "haproxy", "-f", conf, "-db"], folder, cpus, _environment(changes))
    _wait_for_port(program, port)
    return Relay(f"ws://127.0.0.1:{port}{REALTIME_PATH}", "realtime", program)


def _node(bench, folder, upstream_port, cpus, changes):
    # By its address: Node 18 takes the first one of localhost only, ::1.
    environment = _environment(changes) | {"UPSTREAM_URL": f"wss://127.0.0.1:{upstream_port}{REALTIME_PATH}", "CA_FILE": str(bench.ca)}
    program = Program("node", [*changes.get("wrapper", ()), "node", bench.node / "relay.mjs"], folder, cpus, environment)
    port = int(program.wait_for(r'"port":\s*(\d+)', RELAY_START_LIMIT_S)[1])
    return Relay(f"ws://127.0.0.1:{port}/", "conversation", program)


def _repartee_with(**always):
    def start(bench, folder, upstream_port, cpus, changes):
        settings = {
            "server.threads": 1,
            "server.sessions_max": bench.files_max // 4,
            "server.connections_max": bench.files_max // 4,
            "realtime.upstream": "openai",
            "realtime.url": f"wss://localhost:{upstream_port}/v1/realtime",
            "realtime.ca_file": bench.ca,
            "realtime.model": "bench",
            **{key.replace("__", "."): value for key, value in always.items()},
            **changes.get("settings", {}),
        }
        arguments = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
        environment = {name: value for name, value in _environment(changes).items() if not name.startswith(("REPARTEE_", "OPENAI_"))}
        command = [*changes.get("wrapper", ()), bench.repartee, "serve", "--listen", "127.0.0.1:0", "--data-dir", folder / "data", *arguments]
        program = Program("repartee", command, folder, cpus, environment | {"REPARTEE_REALTIME__API_KEY": "bench"})
        port = int(program.wait_for(r"listens on http://127\.0\.0\.1:(\d+)/", RELAY_START_LIMIT_S)[1])
        return Relay(f"ws://127.0.0.1:{port}{CONVERSATION_PATH}", "conversation", program)
    return start


def _environment(changes):
    return os.environ | changes.get("environment", {})


CONTESTANTS = {contestant.key: contestant for contestant in (
    Contestant("direct", "direct connection", _direct),
    Contestant("nginx", "nginx", _nginx, ("nginx",)),
    Contestant("haproxy", "HAProxy", _haproxy, ("haproxy",)),
    Contestant("node", "Node relay (ws)", _node, ("node", "npm")),
    Contestant("repartee", "Repartee", _repartee_with()),
    Contestant("coalescing", "Repartee, coalescing", _repartee_with(relay__coalesce_us=1000)),
)}


def absent(keys):
    """{contestant: why} of those whose programs are not installed."""
    return {key: f"{', '.join(missing)} is not installed. It comes with: scripts/setup --bench"
            for key in keys if (missing := [name for name in CONTESTANTS[key].needs if not shutil.which(name)])}
