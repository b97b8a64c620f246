"""Row 155: a million random arrivals at the real queue, in virtual time."""

import pathlib
import re
import subprocess

import pytest

from harness import server as server_module


def _simulator():
    return pathlib.Path(server_module.program()).resolve().parent / "src" / "engine" / "simulator" / "engine_simulator"


@pytest.mark.row(155)
def test_every_rule_holds_for_a_million_arrivals():
    """Each request is in one batch, in order where that is asked for, no batch is too large or too late."""
    seeds, arrivals = (1000, 40_000) if server_module.is_sanitized() else (25_000, 1_000_000)
    done = subprocess.run(
        [_simulator(), "--seeds", str(seeds)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    counts = re.findall(r"^(queue|sequences): \d+ seeds, .* (\d+) requests in \d+ batches: every rule held", done.stdout, re.M)
    assert [name for name, _ in counts] == ["queue", "sequences"], done.stdout
    assert int(counts[0][1]) >= arrivals
