#!/usr/bin/env python3
"""What our load generator costs beside wrk, how punctual it sends, and how true its times are."""

import dataclasses

from harness import loadgen, program, repositories, requests, rounds, servers, wrk

_DESCRIPTION = """\
The load generator's own cost and truth, wrk and a blocking socket beside it
Cost: one client at a time on the same server, small answers and large bodies; processor time of the
client's whole process for each request; as closed loops as fast as they can, and our open loop at the
rate that wrk reaches with one connection. Punctuality: an open loop at fixed rates, the lag between the
intended and the real time of sending. Truth: the latency that is reported beside that of a blocking
socket on the same server, and beside the times that a stub server keeps of itself.
"""
_FIGURES = ("requests_per_s", "client_cpu_us", "p50_us", "p99_us")
_LARGE_BYTES = 602_112  # one image of 3 x 224 x 224 FP32
_SMALL_BYTES = 64
_DELAYED, _DELAYED_MS, _IN_STEP = "delayed", 1, 8
_COST_LIMIT = 1.5
_TRUTH_LIMIT = 0.10


@dataclasses.dataclass(frozen=True)
class _Lag:
    """One run of an open loop."""

    requests_per_s: float
    client_cpu_us: float
    lag_p50_us: float
    lag_p99_us: float


@dataclasses.dataclass(frozen=True)
class _Truth:
    """Medians of one closed loop with one connection."""

    p50_us: float
    mean_us: float


def _cost(options, results, title, server, scratch, connections, request=None):
    load = loadgen.Wrk(scratch, request)
    body = scratch / "body" if request else None
    if request:
        body.write_bytes(request.body)
    target = server.url + (request.path if request else "/")
    headers = request.headers if request else {}
    sides = {
        "loadgen": lambda: loadgen.sample(
            loadgen.run("closed", target, connections, options.seconds, body, headers)
        ),
        "wrk": lambda: load.run(target, connections, options.seconds),
    }
    comparison = rounds.alternate(
        f"{title}, {connections} connection(s)",
        sides,
        options.rounds,
        lambda name: sides[name](),
    )
    results.comparison(comparison, _FIGURES)
    ratio = comparison.ratio("client_cpu_us", "loadgen", "wrk")
    results.verdict("CPU/request over wrk", ratio, _COST_LIMIT, at_most=True)


def _cost_at_one_rate(options, results, title, server, connections, load, body=None, request=None):
    """wrk has no rate: what it reaches in a closed loop is the rate of our open loop in the same round."""
    target = server.url + (request.path if request else "/")
    headers = request.headers if request else {}
    reached = []

    def closed():
        sample = load.run(target, connections, options.seconds)
        reached.append(sample.requests_per_s)
        return sample

    def opened():
        if not reached:
            closed()
        return loadgen.sample(loadgen.run("open", target, int(reached[-1]), options.seconds, body, headers))

    comparison = rounds.alternate(title, {"wrk": closed, "open loop": opened}, options.rounds)
    results.comparison(comparison, _FIGURES)
    return comparison.ratio("client_cpu_us", "open loop", "wrk")


def _cost_of_an_open_loop(options, results, floor, scratch, stack):
    load = loadgen.Wrk(scratch / "open")
    ratio = _cost_at_one_rate(options, results, "An open loop at the rate of wrk's one connection", floor, 1, load)
    results.verdict("CPU/request over wrk, open loop", ratio, _COST_LIMIT, at_most=True)
    # Eight connections that a server holds for the same time answer in step: a closed loop is woken once for all of
    # them, and an open one, whose requests are spread, for each.
    repository = scratch / "repository"
    repositories.add_identity(repository, _DELAYED, instance_count=_IN_STEP, execute_delay_ms=_DELAYED_MS)
    server = stack.enter_context(servers.headrace(repository))
    server.wait_ready()
    request = requests.binary(_SMALL_BYTES, _DELAYED)
    body = scratch / "open" / "body"
    body.write_bytes(request.body)
    load = loadgen.Wrk(scratch / "in-step", request)
    title = f"The same, {_IN_STEP} connections in step, a server that takes {_DELAYED_MS} ms"
    ratio = _cost_at_one_rate(options, results, title, server, _IN_STEP, load, body, request)
    results.note(f"CPU/request over wrk, open loop beside one in step: {ratio.text(2)}")


def _lag(result):
    return _Lag(
        requests_per_s=result["requests_per_s"],
        client_cpu_us=result["process_cpu_us"],
        lag_p50_us=result["lag_us"]["p50"],
        lag_p99_us=result["lag_us"]["p99"],
    )


def _punctuality(options, results, server):
    sides = {
        f"open, {rate:,}/s": lambda rate=rate: _lag(
            loadgen.run("open", server.url + "/", rate, options.seconds)
        )
        for rate in (1000, 10_000, 20_000)
    }
    comparison = rounds.alternate("Punctuality of an open loop", sides, options.rounds)
    results.comparison(comparison, ("requests_per_s", "client_cpu_us", "lag_p50_us", "lag_p99_us"))


def _truth(latency_us):
    return _Truth(p50_us=latency_us["p50"], mean_us=latency_us["mean"])


def _verdict_of_truth(results, comparison, side, other):
    ratio = comparison.ratio("p50_us", side, other)
    error = rounds.Spread.of([abs(value - 1) for value in (ratio.median,)])
    results.note(f"p50 of {side} over {other}: {ratio.text(3)}")
    results.verdict(f"{side}: p50 off {other}'s by", error, _TRUTH_LIMIT, at_most=True)


def _null_server(options, results, server):
    url = server.url + "/"
    sides = {
        name: lambda mode=mode: _truth(loadgen.run(mode, url, 1, options.seconds)["service_us"])
        for name, mode in (("loadgen", "closed"), ("blocking socket", "blocking"))
    }
    comparison = rounds.alternate("Truth on a null server, one connection", sides, options.rounds)
    results.comparison(comparison, ("p50_us", "mean_us"))
    _verdict_of_truth(results, comparison, "loadgen", "blocking socket")


def _stub_server(options, results):
    for delay_us in (1000, 5000):
        samples = {"loadgen": [], "stub": []}
        for _ in range(options.rounds):
            result = loadgen.run("stub", delay_us, 8, options.seconds)
            samples["loadgen"].append(_truth(result["service_us"]))
            samples["stub"].append(_truth(result["stub_us"]))
        comparison = rounds.Comparison(f"Truth beside a stub of {delay_us:,} us", samples, [])
        results.comparison(comparison, ("p50_us", "mean_us"))
        _verdict_of_truth(results, comparison, "loadgen", "stub")


def _measure(options, results, scratch, stack):
    wrk.require()
    loadgen.program()
    floor = stack.enter_context(servers.floor("bare"))
    servers.wait_listening(floor)
    for connections in (1, 8, 64):
        _cost(options, results, "280 bytes out", floor, scratch, connections)
    echo = stack.enter_context(servers.floor_echo())
    servers.wait_listening(echo)
    large = requests.binary(_LARGE_BYTES)
    _cost(options, results, f"{_LARGE_BYTES:,} bytes in and out", echo, scratch, 8, large)
    _cost_of_an_open_loop(options, results, floor, scratch, stack)
    _punctuality(options, results, floor)
    _null_server(options, results, floor)
    _stub_server(options, results)


if __name__ == "__main__":
    program.main("Load generator", _DESCRIPTION, _measure)
