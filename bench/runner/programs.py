"""Starting and ending programs: each in a process group of its own, every wait bounded, nothing left behind."""
import atexit
import contextlib
import fcntl
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time

START_LIMIT_S = 20
STOP_LIMIT_S = 5
TAIL_LINES = 12
OTHERS_LIMIT_S = 7200


class Failed(Exception):
    """A program did not do what it was started for; the text names the program and ends with the tail of its log."""


_running = []


class Program:
    """One running program. Its output goes to files in `work`, so that no pipe can fill up."""

    def __init__(self, name, command, work, cpus=None, environment=None, stderr_pipe=False):
        self.name = name
        self.command = [str(part) for part in command]
        self.out = pathlib.Path(work) / f"{name}.out"
        self.err = pathlib.Path(work) / f"{name}.err"
        wrapped = list(self.command)
        if cpus is not None:
            wrapped = ["taskset", "-c", ",".join(map(str, cpus)), *wrapped]
        # When this process is killed, what it started goes too.
        wrapped = ["setpriv", "--pdeathsig", "KILL", *wrapped]
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.process = subprocess.Popen(wrapped, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE if stderr_pipe else err,
                                            env=environment, start_new_session=True)
        self.pid = self.process.pid
        _running.append(self)

    def alive(self):
        return self.process.poll() is None

    def wait_for(self, pattern, limit_s=START_LIMIT_S):
        """The match of `pattern` in what the program prints on standard output."""
        until = time.monotonic() + limit_s
        while True:
            found = re.search(pattern, self.out.read_text(errors="replace"))
            if found:
                return found
            if not self.alive():
                raise Failed(f"{self.name} ended with status {self.process.returncode} before it was ready\n{self.tail()}")
            if time.monotonic() > until:
                raise Failed(f"{self.name} was not ready within {limit_s} s\n{self.tail()}")
            time.sleep(0.01)

    def tail(self):
        text = self.err.read_text(errors="replace") + self.out.read_text(errors="replace")
        return "\n".join("    " + line[:400] for line in text.splitlines()[-TAIL_LINES:])

    def stop(self, first=signal.SIGTERM):
        """Asks the group to end, then insists."""
        if self in _running:
            _running.remove(self)
        for number in (first, signal.SIGKILL):
            if self.alive():
                _signal_group(self.pid, number)
                try:
                    self.process.wait(STOP_LIMIT_S)
                except subprocess.TimeoutExpired:
                    continue
        # Children of a leader that has gone: the group is theirs still.
        _signal_group(self.pid, signal.SIGKILL)
        if self.process.stderr:
            self.process.stderr.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def _signal_group(pid, number):
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        pass


def stop_all():
    for program in reversed(list(_running)):
        program.stop()


atexit.register(stop_all)


def end_on_signals():
    """SIGTERM and SIGHUP end the run as Ctrl-C does: by an exception, so that everything started is stopped on the way out.

    SIGINT too, in case the shell that started this in the background has set it to be ignored."""
    def interrupt(number, _frame):
        raise KeyboardInterrupt(signal.Signals(number).name)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)


@contextlib.contextmanager
def alone(note):
    """Waits until no other bench/run measures on this machine: each would be what disturbs the other."""
    with open(pathlib.Path(tempfile.gettempdir()) / f"repartee-bench-{os.getuid()}.lock", "w") as file:
        until = time.monotonic() + OTHERS_LIMIT_S
        said = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise Failed(f"Another bench/run has been measuring for {OTHERS_LIMIT_S / 3600:.0f} hours.") from None
                if not said:
                    note("Another bench/run measures on this machine: waiting for its end.")
                said = True
                time.sleep(1)
        yield
