#!/usr/bin/env python3
"""P7: latency of one small v2 infer request at a time."""

from harness import program, repositories, requests, rounds, servers, wrk

_DESCRIPTION = """\
latency of one small v2 infer request at a time over HTTP
One connection, a 64-byte binary tensor; Headrace, Triton, the floor and the floor with a hop to a
second thread and back, in turn.
"""


def _measure(options, results, scratch, stack):
    wrk.require()
    repository = repositories.identity(scratch / "repository")
    request = requests.binary(64)
    load = wrk.Load(scratch / "load", request)
    models = [servers.triton(repository), servers.headrace(repository)]
    floors = [servers.floor("bare"), servers.floor("hop")]
    sides = {side.name: stack.enter_context(side) for side in [*models, *floors]}
    for side in floors:
        servers.wait_listening(side)
    for side in models:
        side.wait_ready()
        requests.check_identity(side, request)
    comparison = rounds.alternate(
        "64-byte binary tensor, 1 connection",
        {
            name: lambda side=side: load.run(side, 1, options.seconds)
            for name, side in sides.items()
        },
        options.rounds,
        lambda name: load.run(sides[name], 1, 1),
    )
    results.comparison(comparison)
    for figure, what in (("p50_us", "p50"), ("p99_us", "p99")):
        floor = comparison.ratio(figure, "Headrace", "floor + hop")
        triton = comparison.ratio(figure, "Headrace", "Triton")
        if figure == "p50_us":
            results.verdict("p50 over floor + hop", floor, 1.25, at_most=True)
            results.verdict("p50 over Triton", triton, 1.0, at_most=True)
        else:
            results.note(f"{what} over floor + hop {floor.text(2)}, over Triton {triton.text(2)}")


if __name__ == "__main__":
    program.main("P7", _DESCRIPTION, _measure)
