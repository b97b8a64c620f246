#!/usr/bin/env python3
"""P3, the gRPC half: large tensors in and out, against the stock Triton."""

from harness import grpc_calls, h2load, program, repositories, rounds, servers

_BYTES = 602_112  # one image of 3 x 224 x 224 FP32
_DESCRIPTION = """\
602,112-byte tensors in and out over gRPC, Headrace and Triton in turn
Both servers run the same identity backend, at 1 and 8 connections with one stream each.
"""


def _measure(options, results, scratch, stack):
    h2load.require()
    repository = repositories.identity(scratch / "repository")
    request = grpc_calls.message(_BYTES)
    load = h2load.Load(scratch / "load", grpc_calls.METHOD, request.SerializeToString())
    started = [servers.triton(repository, grpc=True), servers.headrace(repository)]
    sides = {side.name: stack.enter_context(side) for side in started}
    for side in started:
        side.wait_ready()
        grpc_calls.check_identity(side, request)
    for connections in (1, 8):
        comparison = rounds.alternate(
            f"{_BYTES:,} bytes in and out, {connections} connection(s)",
            {name: lambda side=side: load.run(side, connections, 1, options.seconds) for name, side in sides.items()},
            options.rounds,
            lambda name: load.run(sides[name], connections, 1, 1),
        )
        results.comparison(comparison)
        at = f"c={connections}"
        cost = comparison.ratio("cpu_us", "Headrace", "Triton")
        rate = comparison.ratio("requests_per_s", "Headrace", "Triton")
        results.verdict(f"{at}: CPU/request over Triton", cost, 1 / 3, at_most=True)
        results.note(f"{at}: throughput over Triton {rate.text(2)}")


if __name__ == "__main__":
    program.main("P3 over gRPC", _DESCRIPTION, _measure)
