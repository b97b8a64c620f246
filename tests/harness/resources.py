"""What a process holds, from /proc."""

import dataclasses
import os
import select
import time


@dataclasses.dataclass(frozen=True)
class Resources:
    """A reading of one process."""

    descriptors: int
    threads: int
    resident_bytes: int
    targets: tuple = dataclasses.field(default=(), compare=False)  # of the descriptors, for messages


def _targets(pid):
    links = []
    for name in sorted(os.listdir(f"/proc/{pid}/fd"), key=int):
        try:
            links.append(f"{name}:{os.readlink(f'/proc/{pid}/fd/{name}')}")
        except FileNotFoundError:
            pass  # closed since
    return tuple(links)


def read(pid):
    """The resources of process `pid` now."""
    with open(f"/proc/{pid}/statm", encoding="ascii") as statm:
        resident_pages = int(statm.read().split()[1])
    targets = _targets(pid)
    return Resources(
        descriptors=len(targets),
        threads=len(os.listdir(f"/proc/{pid}/task")),
        resident_bytes=resident_pages * os.sysconf("SC_PAGE_SIZE"),
        targets=targets,
    )


def baseline(pid, readings=5):
    """What others are measured against: of several readings the one with the most descriptors, because a list that is
    read while it changes may lack some."""
    return max((read(pid) for _ in range(readings)), key=lambda reading: reading.descriptors)


# How long the last closed connections may take to leave the server.
SETTLE_LIMIT_S = 10.0


def settled(pid, before):
    """A reading whose descriptors and threads are back to those of `before`, or the last one when time is over.

    Closed connections leave the server a moment after the client's close, so the first reading may be early.
    """
    deadline = time.monotonic() + SETTLE_LIMIT_S
    while True:
        reading = read(pid)
        back = reading.descriptors <= before.descriptors and reading.threads <= before.threads
        if back or time.monotonic() > deadline:
            return reading
        select.select([], [], [], 0.002)


def _status_bytes(pid, field):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        for line in status:
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    raise KeyError(field)


def restart_peak(pid):
    """Makes `peak_resident_bytes` count from now on; the resident bytes now."""
    with open(f"/proc/{pid}/clear_refs", "w", encoding="ascii") as clear_refs:
        clear_refs.write("5")
    return _status_bytes(pid, "VmRSS")


def peak_resident_bytes(pid):
    """The most that was resident since `restart_peak`."""
    return _status_bytes(pid, "VmHWM")
