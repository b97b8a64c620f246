"""What a process holds, from /proc."""

import dataclasses
import os
import time


@dataclasses.dataclass(frozen=True)
class Resources:
    """A reading of one process."""

    descriptors: int
    threads: int
    resident_bytes: int


def read(pid):
    """The resources of process `pid` now."""
    with open(f"/proc/{pid}/statm", encoding="ascii") as statm:
        resident_pages = int(statm.read().split()[1])
    return Resources(
        descriptors=len(os.listdir(f"/proc/{pid}/fd")),
        threads=len(os.listdir(f"/proc/{pid}/task")),
        resident_bytes=resident_pages * os.sysconf("SC_PAGE_SIZE"),
    )


def settled(pid, baseline, limit_s=10.0):
    """A reading whose descriptors are back to `baseline`'s, or the last one when `limit_s` has passed.

    Closed connections leave the server a moment after the client's close, so the first reading may be early.
    """
    deadline = time.monotonic() + limit_s
    while True:
        reading = read(pid)
        if reading.descriptors <= baseline.descriptors or time.monotonic() > deadline:
            return reading
        os.sched_yield()
