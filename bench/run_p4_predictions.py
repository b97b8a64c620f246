#!/usr/bin/env python3
"""P4, the handler half: a handler that does nothing through /predictions, against TorchServe."""

import json
import pathlib
import sys
import zipfile

from harness import program, requests, rounds, servers, wrk

_HANDLER = """\
def handle(rows, context):
    return ["ok"] * len(rows or [])
"""
_DESCRIPTION = """\
a handler that does nothing through /predictions, Headrace and TorchServe in turn
The same .mar, one worker and batches of one on both sides; a 64-byte body at 8 and 64 connections.
"""


def _archive(path):
    manifest = {"runtime": "python", "model": {"modelName": "noop", "modelVersion": "1.0", "handler": "noop.py"}}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("noop.py", _HANDLER)
        archive.writestr("MAR-INF/MANIFEST.json", json.dumps(manifest))


def _measure(options, results, scratch, stack):
    wrk.require()
    store, repository = scratch / "store", scratch / "repository"
    store.mkdir()
    (repository / "noop" / "1").mkdir(parents=True)
    _archive(store / "noop.mar")
    _archive(repository / "noop" / "1" / "noop.mar")
    request = requests.Request("/predictions/noop", {"Content-Type": "application/octet-stream"}, bytes(64))
    load = wrk.Load(scratch / "load", request)
    interpreter = pathlib.Path(sys.executable)
    started = [
        servers.torchserve(store, "noop", scratch / "torchserve"),
        servers.headrace(repository, f"--backend-config=handler,interpreter={interpreter}", "--allow-grpc=false"),
    ]
    sides = {side.name: stack.enter_context(side) for side in started}
    for side in started:
        side.wait_ready("/predictions/noop", 0.2)
    for connections in (8, 64):
        comparison = rounds.alternate(
            f"64 bytes to a handler, {connections} connections",
            {name: lambda side=side: load.run(side, connections, options.seconds) for name, side in sides.items()},
            options.rounds,
            lambda name: load.run(sides[name], connections, 2),
        )
        results.comparison(comparison)
        rate = comparison.ratio("requests_per_s", "Headrace", "TorchServe")
        cost = comparison.ratio("cpu_us", "Headrace", "TorchServe")
        results.verdict(f"c={connections}: throughput over TorchServe", rate, 12, at_most=False)
        results.note(f"c={connections}: CPU/request over TorchServe {cost.text(3)}")
    memory = {name: side.pss_bytes() for name, side in sides.items()}
    results.note(f"memory (PSS): {', '.join(f'{name} {size / 2**20:,.0f} MiB' for name, size in memory.items())}")


if __name__ == "__main__":
    program.main("P4 through /predictions", _DESCRIPTION, _measure)
