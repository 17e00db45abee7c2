"""The machine a result was measured on, and the versions of what was measured."""
import os
import pathlib
import platform
import re
import resource
import subprocess


def first_cpus():
    """(CPU of the load, CPU of the relay): the first two this process may use; the same one twice when there is only one."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[min(1, len(allowed) - 1)]


def raise_file_limit():
    """Two sockets a session: the soft limit goes up to the hard one. Returns it, bounded, for the proxies' own settings."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return min(hard, 65536)


def _first_line(command, pattern=r"(.+)"):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(pattern, done.stdout + done.stderr)
    return found[1].strip() if found else None


def _from_file(path, pattern):
    try:
        found = re.search(pattern, pathlib.Path(path).read_text(), re.M)
    except OSError:
        return None
    return found[1].strip() if found else None


def describe():
    """What a reader needs in order to judge the numbers."""
    memory_kib = _from_file("/proc/meminfo", r"MemTotal:\s+(\d+)")
    return {
        "cpu": _from_file("/proc/cpuinfo", r"model name\s*:\s*(.+)"),
        "cpus": len(os.sched_getaffinity(0)),
        "memory_gib": round(int(memory_kib) / 2**20, 1) if memory_kib else None,
        "virtual": "hypervisor" in (_from_file("/proc/cpuinfo", r"flags\s*:\s*(.+)") or ""),
        "kernel": platform.release(),
        "system": _from_file("/etc/os-release", r'PRETTY_NAME="(.+)"'),
    }


def versions(repartee):
    """Version of each program that takes part; None for one that is not there."""
    return {
        "repartee": _first_line([str(repartee), "--version"]),
        "nginx": _first_line(["nginx", "-v"], r"nginx/(\S+)"),
        "haproxy": _first_line(["haproxy", "-v"], r"version (\S+)"),
        "node": _first_line(["node", "--version"], r"v(\S+)"),
        "openssl": _first_line(["openssl", "version"], r"OpenSSL (\S+)"),
        "compiler": _first_line(["c++", "--version"]),
    }


def commit(root):
    """The commit measured, with a + when the tree had changes."""
    name = _first_line(["git", "-C", str(root), "rev-parse", "--short", "HEAD"])
    changed = _first_line(["git", "-C", str(root), "status", "--porcelain", "--untracked-files=no"])
    return f"{name}+" if name and changed else name
