"""Counts the system calls of a relay over a window: with perf (in the kernel, next to no cost) where it may, else with strace (which slows the relay)."""
import os
import re
import shutil
import signal
import subprocess
import time

from .programs import Failed, Program

ALL = "raw_syscalls:sys_enter"
# What a relay does a frame, whichever library it uses. Others are counted in the sum only.
NAMED = ("read", "write", "readv", "writev", "recvfrom", "sendto", "recvmsg", "sendmsg", "epoll_wait", "epoll_pwait", "epoll_ctl", "futex", "timerfd_settime",
         "io_uring_enter", "splice", "clock_gettime", "getpid")
ATTACH_S = 0.5
ANSWER_LIMIT_S = 10


def perf_works():
    """Whether perf is installed and may count system calls here."""
    if not shutil.which("perf"):
        return False
    tried = subprocess.run(["perf", "stat", "-x,", "-e", ALL, "true"], capture_output=True, text=True, timeout=20)
    return tried.returncode == 0 and re.search(r"^[1-9]\d*,", tried.stderr, re.M) is not None


class PerfCounter:
    """Attached before the load comes, counting only between begin() and end()."""
    tool = "perf"
    sessions_max = 1000

    def __init__(self, folder, pids):
        self._control, self._answer = folder / "perf.control", folder / "perf.answer"
        os.mkfifo(self._control)
        os.mkfifo(self._answer)
        # Open for both, so that no open waits for perf, and no read ends when perf does.
        self._control_fd = os.open(self._control, os.O_RDWR | os.O_CLOEXEC)
        self._answer_fd = os.open(self._answer, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        events = ",".join([ALL, *(f"syscalls:sys_enter_{name}" for name in _known(NAMED))])
        self._program = Program("perf", ["perf", "stat", "-x,", "-D", "-1", "--control", f"fifo:{self._control},{self._answer}", "-e", events,
                                         "-p", ",".join(map(str, pids))], folder)
        time.sleep(ATTACH_S)
        if not self._program.alive():
            raise Failed(f"perf could not attach\n{self._program.tail()}")

    def _command(self, word):
        os.write(self._control_fd, word.encode() + b"\n")
        until = time.monotonic() + ANSWER_LIMIT_S
        while time.monotonic() < until:
            try:
                if b"ack" in os.read(self._answer_fd, 256):
                    return
            except BlockingIOError:
                time.sleep(0.001)
        raise Failed(f"perf did not answer to {word}\n{self._program.tail()}")

    def begin(self):
        self._command("enable")

    def end(self):
        self._command("disable")

    def counts(self):
        """{system call: how often}, with the sum as "all"."""
        self._program.stop(signal.SIGINT)
        os.close(self._control_fd)
        os.close(self._answer_fd)
        found = {}
        for line in self._program.err.read_text().splitlines():
            match = re.match(r"(\d+),[^,]*,(?:raw_syscalls:(sys_enter)|syscalls:sys_enter_(\w+)),", line)
            if match:
                found["all" if match[2] else match[3]] = int(match[1])
        if not found.get("all"):
            raise Failed(f"perf counted nothing\n{self._program.tail()}")
        return found


def _known(names):
    """Those that this machine's kernel has: an unknown event would make perf refuse them all."""
    listed = subprocess.run(["perf", "list", "--raw-dump", "tracepoint"], capture_output=True, text=True, timeout=30).stdout
    return [name for name in names if f"syscalls:sys_enter_{name}" in listed.split()]


class StraceCounter:
    """Attached for the window only. Each call then costs the relay two stops: with more sessions it would fall behind and take several frames with one call."""
    tool = "strace"
    sessions_max = 5

    def __init__(self, folder, pids):
        self._folder, self._pids = folder, pids

    def begin(self):
        attach = [part for pid in self._pids for part in ("-p", str(pid))]
        self._program = Program("strace", ["strace", "-c", "-f", "-o", self._folder / "strace.counts", *attach], self._folder)

    def end(self):
        self._program.stop(signal.SIGINT)

    def counts(self):
        found = {}
        for line in (self._folder / "strace.counts").read_text().splitlines():
            match = re.match(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", line)
            if match:
                found["all" if match[2] == "total" else match[2]] = int(match[1])
        if not found.get("all"):
            raise Failed(f"strace counted nothing\n{self._program.tail()}")
        return found


def counter(folder, pids):
    """The best counter of this machine."""
    return (PerfCounter if perf_works() else StraceCounter)(folder, pids)
