#!/usr/bin/env python3
"""P8: start-up time and the memory of idle connections."""

import dataclasses
import time

from harness import idle, program, repositories, rounds, servers

_DELAY_S = 1
_DESCRIPTION = """\
time from the start of the program until it is ready, and the cost of 10,000 idle connections
Ready: the first 200 of /v2/health/ready. The model that takes long loads in a whole second (the
identity backend's creation_delay_sec); the target is for one that takes 0.5 s, so half a second
is taken off. Idle connections have each had one answer.
"""


@dataclasses.dataclass(frozen=True)
class Ready:
    """Seconds from the start of the process until it was ready."""

    ready_s: float


@dataclasses.dataclass(frozen=True)
class Idle:
    """What one idle connection costs."""

    process_bytes: float
    kernel_bytes: float
    still_open: int


def _start(make, repository):
    with make(repository) as server:
        return Ready(server.wait_ready())


def _starts(options, results, scratch):
    fast = repositories.identity(scratch / "fast")
    slow = scratch / "slow"
    repositories.add_identity(slow, "slow", creation_delay_sec=_DELAY_S)
    sides = {
        "Triton": lambda: _start(servers.triton, fast),
        "Headrace": lambda: _start(servers.headrace, fast),
        "Headrace, model that loads in 1 s": lambda: _start(servers.headrace, slow),
    }
    demo = servers.ROOT / "build" / "demo-repository"
    engine = servers.backend_directory() / "onnxruntime" / "libtriton_onnxruntime.so"
    if (demo / "efficientnet_lite0").exists() and engine.exists():
        image = scratch / "image"
        repositories.copy_model(
            image, demo / "efficientnet_lite0", {r"max_batch_size: \d+": "max_batch_size: 8"}
        )
        sides["Headrace, EfficientNet-Lite0"] = lambda: _start(servers.headrace, image)
    comparison = rounds.alternate("seconds until ready", sides, options.rounds)
    results.comparison(comparison, figures=("ready_s",))
    slow_s = comparison.spread("Headrace, model that loads in 1 s", "ready_s")
    half = rounds.Spread(*(value - _DELAY_S + 0.5 for value in dataclasses.astuple(slow_s)))
    results.verdict("s until ready, model that loads in 0.5 s", half, 1.0, at_most=True)


def _settled_pss(server):
    """PSS once two readings agree: the server may still be busy with what came before."""
    before = server.pss_bytes()
    while True:
        time.sleep(0.2)
        after = server.pss_bytes()
        if abs(after - before) < 64 * 1024:
            return after
        before = after


def _idle_run(make, repository, count):
    with make(repository) as server:
        server.wait_ready()
        # The first connections pay for what all share.
        for connection in idle.open_connections(server.port, 50):
            connection.close()
        pss = _settled_pss(server)
        kernel = idle.kernel_socket_bytes()
        sockets = idle.open_connections(server.port, count)
        grown = _settled_pss(server) - pss
        grown_kernel = idle.kernel_socket_bytes() - kernel
        still_open = idle.count_open(sockets)
        for connection in sockets:
            connection.close()
    # The clients' ends are on this machine, too: half of the kernel's bytes are theirs.
    return Idle(grown / count, grown_kernel / 2 / count, still_open)


def _idle_connections(options, results, scratch):
    # The client needs a descriptor for each, and so does the server.
    count = min(options.connections, program.raise_descriptor_limit() - 200)
    repository = repositories.identity(scratch / "idle")
    many = f"--http-max-connections={count + 1000}"
    sides = {
        "Triton": lambda: _idle_run(servers.triton, repository, count),
        "Headrace": lambda: _idle_run(lambda path: servers.headrace(path, many), repository, count),
    }
    comparison = rounds.alternate(f"{count:,} idle connections", sides, min(options.rounds, 3))
    results.comparison(comparison, figures=("process_bytes", "kernel_bytes", "still_open"))
    if count < options.connections:
        results.note(f"the limit on descriptors allows only {count:,} connections")
    if comparison.spread("Headrace", "still_open").minimum < count:
        results.note("Headrace closed some of the idle connections")
    spread = comparison.spread("Headrace", "process_bytes")
    results.verdict("bytes of PSS for an idle connection", spread, 10 * 1024, at_most=True)


def _measure(options, results, scratch, stack):
    del stack  # every server ends within its own run
    servers.peer("tritonserver")
    _starts(options, results, scratch)
    _idle_connections(options, results, scratch)


def _options(parser):
    parser.add_argument("--connections", type=int, default=10_000, help="idle ones, default 10000")


if __name__ == "__main__":
    program.main("P8", _DESCRIPTION, _measure, more_options=_options)
