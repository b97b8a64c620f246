"""Makes the Nth file operation of the program under test fail (tests/faults/io_faults.c)."""

import ctypes
import mmap
import os
import pathlib
import subprocess

SHORT = -1  # in place of an errno: one read or write moves half of what it was asked to


class _Control(ctypes.Structure):
    _fields_ = [
        ("armed", ctypes.c_int32),
        ("nth", ctypes.c_int32),
        ("error", ctypes.c_int32),
        ("count", ctypes.c_int32),
        ("fired", ctypes.c_int32),
        ("persistent", ctypes.c_int32),
        ("directory", ctypes.c_char * 4096),
        ("last", ctypes.c_char * 4096),
    ]


class IoFaults:
    """The library, built into `folder`, and the memory that it is controlled by."""

    def __init__(self, folder):
        source = pathlib.Path(__file__).parents[1] / "faults" / "io_faults.c"
        self._library = folder / "libio_faults.so"
        compiler = os.environ.get("CC", "cc")
        subprocess.run(
            [compiler, "-shared", "-fPIC", "-O1", "-w", "-o", str(self._library), str(source), "-ldl"], check=True
        )
        self._path = folder / "io_faults.control"
        self._path.write_bytes(bytes(ctypes.sizeof(_Control)))
        with open(self._path, "r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 0)
        self._control = _Control.from_buffer(self._memory)

    def environment(self):
        """For the program under test."""
        return {
            "LD_PRELOAD": str(self._library),
            "HEADRACE_FAULTS": str(self._path),
            # The sanitizer's library wants to be the first one; it works as the second, too.
            "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0",
        }

    def arm(self, directory, nth, error, persistent=False):
        """The `nth` operation below `directory` from now on fails with `error`, or all from then on."""
        self._control.armed = 0
        self._control.directory = str(directory).encode()
        self._control.nth, self._control.error, self._control.persistent = nth, error, persistent
        self._control.count = self._control.fired = 0
        self._control.armed = 1

    def disarm(self):
        """What failed ("call path"), or nothing."""
        self._control.armed = 0
        return self._control.last.decode() if self._control.fired else None

    @property
    def count(self):
        """Operations since the arming."""
        return self._control.count
