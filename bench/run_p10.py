#!/usr/bin/env python3
"""P10: cost stays linear: a thousand models, and long queues."""

import dataclasses
import os
import pathlib
import subprocess
import time

from harness import processes, program, repositories, requests, rounds, servers, wrk

_DESCRIPTION = """\
CPU per request with a thousand loaded models and with long queues
One identity model loaded, a thousand loaded and one asked, a thousand asked in turn; the time to
start with 1, 250, 500 and 1,000; the same load at growing numbers of waiting requests.
"""


@dataclasses.dataclass(frozen=True)
class Start:
    """Start-up with many models."""

    ready_s: float
    ms_per_model: float
    threads: int
    pss_mib: float
    idle_cpu_percent: float


def _models(scratch, count):
    repository = scratch / f"models-{count}"
    for i in range(count):
        repositories.add_identity(repository, f"identity_{i}")
    return repository


def _start(make, repository, count, base_s):
    with make(repository) as server:
        ready_s = server.wait_ready()
        time.sleep(0.5)
        before = server.cpu_seconds()
        time.sleep(1)
        idle_cpu = server.cpu_seconds() - before
        return Start(
            ready_s=ready_s,
            ms_per_model=(ready_s - base_s) * 1e3 / count,
            threads=processes.thread_count(server.pid),
            pss_mib=server.pss_bytes() / 2**20,
            idle_cpu_percent=idle_cpu * 100,
        )


def _starts(options, results, scratch, repositories_by_count):
    with servers.headrace(repositories_by_count[1]) as server:
        base_s = server.wait_ready()
    sides = {
        f"Headrace, {count:,} models": lambda path=path, count=count: _start(
            servers.headrace, path, count, base_s
        )
        for count, path in repositories_by_count.items()
    }
    most = max(repositories_by_count)
    sides[f"Triton, {most:,} models"] = lambda: _start(
        servers.triton, repositories_by_count[most], most, 0
    )
    comparison = rounds.alternate("start with many models", sides, min(options.rounds, 3))
    figures = tuple(field.name for field in dataclasses.fields(Start))
    results.comparison(comparison, figures=figures)


def _cost_of_models(options, results, scratch, stack, repositories_by_count):
    most = max(repositories_by_count)
    one = stack.enter_context(servers.headrace(repositories_by_count[1], name="one model"))
    many = stack.enter_context(servers.headrace(repositories_by_count[most], name="many models"))
    one.wait_ready()
    many.wait_ready()
    request = requests.binary(64, model="identity_0")
    single = wrk.Load(scratch / "single", request)
    paths = [f"/v2/models/identity_{i}/infer" for i in range(most)]
    in_turn = wrk.Load(scratch / "in-turn", request, paths)
    for connections in (1, 16):
        sides = {
            "one loaded": lambda: single.run(one, connections, options.seconds),
            f"{most:,} loaded, one asked": lambda: single.run(many, connections, options.seconds),
            f"{most:,} asked in turn": lambda: in_turn.run(many, connections, options.seconds),
        }
        comparison = rounds.alternate(
            f"{most:,} models, {connections} connection(s)", sides, options.rounds, lambda _: None
        )
        results.comparison(comparison)
        names = comparison.sides()
        loaded = comparison.ratio("cpu_us", names[1], names[0])
        turn = comparison.ratio("cpu_us", names[2], names[0])
        what = f"c={connections}: CPU/request with {most:,} loaded over one loaded"
        results.verdict(what, loaded, 1.1, at_most=True)
        results.note(f"c={connections}: CPU/request with all asked in turn over one {turn.text(2)}")


def _cost_of_queues(options, results, scratch, stack):
    # An execution takes 10 ms whatever its batch: requests arrive faster than they leave.
    repository = scratch / "slow"
    repositories.add_identity(
        repository, "slow", max_batch_size=32, extra="dynamic_batching { }\n", execute_delay_ms=10
    )
    server = stack.enter_context(servers.headrace(repository, "--http-max-connections=20000"))
    server.wait_ready()
    request = requests.binary(64, model="slow", shape=[1, 16])
    requests.exchange(server, request)
    load = wrk.Load(scratch / "slow-load", request)
    seconds = max(options.seconds, 8)
    sides = {
        f"{count:,} waiting": lambda count=count: load.run(server, count, seconds)
        for count in (100, 1_000, 10_000)
    }
    comparison = rounds.alternate("requests waiting in one queue", sides, min(options.rounds, 3))
    results.comparison(comparison)
    for side in comparison.sides()[1:]:
        ratio = comparison.ratio("cpu_us", side, comparison.sides()[0])
        results.note(f"CPU/request at {side} over 100 waiting {ratio.text(2)}")


def _queue_program(results):
    name = os.environ.get("HEADRACE_ENGINE_BENCH")
    build = servers.headrace_program().parent
    path = pathlib.Path(name or build / "src" / "engine" / "engine_queue_bench")
    if not path.exists():
        results.note(f"the queue without a network: {path} is not built")
        return
    results.note("the queue without a network:")
    output = subprocess.run([path], capture_output=True, text=True, check=True, timeout=300).stdout
    for line in output.splitlines():
        results.note(line)


def _measure(options, results, scratch, stack):
    wrk.require()
    servers.peer("tritonserver")
    by_count = {count: _models(scratch, count) for count in sorted({1, *options.models})}
    _queue_program(results)
    _cost_of_queues(options, results, scratch, stack)
    _cost_of_models(options, results, scratch, stack, by_count)
    _starts(options, results, scratch, by_count)


def _options(parser):
    parser.add_argument("--models", type=int, nargs="+", default=[1, 250, 500, 1000])


if __name__ == "__main__":
    program.main("P10", _DESCRIPTION, _measure, seconds=3, more_options=_options)
