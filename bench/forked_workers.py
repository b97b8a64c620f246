#!/usr/bin/env python3
"""Four workers of a handler with 200 MiB of weights, started one by one and as copies of a template."""

import json
import os
import pathlib
import signal
import statistics
import sys
import time
import zipfile

from harness import program, servers

_WORKERS = 4
_HANDLER = """\
import os
import time
import torch

class Heavy:
    def initialize(self, context):
        self.weights = [torch.full((2560, 2560), 0.01) for _ in range(8)]
        self.file = context.model_yaml_config["file"]
        self.note()

    def after_fork(self, context):
        self.note()

    def note(self):
        with open(self.file, "a") as file:
            file.write(f"{time.time()} {os.getpid()}\\n")

    def handle(self, rows, context):
        row = torch.ones(1, 2560)
        for weights in self.weights:
            row = row @ weights
        return [float(row.sum()) for _ in rows]
"""


def _archive(path, notes, forked):
    manifest = {"runtime": "python", "model": {"modelName": "heavy", "modelVersion": "1.0", "handler": "heavy.py"}}
    manifest["model"]["configFile"] = "model-config.yaml"
    settings = f"minWorkers: {_WORKERS}\nmaxWorkers: {_WORKERS}\nforkWorkers: {str(forked).lower()}\nfile: {notes}\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("heavy.py", _HANDLER)
        archive.writestr("model-config.yaml", settings)
        archive.writestr("MAR-INF/MANIFEST.json", json.dumps(manifest))


def _run(scratch, forked):
    """(seconds until all are ready, MiB of all processes, seconds from a worker's death to the next)."""
    repository = scratch / ("forked" if forked else "alone")
    notes = scratch / f"notes-{forked}"
    notes.unlink(missing_ok=True)
    (repository / "heavy" / "1").mkdir(parents=True, exist_ok=True)
    _archive(repository / "heavy" / "1" / "heavy.mar", notes, forked)
    interpreter = f"--backend-config=handler,interpreter={pathlib.Path(sys.executable)}"
    with servers.headrace(repository, interpreter, "--allow-grpc=false") as server:
        ready = server.wait_ready()
        memory = server.pss_bytes() / 2**20
        before = notes.read_text().splitlines()
        killed = time.time()
        os.kill(int(before[-1].split()[1]), signal.SIGKILL)
        while len(after := notes.read_text().splitlines()) == len(before):
            time.sleep(0.002)
        return ready, memory, float(after[-1].split()[0]) - killed


def _measure(options, results, scratch, _):
    samples = {False: [], True: []}
    for _ in range(options.rounds):
        for forked, taken in samples.items():
            taken.append(_run(scratch, forked))
    for forked, taken in samples.items():
        ready, memory, again = (statistics.median(column) for column in zip(*taken))
        spread = ", ".join(f"{one:.1f}" for one, _, _ in taken)
        results.note(
            f"{'copies of a template' if forked else 'one by one'}: {_WORKERS} workers ready after {ready:.1f} s ({spread}), "
            f"{memory:,.0f} MiB (PSS, server included), a killed one is back after {again * 1000:.0f} ms"
        )


if __name__ == "__main__":
    program.main("forked workers", __doc__, _measure, rounds=3)
