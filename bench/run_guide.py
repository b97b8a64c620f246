#!/usr/bin/env python3
"""The rules of Triton's optimisation guide, measured on ResNet-18."""

import dataclasses
import pathlib

from harness import program, repositories, requests, rounds, servers, wrk

_IMAGE_BYTES = 4 * 3 * 224 * 224
_MODEL = "resnet18"
_DESCRIPTION = """\
One and two instances of ResNet-18, with and without the batcher, at low and at high concurrency
The guide's rules: latency is lowest at concurrency 1 with one instance and no batcher; throughput is
highest at a concurrency of 2 x max batch size x instances. The load generator sends single images
and shares the machine's cores with the servers, of which one at a time is asked.
"""


@dataclasses.dataclass(frozen=True)
class Sample:
    """What a client sees, and how many images were in one execution on average."""

    requests_per_s: float
    p50_us: float
    p99_us: float
    batch_size: float


@dataclasses.dataclass(frozen=True)
class Variant:
    """One way to serve the model."""

    instances: int
    batcher: bool

    @property
    def name(self):
        batcher = "the batcher" if self.batcher else "no batcher"
        return f"{self.instances} instance{'s' * (self.instances > 1)}, {batcher}"


_VARIANTS = [Variant(instances, batcher) for batcher in (False, True) for instances in (1, 2)]


def _repository(options, variant, scratch):
    groups = f"instance_group {{ count: {variant.instances} kind: KIND_CPU }}\n"
    repository = scratch / f"{variant.instances}-{variant.batcher}"
    repositories.copy_model(
        repository,
        pathlib.Path(options.models) / _MODEL,
        {
            r"max_batch_size: \d+": f"max_batch_size: {options.batch_size}",
            r"dynamic_batching \{[^}]*\}\n": "dynamic_batching { }\n" if variant.batcher else "",
            r'backend: "onnxruntime"\n': f'backend: "{options.backend}"\n'
            + 'default_model_filename: "model.onnx"\n' * (options.backend == "openvino")
            + groups,
        },
    )
    return repository


def _sample(server, load, connections, seconds):
    before = requests.statistics(server, _MODEL)
    sample = load.run(server, connections, seconds)
    after = requests.statistics(server, _MODEL)
    executions = after["execution_count"] - before["execution_count"]
    images = after["inference_count"] - before["inference_count"]
    return Sample(
        sample.requests_per_s, sample.p50_us, sample.p99_us, images / max(1, executions)
    )


def _compare(title, sides, results, options):
    """`sides`: name -> (server, load, connections)."""
    comparison = rounds.alternate(
        title,
        {name: (lambda side=side: _sample(*side, options.seconds)) for name, side in sides.items()},
        options.rounds,
        lambda name: _sample(*sides[name], 2),
    )
    results.comparison(comparison, figures=("requests_per_s", "p50_us", "p99_us", "batch_size"))
    return comparison


def _note(results, comparison, what, figure, side, other):
    spread = comparison.ratio(figure, side, other)
    results.note(f"{what}: {spread.text(2)}", median=spread.median)


def _measure(options, results, scratch, stack):
    wrk.require()
    if not (pathlib.Path(options.models) / _MODEL / "config.pbtxt").exists():
        raise servers.Missing(f"{options.models} holds no {_MODEL}; make demo-repository")
    request = requests.binary(
        _IMAGE_BYTES, model=_MODEL, shape=[1, 3, 224, 224], input_name="images", output="logits"
    )
    load = wrk.Load(scratch / "load", request)
    running = {}
    for variant in _VARIANTS:
        repository = _repository(options, variant, scratch)
        running[variant] = stack.enter_context(servers.headrace(repository))
        running[variant].wait_ready()
        requests.exchange(running[variant], request)
    one, two, one_batched, two_batched = (variant.name for variant in _VARIANTS)

    low = _compare(
        f"{_MODEL}, {options.backend}: concurrency 1",
        {variant.name: (server, load, 1) for variant, server in running.items()},
        results,
        options,
    )
    for other in (two, one_batched, two_batched):
        _note(results, low, f"p50 of {other} over {one}", "p50_us", other, one)
    high = _compare(
        f"{_MODEL}, {options.backend}: concurrency 2 x {options.batch_size} x instances",
        {
            variant.name: (server, load, 2 * options.batch_size * variant.instances)
            for variant, server in running.items()
        },
        results,
        options,
    )
    _note(results, high, "what two instances bring", "requests_per_s", two, one)
    _note(results, high, "what the batcher brings", "requests_per_s", one_batched, one)
    _note(results, high, "what both bring", "requests_per_s", two_batched, one)
    steps = {
        f"concurrency {connections}": (running[_VARIANTS[3]], load, connections)
        for connections in (1, 2, 4, options.batch_size, 2 * options.batch_size, 4 * options.batch_size)
    }
    _compare(f"{_MODEL}, {options.backend}: {two_batched}", steps, results, options)


def _options(parser):
    models = servers.ROOT / "build" / "demo-repository"
    parser.add_argument("--models", default=models, help="the demo repository")
    parser.add_argument("--backend", default="onnxruntime", choices=("onnxruntime", "openvino"))
    parser.add_argument("--batch-size", type=int, default=8, help="default 8")


if __name__ == "__main__":
    program.main("guide", _DESCRIPTION, _measure, rounds=3, seconds=4, more_options=_options)
