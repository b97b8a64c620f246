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


def _torchserve(store, work):
    work.mkdir()
    ports = [servers.free_port() for _ in range(5)]
    settings = {
        "inference_address": f"http://127.0.0.1:{ports[0]}",
        "management_address": f"http://127.0.0.1:{ports[1]}",
        "metrics_address": f"http://127.0.0.1:{ports[2]}",
        "grpc_inference_port": ports[3],
        "grpc_management_port": ports[4],
        "default_workers_per_model": 1,
        "disable_system_metrics": "true",
    }
    config = work / "config.properties"
    config.write_text("".join(f"{key}={value}\n" for key, value in settings.items()), encoding="utf-8")
    command = [servers.peer("torchserve"), "--start", "--foreground", "--ncs", "--disable-token-auth"]
    command += ["--models", "noop=noop.mar", "--model-store", store, "--ts-config", config]
    logs = {"LOG_LOCATION": str(work), "METRICS_LOCATION": str(work), "TEMP": str(work)}
    return servers.Server("TorchServe", [str(part) for part in command], ports[0], logs)


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
        _torchserve(store, scratch / "torchserve"),
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
