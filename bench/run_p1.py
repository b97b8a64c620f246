#!/usr/bin/env python3
"""P1: small v2 infer requests over HTTP, against the stock Triton and the floor."""

from harness import program, repositories, requests, rounds, servers, wrk

_DESCRIPTION = """\
small v2 infer requests over HTTP, Headrace, Triton and the floor in turn
A 64-byte binary tensor at 1, 16 and 64 connections, and a JSON tensor of 16 numbers at 16.
Both servers run the same identity backend. The floor reads and writes and does nothing else.
"""


def _start(stack, results, scratch, floors):
    repository = repositories.identity(scratch / "repository")
    sides = [servers.triton(repository), servers.headrace(repository)]
    for side in sides:
        stack.enter_context(side)
    for mode in floors:
        sides.append(stack.enter_context(servers.floor(mode)))
        servers.wait_listening(sides[-1])
    for side in sides[:2]:
        side.wait_ready()
    return sides


def _compare(title, sides, load, connections, options):
    measures = {
        side.name: lambda side=side: load.run(side, connections, options.seconds) for side in sides
    }
    by_name = {side.name: side for side in sides}
    return rounds.alternate(
        title, measures, options.rounds, lambda name: load.run(by_name[name], connections, 1)
    )


def _judge(results, comparison, connections, form):
    cost = comparison.ratio("cpu_us", "Headrace", "Triton")
    hop = comparison.ratio("cpu_us", "Headrace", "floor + hop")
    rate = comparison.ratio("requests_per_s", "Headrace", "Triton")
    at = f"{form}, c={connections}"
    if connections == 1:
        results.verdict(f"{at}: CPU/request over floor + hop", hop, 1.3, at_most=True)
        results.note(f"{at}: CPU/request over Triton {cost.text(3)}")
    else:
        results.verdict(f"{at}: CPU/request over Triton", cost, 1 / 3, at_most=True, goal=1 / 4)
        results.note(f"{at}: CPU/request over floor + hop {hop.text(3)}")
    if connections == 16:
        results.verdict(f"{at}: throughput over Triton", rate, 2.5, at_most=False)
    else:
        results.note(f"{at}: throughput over Triton {rate.text(2)}")


def _measure(options, results, scratch, stack):
    wrk.require()
    sides = _start(stack, results, scratch, options.floors.split(","))
    binary, plain = requests.binary(64), requests.plain_json(16)
    loads = {
        "binary": wrk.Load(scratch / "binary", binary),
        "JSON": wrk.Load(scratch / "json", plain),
    }
    for side in sides[:2]:
        requests.check_identity(side, binary)
        requests.check_identity(side, plain)
    cases = [("binary", int(c)) for c in options.connections.split(",")] + [("JSON", 16)]
    for form, connections in cases:
        title = f"{form} tensor, {connections} connection(s)"
        comparison = _compare(title, sides, loads[form], connections, options)
        results.comparison(comparison)
        _judge(results, comparison, connections, form)


def _options(parser):
    parser.add_argument("--connections", default="1,16,64", help="of the binary runs")
    parser.add_argument(
        "--floors", default="bare,hop", help="of bare, hop, net, net-hop; hop must be among them"
    )


if __name__ == "__main__":
    program.main("P1", _DESCRIPTION, _measure, more_options=_options)
