#!/usr/bin/env python3
"""perf_analyzer, unchanged, against Headrace and the stock Triton."""

import csv
import dataclasses
import subprocess

from harness import processes, program, repositories, requests, rounds, servers

_DESCRIPTION = """\
perf_analyzer, unchanged, over HTTP at 1 and 16 outstanding requests
The identity model with 16 FP32 numbers in a binary tensor; Headrace and Triton in turn.
"""

# Its analysis of a window is quadratic in the requests that were answered since it began, and the
# load goes on meanwhile: with large windows and a fast server it may never end.
_WINDOW_REQUESTS = 4000
_LIMIT_S = 40
_ATTEMPTS = 3


@dataclasses.dataclass(frozen=True)
class Sample:
    """What perf_analyzer says about one run, and the server's CPU for one of its requests."""

    requests_per_s: float
    cpu_us: float
    p50_us: float
    p99_us: float


def _run(server, concurrency, scratch):
    for _ in range(_ATTEMPTS):
        sample = _try(server, concurrency, scratch)
        if sample:
            return sample
    return server.fail(f"perf_analyzer did not end in {_ATTEMPTS} x {_LIMIT_S} s")


def _try(server, concurrency, scratch):
    """One run; None when perf_analyzer had to be stopped."""
    table = scratch / "perf_analyzer.csv"
    command = [servers.peer("perf_analyzer"), "-m", "identity", "-i", "http"]
    command += ["-u", f"{servers.HOST}:{server.port}", "--shape", "INPUT0:16", "-f", table]
    command += [f"--concurrency-range={concurrency}", "--measurement-mode=count_windows"]
    command += [f"--measurement-request-count={_WINDOW_REQUESTS}", "--max-trials=3"]
    command += ["--stability-percentage=999"]
    # The server counts perf_analyzer's warm-up, too.
    count_before = requests.statistics(server, "identity")["inference_count"]
    before = server.cpu_seconds()
    load = processes.start(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        output, _ = load.communicate(timeout=_LIMIT_S)
    except subprocess.TimeoutExpired:
        processes.stop(load)
        return None
    cpu_s = server.cpu_seconds() - before
    inferences = requests.statistics(server, "identity")["inference_count"] - count_before
    if load.returncode != 0 or not table.exists():
        server.fail(f"perf_analyzer ended with {load.returncode}:\n{output}")
    row = next(csv.DictReader(table.open(encoding="utf-8")))
    table.unlink()
    return Sample(
        requests_per_s=float(row["Inferences/Second"]),
        cpu_us=cpu_s * 1e6 / inferences,
        p50_us=float(row["p50 latency"]),
        p99_us=float(row["p99 latency"]),
    )


def _measure(options, results, scratch, stack):
    servers.peer("perf_analyzer")
    repository = repositories.identity(scratch / "repository")
    started = [servers.triton(repository), servers.headrace(repository)]
    sides = {side.name: stack.enter_context(side) for side in started}
    for side in started:
        side.wait_ready()
    for concurrency in (1, 16):
        comparison = rounds.alternate(
            f"perf_analyzer, {concurrency} outstanding",
            {
                name: lambda side=side: _run(side, concurrency, scratch)
                for name, side in sides.items()
            },
            options.rounds,
        )
        results.comparison(comparison)
        rate = comparison.ratio("requests_per_s", "Headrace", "Triton")
        cost = comparison.ratio("cpu_us", "Headrace", "Triton")
        results.note(f"throughput over Triton {rate.text(2)}")
        results.note(f"CPU/request over Triton {cost.text(2)}")


if __name__ == "__main__":
    program.main("perf_analyzer", _DESCRIPTION, _measure, rounds=3)
