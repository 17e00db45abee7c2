"""What /proc says of a relay: CPU time, memory, context switches; summed over the process and its children."""
import contextlib
import dataclasses
import os
import time

from .programs import Failed


@dataclasses.dataclass
class Sample:
    """One look at a process tree. CPU time and switches count from each process's start."""
    at_ns: int
    cpu_ns: int
    rss_kib: int
    pss_kib: int
    voluntary_switches: int
    involuntary_switches: int
    processes: int
    threads: int


def tree(pid):
    """The process and all below it."""
    parents = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat") as file:
                # The name in parentheses may hold anything; the parent is the second field behind it.
                parents.setdefault(int(file.read().rpartition(")")[2].split()[1]), []).append(int(name))
        except OSError:
            continue  # it has just ended
    found = [pid]
    for parent in found:
        found += parents.get(parent, [])
    return found


@contextlib.contextmanager
def _looking_at(pid):
    """Turns what the kernel answers for a process that is gone, or somebody else's, into Failed."""
    try:
        yield
    except PermissionError:
        raise Failed(f"Process {pid} belongs to somebody else: its user or root may measure it.") from None
    except OSError as failure:
        # A process that nobody has waited for yet is still listed, with nothing in it.
        if os.path.exists(f"/proc/{pid}") and not isinstance(failure, ProcessLookupError):
            raise
        raise Failed(f"Process {pid} has ended: what is measured must live until the end.") from None


def cpu_ns(pid):
    """CPU time of all threads, ended ones included, to the nanosecond: the kernel's process clock (utime and stime in /proc count ticks)."""
    with _looking_at(pid):
        return time.clock_gettime_ns((~pid << 3) | 2)


def memory_kib(pids):
    """(RSS, PSS): in RSS the pages that a process shares with its children count once each, in PSS once in all."""
    rss = pss = 0
    for pid in pids:
        with _looking_at(pid), open(f"/proc/{pid}/smaps_rollup") as file:
            for line in file:
                if line.startswith("Rss:"):
                    rss += int(line.split()[1])
                elif line.startswith("Pss:"):
                    pss += int(line.split()[1])
    return rss, pss


def rss_kib(pids):
    """RSS alone, cheap enough to be read several times a second."""
    total = 0
    for pid in pids:
        with _looking_at(pid), open(f"/proc/{pid}/statm") as file:
            total += int(file.read().split()[1])
    return total * os.sysconf("SC_PAGE_SIZE") // 1024


def _switches_of_threads(pid):
    """(voluntary, involuntary) context switches of each thread."""
    with _looking_at(pid):
        tasks = os.listdir(f"/proc/{pid}/task")
    for task in tasks:
        try:
            with open(f"/proc/{pid}/task/{task}/status") as file:
                words = dict(line.split(":", 1) for line in file)
        except OSError:
            continue  # a thread that has just ended
        yield int(words["voluntary_ctxt_switches"]), int(words["nonvoluntary_ctxt_switches"])


def take(pids, with_memory=True):
    """A sample of these processes; the CPU clock is read first, beside the time."""
    at = time.monotonic_ns()
    cpu = sum(cpu_ns(pid) for pid in pids)
    voluntary = involuntary = threads = 0
    for pid in pids:
        for switches in _switches_of_threads(pid):
            threads += 1
            voluntary += switches[0]
            involuntary += switches[1]
    rss, pss = memory_kib(pids) if with_memory else (0, 0)
    return Sample(at, cpu, rss, pss, voluntary, involuntary, len(pids), threads)


def cpu_ticks():
    """Per CPU (busy, all, stolen) ticks since the machine started."""
    ticks = {}
    with open("/proc/stat") as file:
        for line in file:
            name, *values = line.split()
            if name.startswith("cpu") and name != "cpu":
                values = [int(value) for value in values[:8]]
                ticks[int(name[3:])] = (sum(values) - values[3] - values[4], sum(values), values[7])
    return ticks


def busy_share(before, after, cpu):
    """Share of the time between two cpu_ticks() in which a CPU was not idle."""
    whole = after[cpu][1] - before[cpu][1]
    return (after[cpu][0] - before[cpu][0]) / whole if whole else 0.0
