"""Moves the wall clock of the program under test (tests/faults/clock_jump.c)."""

import mmap
import os
import pathlib
import struct
import subprocess


class ClockJump:
    """The library, built into `folder`, and the memory that it is controlled by."""

    def __init__(self, folder):
        source = pathlib.Path(__file__).parents[1] / "faults" / "clock_jump.c"
        self._library = folder / "libclock_jump.so"
        compiler = os.environ.get("CC", "cc")
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-w", "-o", str(self._library), str(source)], check=True)
        self._path = folder / "clock_jump.seconds"
        self._path.write_bytes(bytes(8))
        with open(self._path, "r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 8)

    def environment(self):
        """For the program under test."""
        return {
            "LD_PRELOAD": str(self._library),
            "HEADRACE_CLOCK_JUMP": str(self._path),
            "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0",
        }

    def jump(self, seconds):
        """The wall clock is so far ahead of the true time from now on; negative: behind."""
        self._memory[:] = struct.pack("<q", seconds)
