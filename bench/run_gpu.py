#!/usr/bin/env python3
"""The same models on the machine's GPU and on its CPU: equal answers, and both sides' figures."""

import json
import pathlib
import shutil
import subprocess
import sys
import urllib.request

import numpy

from harness import program, repositories, requests, rounds, servers, wrk

_MODELS = ("resnet18", "resnet50")
_PLACES = {"CPU": "KIND_CPU", "GPU": "KIND_GPU"}
_IMAGE_SHAPE = (1, 3, 224, 224)
_DESCRIPTION = """\
ResNet-18 and ResNet-50 on GPU and CPU instances of one server, in turn
Checks that both answer alike (logits within a tolerance that TensorFloat-32 needs), then measures
each at saturation. Needs a GPU, and a backend that was built where one is (tools/gpu_check.sh).
"""
# How a backend reads the model, and what makes its file: True = demo/torch_graph.py.
_BACKENDS = {"pytorch": ("model.pt", True), "onnxruntime": ("model.onnx", False)}


def _require_gpu():
    if shutil.which("nvidia-smi") is None:
        raise servers.Missing("there is no nvidia-smi: no GPU to check")
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    if listed.returncode != 0 or "GPU 0" not in listed.stdout:
        raise servers.Missing(f"nvidia-smi shows no GPU: {listed.stdout}{listed.stderr}")
    return listed.stdout.strip()


def _repository(options, name, scratch):
    """The model twice: <name>_cpu and <name>_gpu."""
    file, made = _BACKENDS[options.backend]
    repository = scratch / f"repository-{name}"
    for place, kind in _PLACES.items():
        repositories.copy_model(
            repository,
            pathlib.Path(options.models) / name,
            {
                r"max_batch_size: \d+": f"max_batch_size: {options.batch_size}",
                r'backend: "onnxruntime"\n': f'backend: "{options.backend}"\n'
                f"instance_group {{ count: 1 kind: {kind} }}\n",
            },
        )
        folder = (repository / name).rename(repository / f"{name}_{place.lower()}")
        if made:
            maker = servers.ROOT / "demo" / "torch_graph.py"
            command = [options.python, maker, name, folder / "1" / file, str(options.batch_size)]
            subprocess.run(command, check=True)
    return repository


def _logits(server, model, images):
    body = {
        "inputs": [
            {
                "name": "images",
                "datatype": "FP32",
                "shape": list(images.shape),
                "data": images.ravel().tolist(),
            }
        ]
    }
    request = urllib.request.Request(
        f"{server.url}/v2/models/{model}/infer", data=json.dumps(body).encode()
    )
    with urllib.request.urlopen(request, timeout=300) as answer:
        (output,) = json.load(answer)["outputs"]
    return numpy.array(output["data"], numpy.float32).reshape(output["shape"])


def _compare_answers(server, name, results):
    images = numpy.random.default_rng(1).standard_normal(_IMAGE_SHAPE, dtype=numpy.float32)
    on_cpu, on_gpu = (_logits(server, f"{name}_{place.lower()}", images) for place in _PLACES)
    error = float(numpy.abs(on_cpu - on_gpu).max() / numpy.abs(on_cpu).max())
    results.verdict(f"{name}: largest difference of a logit, of the largest logit", error, 1e-2)


def _measure_one(options, results, scratch, name):
    repository = _repository(options, name, scratch)
    with servers.headrace(repository) as server:
        server.wait_ready()
        _compare_answers(server, name, results)
        size = 4 * int(numpy.prod(_IMAGE_SHAPE))
        sides = {}
        for place in _PLACES:
            request = requests.binary(
                size,
                model=f"{name}_{place.lower()}",
                shape=list(_IMAGE_SHAPE),
                input_name="images",
                output="logits",
            )
            sides[place] = wrk.Load(scratch / f"load-{name}-{place}", request)
            requests.exchange(server, request)
        connections = 4 * options.batch_size
        comparison = rounds.alternate(
            f"{name}, {options.backend}, batches of up to {options.batch_size}, "
            f"{connections} connections",
            {
                place: lambda load=load: load.run(server, connections, options.seconds)
                for place, load in sides.items()
            },
            options.rounds,
            lambda place: sides[place].run(server, connections, 2),
        )
    results.comparison(comparison, figures=("requests_per_s",))


def _measure(options, results, scratch, _stack):
    print(_require_gpu())
    wrk.require()
    for name in options.model or _MODELS:
        _measure_one(options, results, scratch, name)


def _options(parser):
    models = servers.ROOT / "build" / "demo-repository"
    parser.add_argument("--models", default=models, help="the demo repository")
    parser.add_argument("--model", action="append", choices=_MODELS, help="default: both")
    parser.add_argument("--backend", default="pytorch", choices=_BACKENDS)
    parser.add_argument("--batch-size", type=int, default=8, help="default 8")
    parser.add_argument("--python", default=sys.executable, help="an interpreter with PyTorch")


if __name__ == "__main__":
    program.main("GPU", _DESCRIPTION, _measure, seconds=6, more_options=_options)
