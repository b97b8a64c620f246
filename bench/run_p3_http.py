#!/usr/bin/env python3
"""P3, the HTTP half: large tensors in and out, against the stock Triton."""

from harness import program, repositories, requests, rounds, servers, wrk

_BYTES = 602_112  # one image of 3 x 224 x 224 FP32
_DESCRIPTION = """\
602,112-byte binary tensors in and out over HTTP, Headrace, Triton and the floor in turn
Both servers run the same identity backend, at 1 and 8 connections. The floor brings the body in and
the same body out, without a copy or a second thread.
"""


def _measure(options, results, scratch, stack):
    wrk.require()
    repository = repositories.identity(scratch / "repository")
    request = requests.binary(_BYTES)
    load = wrk.Load(scratch / "load", request)
    started = [servers.triton(repository), servers.headrace(repository)]
    floor = servers.floor_echo()
    sides = {side.name: stack.enter_context(side) for side in [*started, floor]}
    servers.wait_listening(floor)
    for side in started:
        side.wait_ready()
        requests.check_identity(side, request)
    for connections in (1, 8):
        comparison = rounds.alternate(
            f"{_BYTES:,} bytes in and out, {connections} connection(s)",
            {
                name: lambda side=side: load.run(side, connections, options.seconds)
                for name, side in sides.items()
            },
            options.rounds,
            lambda name: load.run(sides[name], connections, 1),
        )
        results.comparison(comparison)
        at = f"c={connections}"
        cost = comparison.ratio("cpu_us", "Headrace", "Triton")
        rate = comparison.ratio("requests_per_s", "Headrace", "Triton")
        results.verdict(f"{at}: CPU/request over Triton", cost, 1 / 3, at_most=True)
        bare = comparison.ratio("cpu_us", "floor, echo", "Triton")
        results.note(f"{at}: throughput over Triton {rate.text(2)}")
        results.note(f"{at}: CPU/request of the floor over Triton {bare.text(3)}")


if __name__ == "__main__":
    program.main("P3 over HTTP", _DESCRIPTION, _measure)
