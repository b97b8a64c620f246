#!/usr/bin/env python3
"""P2: small ModelInfer calls over gRPC, against the stock Triton."""

from harness import grpc_calls, h2load, program, repositories, rounds, servers

_DESCRIPTION = """\
small ModelInfer calls over gRPC, Headrace and Triton in turn
A 64-byte tensor at 16 and 64 streams of one connection. Both servers run the same identity backend.
"""


def _measure(options, results, scratch, stack):
    h2load.require()
    repository = repositories.identity(scratch / "repository")
    request = grpc_calls.message(64)
    load = h2load.Load(scratch / "load", grpc_calls.METHOD, request.SerializeToString())
    started = [servers.triton(repository, grpc=True), servers.headrace(repository)]
    sides = {side.name: stack.enter_context(side) for side in started}
    for side in started:
        side.wait_ready()
        grpc_calls.check_identity(side, request)
    for streams in (16, 64):
        comparison = rounds.alternate(
            f"64-byte tensor, {streams} streams",
            {name: lambda side=side: load.run(side, 1, streams, options.seconds) for name, side in sides.items()},
            options.rounds,
            lambda name: load.run(sides[name], 1, streams, 1),
        )
        results.comparison(comparison)
        cost = comparison.ratio("cpu_us", "Headrace", "Triton")
        rate = comparison.ratio("requests_per_s", "Headrace", "Triton")
        results.verdict(f"m={streams}: CPU/request over Triton", cost, 1 / 6, at_most=True, goal=1 / 10)
        results.verdict(f"m={streams}: throughput over Triton", rate, 4, at_most=False)


if __name__ == "__main__":
    program.main("P2", _DESCRIPTION, _measure)
