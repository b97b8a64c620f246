"""Waiting for what another process does, without sleeping for a fixed time."""

import select
import time


def until(condition, what, limit_s=20.0):
    """Asks `condition` again and again until it holds; its value."""
    deadline = time.monotonic() + limit_s
    while True:
        if value := condition():
            return value
        assert time.monotonic() < deadline, f"not within {limit_s} s: {what}"
        select.select([], [], [], 0.005)


def readable(sockets, limit_s):
    """Those of `sockets` that can be read, after at most `limit_s`."""
    poll = select.poll()
    by_fd = {}
    for one in sockets:
        by_fd[one.fileno()] = one
        poll.register(one, select.POLLIN)
    return [by_fd[fd] for fd, _ in poll.poll(max(0, int(limit_s * 1000)))]
