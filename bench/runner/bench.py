"""What every measurement needs: the programs, a folder for one step's files, the CPUs, the certificate."""
import itertools
import pathlib
import socket
import subprocess

from . import machine, programs

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Bench:
    """The programs and places of one run. `cpus` is (load and upstream, relay)."""

    def __init__(self, found, work):
        self.repartee = found["repartee"]
        self.load = found["repartee-bench-load"]
        self.upstream = found["repartee-bench-upstream"]
        self.micro = found.get("repartee-bench-micro")
        self.work = work
        self.cpus = machine.first_cpus()
        self.files_max = machine.raise_file_limit()
        self.certificates = work / "certificates"
        self.node = None
        self._steps = itertools.count(1)

    def make_certificates(self):
        made = subprocess.run([ROOT / "bench/proxies/certificates.sh", self.certificates], capture_output=True, text=True, timeout=60)
        if made.returncode:
            raise programs.Failed(f"No test certificate could be made.\n{made.stderr}")

    @property
    def ca(self):
        return self.certificates / "ca.pem"

    def step_folder(self, name):
        """A fresh folder for the files and logs of one step."""
        folder = self.work / f"{next(self._steps):04}-{name}"
        folder.mkdir()
        return folder

    def start_upstream(self, folder, cpus, arguments=()):
        """(program, its wss address)."""
        program = programs.Program("upstream", [self.upstream, "--cert", self.certificates / "server.pem", "--key", self.certificates / "server.key", *arguments],
                                   folder, cpus)
        port = int(program.wait_for(r'"port":\s*(\d+)')[1])
        return program, port


def free_port():
    """A port nobody listens on now; for programs that cannot pick one themselves and say which."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
