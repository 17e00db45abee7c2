"""Counts the allocations of a relay: a small library is preloaded, its counter is a file both sides see."""
import mmap
import os
import pathlib
import struct
import subprocess

from .programs import Failed

SOURCE = pathlib.Path(__file__).with_name("count_allocations.c")


def build(work):
    """Compiles the library; returns its path."""
    library = work / "count_allocations.so"
    if not library.exists():
        made = subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, SOURCE], capture_output=True, text=True, timeout=60)
        if made.returncode:
            raise Failed(f"count_allocations.c could not be compiled\n{made.stderr}")
    return library


class AllocationCounter:
    """`environment` is what the relay must be started with; value() is how many allocations it has made since."""

    def __init__(self, library, folder):
        path = folder / "allocations"
        path.write_bytes(bytes(8))
        descriptor = os.open(path, os.O_RDWR)
        self._shared = mmap.mmap(descriptor, 8)
        os.close(descriptor)
        self.environment = {"LD_PRELOAD": str(library), "ALLOCATION_COUNTER_FILE": str(path)}

    def value(self):
        return struct.unpack("<Q", self._shared[:8])[0]
