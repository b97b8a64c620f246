#!/usr/bin/env python3
"""P6: image models served with batching, against a plain loop on the same engine."""

import argparse
import dataclasses
import pathlib
import subprocess
import sys
import time

from harness import processes, program, repositories, requests, rounds, servers, wrk

_IMAGE_BYTES = 4 * 3 * 224 * 224
_DESCRIPTION = """\
ResNet-18 and ResNet-50 served with dynamic batching at saturation, and a plain loop in turn
The loop runs the same ONNX file with ONNX Runtime in one process, on the same batch. The load
generator sends single images and shares the machine's cores with the server.
"""


@dataclasses.dataclass(frozen=True)
class Sample:
    """Images per second, and how many images were in one execution on average."""

    requests_per_s: float
    batch_size: float


def _loop(model, batch_size):
    """The child: for each line with a number of seconds, runs that long and prints images/s."""
    import numpy
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    images = numpy.random.default_rng(0).standard_normal(
        (batch_size, 3, 224, 224), dtype=numpy.float32
    )
    name = session.get_inputs()[0].name
    session.run(None, {name: images})
    print("ready", flush=True)
    for line in sys.stdin:
        start = time.monotonic()
        count = 0
        while time.monotonic() - start < float(line):
            session.run(None, {name: images})
            count += batch_size
        print(count / (time.monotonic() - start), flush=True)


def _python():
    """The interpreter that the set-up gave numpy and ONNX Runtime, or this one."""
    installed = servers.ROOT / "build" / "venv" / "bin" / "python"
    return installed if installed.exists() else sys.executable


class _PlainLoop:
    def __init__(self, model, batch_size):
        self._batch_size = batch_size
        self._process = processes.start(
            [_python(), __file__, "--plain-loop", model, str(batch_size)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        if self._process.stdout.readline().strip() != "ready":
            raise servers.Missing("the plain loop needs numpy and onnxruntime in this Python")

    def run(self, seconds):
        self._process.stdin.write(f"{seconds}\n")
        self._process.stdin.flush()
        return Sample(float(self._process.stdout.readline()), self._batch_size)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        processes.stop(self._process)


def _served(server, load, model, connections, seconds):
    before = requests.statistics(server, model)
    sample = load.run(server, connections, seconds)
    after = requests.statistics(server, model)
    executions = after["execution_count"] - before["execution_count"]
    images = after["inference_count"] - before["inference_count"]
    return Sample(sample.requests_per_s, images / max(1, executions))


def _compare(name, options, results, scratch, stack):
    source = pathlib.Path(options.models) / name
    if not (source / "config.pbtxt").exists():
        raise servers.Missing(f"{source} is not there; make demo-repository")
    repository = scratch / f"repository-{name}"
    repositories.copy_model(repository, source, max_batch_size=options.batch_size)
    with servers.headrace(repository) as server:
        loop = stack.enter_context(_PlainLoop(source / "1" / "model.onnx", options.batch_size))
        server.wait_ready()
        request = requests.binary(
            _IMAGE_BYTES, model=name, shape=[1, 3, 224, 224], input_name="images", output="logits"
        )
        load = wrk.Load(scratch / f"load-{name}", request)
        requests.exchange(server, request)
        connections = 4 * options.batch_size
        comparison = rounds.alternate(
            f"{name}, batches of up to {options.batch_size}, {connections} connections",
            {
                "plain loop": lambda: loop.run(options.seconds),
                "Headrace": lambda: _served(server, load, name, connections, options.seconds),
            },
            options.rounds,
            lambda side: loop.run(1) if side == "plain loop" else load.run(server, connections, 2),
        )
    results.comparison(comparison, figures=("requests_per_s", "batch_size"))
    share = comparison.ratio("requests_per_s", "Headrace", "plain loop")
    results.verdict(f"{name}: images/s over the plain loop", share, 0.97, at_most=False)


def _measure(options, results, scratch, stack):
    wrk.require()
    for name in ("resnet18", "resnet50"):
        _compare(name, options, results, scratch, stack)


def _options(parser):
    models = servers.ROOT / "build" / "demo-repository"
    parser.add_argument("--models", default=models, help="the demo repository")
    parser.add_argument("--batch-size", type=int, default=8, help="default 8")
    parser.add_argument("--plain-loop", nargs=2, help=argparse.SUPPRESS)


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[1] == "--plain-loop":
        _loop(sys.argv[2], int(sys.argv[3]))
    else:
        program.main("P6", _DESCRIPTION, _measure, seconds=6, more_options=_options)
