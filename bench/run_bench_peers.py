#!/usr/bin/env python3
"""`headrace bench` beside perf_analyzer, wrk, hey and h2load on the same server."""

import csv
import dataclasses
import json
import re
import shutil
import subprocess

from harness import processes, program, repositories, requests, rounds, servers, wrk

_DESCRIPTION = """\
headrace bench beside perf_analyzer, wrk, hey and h2load, closed loops over HTTP/1.1
One Headrace with identity models, 16 FP32 numbers in a binary tensor, four requests out at a time, the same bytes from
each tool, in turn. With a model that takes 5 ms all of them measure right, and must agree; with one that takes no time
the tools share the processors with the server, so that their own cost shows.
"""

_CONCURRENCY = 4
_SHAPE = "INPUT0:16"
_BODY_BYTES = 64
_DELAY_MS = 5
_AGREE = 0.05
_WINDOWS = {"delayed": 200, "identity": 4000}  # requests of one of perf_analyzer's
_FIGURES = ("requests_per_s", "client_cpu_us", "p50_us", "p99_us")


@dataclasses.dataclass(frozen=True)
class Sample:
    """What one tool says of one run, and the CPU that it took itself."""

    requests_per_s: float
    client_cpu_us: float
    p50_us: float
    p99_us: float


def _run(server, command, limit_s):
    """Runs a tool to its end; what it wrote, and the CPU that it used."""
    before = processes.children_cpu_seconds()
    tool = processes.start(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        output, _ = tool.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        processes.stop(tool)
        return server.fail(f"{command[0]} did not end in {limit_s} s")
    if tool.returncode != 0:
        server.fail(f"{command[0]} ended with {tool.returncode}:\n{output}")
    return output, processes.children_cpu_seconds() - before


def _cpu_us(cpu_s, count):
    return cpu_s * 1e6 / max(count, 1)


def _headrace(server, model, seconds, scratch):
    result = scratch / "bench.json"
    command = [servers.headrace_program(), "bench", "-m", model, "-u", f"{servers.HOST}:{server.port}"]
    command += ["--shape", _SHAPE, "--concurrency", _CONCURRENCY, "--duration", f"{seconds}s", "--quiet"]
    command += ["--metrics-interval", "0", "--json", result]
    # The whole process's CPU over all that it sent, warm-up too: as with the others.
    count_before = requests.statistics(server, model)["inference_count"]
    _, cpu_s = _run(server, command, seconds + 60)
    count = requests.statistics(server, model)["inference_count"] - count_before
    (level,) = json.loads(result.read_text(encoding="utf-8"))["levels"]
    percentiles = level["response_time_ns"]["percentiles"]
    return Sample(
        requests_per_s=level["request_rate"],
        client_cpu_us=_cpu_us(cpu_s, count),
        p50_us=percentiles["50"]["value"] / 1e3,
        p99_us=percentiles["99"]["value"] / 1e3,
    )


def _perf_analyzer(server, model, seconds, scratch):
    table = scratch / "perf_analyzer.csv"
    command = [servers.peer("perf_analyzer"), "-m", model, "-u", f"{servers.HOST}:{server.port}", "-f", table]
    command += ["--shape", _SHAPE, f"--concurrency-range={_CONCURRENCY}", "--max-trials=3"]
    # Its analysis is quadratic in a window's requests, so a window has few; three of them make its result.
    command += ["--measurement-mode=count_windows", "--stability-percentage=999"]
    command += [f"--measurement-request-count={_WINDOWS[model]}"]
    count_before = requests.statistics(server, model)["inference_count"]
    _, cpu_s = _run(server, command, seconds + 120)
    count = requests.statistics(server, model)["inference_count"] - count_before
    row = next(csv.DictReader(table.open(encoding="utf-8")))
    return Sample(
        requests_per_s=float(row["Inferences/Second"]),
        client_cpu_us=_cpu_us(cpu_s, count),
        p50_us=float(row["p50 latency"]),
        p99_us=float(row["p99 latency"]),
    )


def _wrk(server, load, seconds):
    before = processes.children_cpu_seconds()
    sample = load.run(server, _CONCURRENCY, seconds)
    cpu_s = processes.children_cpu_seconds() - before
    return Sample(sample.requests_per_s, _cpu_us(cpu_s, sample.requests), sample.p50_us, sample.p99_us)


def _hey(server, request, body, seconds):
    command = ["hey", "-z", f"{seconds}s", "-c", _CONCURRENCY, "-m", "POST", "-D", body]
    for name, value in request.headers.items():
        command += ["-H", f"{name}: {value}"]
    output, cpu_s = _run(server, [*command, server.url + request.path], seconds + 60)
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", output).group(1))
    count = int(re.search(r"\[200\]\s+(\d+) responses", output).group(1))
    times = {share: float(text) * 1e6 for share, text in re.findall(r"(\d+)%+ in ([\d.]+) secs", output)}
    return Sample(rate, _cpu_us(cpu_s, count), times["50"], times["99"])


def _h2load(server, request, body, seconds):
    log = body.parent / "h2load.log"
    log.unlink(missing_ok=True)
    command = ["h2load", "--h1", "-t1", f"-c{_CONCURRENCY}", f"-D{seconds}", "-d", body, f"--log-file={log}"]
    for name, value in request.headers.items():
        command += ["-H", f"{name}: {value}"]
    output, cpu_s = _run(server, [*command, server.url + request.path], seconds + 60)
    rate = float(re.search(r"finished in [\d.]+\w+, ([\d.]+) req/s", output).group(1))
    # It tells no percentiles, but each time, in microseconds.
    times = sorted(int(line.split("\t")[2]) for line in log.read_text(encoding="ascii").splitlines())
    last = len(times) - 1
    return Sample(rate, _cpu_us(cpu_s, len(times)), times[len(times) // 2], times[min(last, len(times) * 99 // 100)])


def _tools(server, model, seconds, scratch):
    request = requests.binary(_BODY_BYTES, model)
    body = scratch / f"body-{model}"
    body.write_bytes(request.body)
    tools = {"headrace bench": lambda: _headrace(server, model, seconds, scratch)}
    if servers.has_peer("perf_analyzer"):
        tools["perf_analyzer"] = lambda: _perf_analyzer(server, model, seconds, scratch)
    if shutil.which("wrk"):
        load = wrk.Load(scratch / f"wrk-{model}", request)
        tools["wrk"] = lambda: _wrk(server, load, seconds)
    if shutil.which("hey"):
        tools["hey"] = lambda: _hey(server, request, body, seconds)
    if shutil.which("h2load"):
        tools["h2load"] = lambda: _h2load(server, request, body, seconds)
    return tools


def _measure(options, results, scratch, stack):
    repository = repositories.identity(scratch / "repository")
    repositories.add_identity(repository, "delayed", execute_delay_ms=_DELAY_MS)
    server = stack.enter_context(servers.headrace(repository))
    server.wait_ready()
    for model, title in (("delayed", f"a model that takes {_DELAY_MS} ms"), ("identity", "a model that takes no time")):
        tools = _tools(server, model, options.seconds, scratch)
        comparison = rounds.alternate(f"{title}, {_CONCURRENCY} requests out", tools, options.rounds)
        results.comparison(comparison, _FIGURES)
        for name in list(tools)[1:]:
            rate = comparison.ratio("requests_per_s", "headrace bench", name)
            median = comparison.ratio("p50_us", "headrace bench", name)
            cost = comparison.ratio("client_cpu_us", "headrace bench", name)
            if model == "delayed":
                for what, ratio in (("rate", rate), ("p50", median)):
                    results.verdict(f"{what} over {name}", ratio, 1 - _AGREE, at_most=False)
                    results.verdict(f"{what} over {name}", ratio, 1 + _AGREE, at_most=True)
            else:
                results.note(f"over {name}: rate {rate.text(2)}, p50 {median.text(2)}, client CPU {cost.text(2)}")


if __name__ == "__main__":
    program.main("bench peers", _DESCRIPTION, _measure, rounds=3, seconds=4)
