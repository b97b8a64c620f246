#!/usr/bin/env python3
"""P5: a ResNet-18 archive with image_classifier, against TorchServe and against a plain loop."""

import dataclasses
import json
import os
import subprocess
import sys
import time
import zipfile

from harness import processes, program, requests, rounds, servers, wrk

_DESCRIPTION = """\
a 375 x 500 JPEG to a ResNet-18 TorchScript archive with image_classifier, in turn
The same .mar, one worker on both sides, at 1 and 8 connections; and a plain loop in one Python process
that decodes, preprocesses and runs the same TorchScript with all cores. Then the time from the start of
each server until its first answer, and their memory.
"""
PATH = "/predictions/resnet18"


@dataclasses.dataclass(frozen=True)
class Rate:
    """Images per second of the plain loop."""

    requests_per_s: float


def python():
    """HEADRACE_PYTHON, or the interpreter of the set-up, which has torch, or this one."""
    installed = servers.ROOT / "build" / "venv" / "bin" / "python"
    return os.environ.get("HEADRACE_PYTHON") or (installed if installed.exists() else sys.executable)


MAKE_WEIGHTS = """\
import sys, torch, torchvision
torch.manual_seed(1)
model = torchvision.models.resnet18(weights=None).eval()
torch.jit.save(torch.jit.trace(model, torch.zeros(1, 3, 224, 224)), sys.argv[1])
"""

PHOTOGRAPH = """\
import importlib.util, pathlib, sys
from PIL import Image
data = pathlib.Path(importlib.util.find_spec("skimage").origin).parent / "data"
Image.open(data / "astronaut.png").convert("RGB").resize((375, 500)).save(sys.argv[1], quality=90)
"""

_LOOP = """\
import io, sys, time
import torch
from PIL import Image
from torchvision import transforms
weights, photograph = sys.argv[1:]
model = torch.jit.load(weights).eval()
steps = transforms.Compose([
    transforms.Resize(256), transforms.CenterCrop(224), transforms.ToTensor(),
    transforms.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])])
data = open(photograph, "rb").read()
def run():
    with torch.inference_mode():
        image = steps(Image.open(io.BytesIO(data)).convert("RGB"))
        torch.topk(torch.softmax(model(image[None]), dim=1), 5, dim=1)[0].tolist()
for _ in range(5):
    run()
print("ready", flush=True)
for line in sys.stdin:
    start, count = time.monotonic(), 0
    while time.monotonic() - start < float(line):
        run()
        count += 1
    print(count / (time.monotonic() - start), flush=True)
"""


class _PlainLoop:
    def __init__(self, weights, photograph):
        self._process = processes.start(
            [python(), "-c", _LOOP, weights, photograph], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        if self._process.stdout.readline().strip() != "ready":
            raise servers.Missing("the plain loop does not run; see above")

    def run(self, seconds):
        self._process.stdin.write(f"{seconds}\n")
        self._process.stdin.flush()
        return Rate(float(self._process.stdout.readline()))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        processes.stop(self._process)


def write_archive(path, weights, name="resnet18", handler="image_classifier"):
    """The .mar of weights with one of TorchServe's handlers."""
    labels = {str(i): [f"n{i:08}", f"label {i}"] for i in range(1000)}
    model = {"modelName": name, "modelVersion": "1.0", "handler": handler}
    model["serializedFile"] = f"{name}.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.write(weights, f"{name}.pt")
        archive.writestr("index_to_name.json", json.dumps(labels))
        archive.writestr("MAR-INF/MANIFEST.json", json.dumps({"runtime": "python", "model": model}))


def first_answer_s(server, request):
    """Seconds from the start of the process until it answers a prediction."""
    while True:
        try:
            _, body = requests.exchange(server, request)
            assert len(json.loads(body)) == 5
            return time.monotonic() - server.started
        except (OSError, RuntimeError):
            if time.monotonic() - server.started > servers.READY_LIMIT_S:
                raise
            time.sleep(0.02)


def warm_up(server, request):
    """TorchScript profiles and optimises its first calls."""
    for _ in range(8):
        requests.exchange(server, request)


def _more_options(parser):
    parser.add_argument("--starts", type=int, default=2, help="of each server, to be timed; default 2")


def _measure(options, results, scratch, stack):
    wrk.require()
    store, repository = scratch / "store", scratch / "repository"
    store.mkdir()
    (repository / "resnet18" / "1").mkdir(parents=True)
    weights, photograph = scratch / "resnet18.pt", scratch / "photograph.jpg"
    subprocess.run([python(), "-c", MAKE_WEIGHTS, weights], check=True)
    subprocess.run([python(), "-c", PHOTOGRAPH, photograph], check=True)
    write_archive(store / "resnet18.mar", weights)
    write_archive(repository / "resnet18" / "1" / "resnet18.mar", weights)
    request = requests.Request(PATH, {"Content-Type": "image/jpeg"}, photograph.read_bytes())
    load = wrk.Load(scratch / "load", request)
    makers = {
        "TorchServe": lambda: servers.torchserve(store, "resnet18", scratch / f"torchserve-{time.monotonic_ns()}"),
        "Headrace": lambda: servers.headrace(repository),
    }
    starts = {name: [] for name in makers}
    for _ in range(options.starts):  # the first reads the libraries from the disk
        for name, make in makers.items():
            with make() as server:
                starts[name].append(first_answer_s(server, request))
    if options.starts:
        fastest = ", ".join(f"{name} {min(times):.2f} s" for name, times in starts.items())
        results.note(f"start until the first answer: {fastest}")
    sides = {name: stack.enter_context(make()) for name, make in makers.items()}
    for side in sides.values():
        first_answer_s(side, request)
    for connections in (1, 8):
        runs = {name: lambda s=side: load.run(s, connections, options.seconds) for name, side in sides.items()}
        comparison = rounds.alternate(
            f"image_classifier, {connections} connections",
            runs,
            options.rounds,
            lambda name: warm_up(sides[name], request),
        )
        results.comparison(comparison)
        rate = comparison.ratio("requests_per_s", "Headrace", "TorchServe")
        if connections == 1:
            p50 = comparison.ratio("p50_us", "Headrace", "TorchServe")
            results.verdict("c=1: p50 over TorchServe's", p50, 0.65, at_most=True)
            results.note(f"c=1: throughput over TorchServe {rate.text(2)}")
        else:
            results.verdict("c=8: throughput over TorchServe", rate, 2.2, at_most=False)
    memory = {name: side.pss_bytes() for name, side in sides.items()}
    results.note("memory (PSS): " + ", ".join(f"{name} {size / 2**20:,.0f} MiB" for name, size in memory.items()))
    share = memory["Headrace"] / memory["TorchServe"]
    results.verdict("memory over TorchServe's", rounds.Spread.of([share]), 0.2, at_most=True)
    sides["TorchServe"].stop()
    loop = stack.enter_context(_PlainLoop(weights, photograph))
    comparison = rounds.alternate(
        "image_classifier, 8 connections, and a plain loop",
        {
            "Headrace": lambda: Rate(load.run(sides["Headrace"], 8, options.seconds).requests_per_s),
            "plain loop": lambda: loop.run(options.seconds),
        },
        options.rounds,
    )
    results.comparison(comparison, figures=("requests_per_s",))
    ratio = comparison.ratio("requests_per_s", "Headrace", "plain loop")
    results.verdict("c=8: throughput over the plain loop", ratio, 0.95, at_most=False)


if __name__ == "__main__":
    program.main("P5", _DESCRIPTION, _measure, more_options=_more_options)
