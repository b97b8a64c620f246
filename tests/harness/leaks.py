"""Repeats something and says what the server kept of it."""

from harness import resources
from harness import server as server_module

GROWTH_MAX = 1 << 20
REPEATS = 100
REPEATS_SANITIZED = 5


def repeat(server, action, repeats=REPEATS, warm_up=10):
    """Runs `action` `repeats` times; the server's memory must not grow by a MiB, its descriptors and threads not at
    all. Allocators need `warm_up` rounds to reach their size. Sanitizers keep freed memory, so that there only the
    verdicts count, of fewer rounds."""
    sanitized = server_module.is_sanitized()
    for _ in range(1 if sanitized else warm_up):
        action()
    before = resources.baseline(server.pid)
    for _ in range(REPEATS_SANITIZED if sanitized else repeats):
        action()
    after = resources.settled(server.pid, before)
    assert after.descriptors <= before.descriptors, (before, after)
    assert after.threads <= before.threads, (before, after)
    if not sanitized:
        assert after.resident_bytes - before.resident_bytes < GROWTH_MAX, (before, after)
