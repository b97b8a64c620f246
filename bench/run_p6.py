#!/usr/bin/env python3
"""P6: image models served with batching, against a plain loop on the same engine."""

import dataclasses
import os
import pathlib
import shutil
import subprocess
import sys

from harness import processes, program, repositories, requests, rounds, servers, wrk

_IMAGE_BYTES = 4 * 3 * 224 * 224
_MODELS = ("resnet18", "resnet50")
_DESCRIPTION = """\
ResNet-18 and ResNet-50 served with dynamic batching at saturation, and a plain loop in turn
The loop (plain_loop.py) runs the same file with the same runtime in one process, on the same batch,
threads and precision. The load generator sends single images and shares the machine's cores with
the server.
"""


@dataclasses.dataclass(frozen=True)
class Sample:
    """Images per second, and how many images were in one execution on average."""

    requests_per_s: float
    batch_size: float


@dataclasses.dataclass(frozen=True)
class Backend:
    """How a backend serves a model of the demo repository."""

    file: str  # in the version directory
    threads: str  # the parameter that sets an instance's threads
    # What takes the place of the demo configuration's line `backend: "onnxruntime"`, by precision.
    config: dict
    made: bool = False  # the file is made from the same description as the demo repository's


def _openvino(extra=""):
    return f'backend: "openvino"\ndefault_model_filename: "model.onnx"\n{extra}'


BACKENDS = {
    "onnxruntime": Backend(
        "model.onnx", "intra_op_thread_count", {"fp32": 'backend: "onnxruntime"\n'}
    ),
    "openvino": Backend(
        "model.onnx",
        "INFERENCE_NUM_THREADS",
        {
            "fp32": _openvino(),
            "bf16": _openvino(repositories.parameter("inference_precision", "bf16")),
        },
    ),
    "pytorch": Backend(
        "model.pt", "INTRA_OP_THREAD_COUNT", {"fp32": 'backend: "pytorch"\n'}, made=True
    ),
    # Compiled by AOTInductor; its loops have as many threads as the machine that compiled it has cores.
    "pytorch_aoti": Backend(
        "model.pt2", "INTRA_OP_THREAD_COUNT", {"fp32": 'platform: "torch_aoti"\n'}, made=True
    ),
}


def _python():
    """The interpreter that the set-up gave numpy and the runtimes, or this one."""
    installed = servers.ROOT / "build" / "venv" / "bin" / "python"
    return installed if installed.exists() else sys.executable


class _PlainLoop:
    def __init__(self, model, options):
        self._batch_size = options.batch_size
        loop = pathlib.Path(__file__).with_name("plain_loop.py")
        command = [_python(), loop, options.backend, model, options.batch_size]
        self._process = processes.start(
            [*command, options.threads, options.precision],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        if self._process.stdout.readline().strip() != "ready":
            raise servers.Missing(f"the plain loop of {options.backend} does not run; see above")

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


def _repository(options, name, scratch):
    """A repository with the model as the options want it served."""
    backend = BACKENDS[options.backend]
    config = backend.config[options.precision]
    if options.instances:
        config += f"instance_group {{ count: {options.instances} kind: KIND_CPU }}\n"
    if options.set_threads:
        config += repositories.parameter(backend.threads, options.threads)
    repository = scratch / f"repository-{name}"
    repositories.copy_model(
        repository,
        pathlib.Path(options.models) / name,
        {
            r"max_batch_size: \d+": f"max_batch_size: {options.batch_size}",
            r'backend: "onnxruntime"\n': config,
        },
    )
    if backend.made:
        _make(name, repository / name / "1" / backend.file, options.batch_size)
    return repository


def _make(name, path, batch_size):
    """Puts the model at `path` as PyTorch has it; compiled ones are kept in build/."""
    maker = servers.ROOT / "demo" / "torch_graph.py"
    kept = servers.ROOT / "build" / "bench-models" / f"{name}-{batch_size}{path.suffix}"
    if not kept.exists() or kept.stat().st_mtime < maker.stat().st_mtime:
        kept.parent.mkdir(exist_ok=True)
        print(f"making {kept}", file=sys.stderr, flush=True)
        subprocess.run([_python(), maker, name, kept, str(batch_size)], check=True)
    shutil.copyfile(kept, path)


def _compare(name, options, results, scratch, stack):
    if not (pathlib.Path(options.models) / name / "config.pbtxt").exists():
        raise servers.Missing(f"{options.models} holds no {name}; make demo-repository")
    repository = _repository(options, name, scratch)
    with servers.headrace(repository) as server:
        file = repository / name / "1" / BACKENDS[options.backend].file
        loop = stack.enter_context(_PlainLoop(file, options))
        server.wait_ready()
        request = requests.binary(
            _IMAGE_BYTES, model=name, shape=[1, 3, 224, 224], input_name="images", output="logits"
        )
        load = wrk.Load(scratch / f"load-{name}", request)
        requests.exchange(server, request)
        connections = 4 * options.batch_size
        comparison = rounds.alternate(
            f"{name}, {options.backend} {options.precision}, batches of up to "
            f"{options.batch_size}, {connections} connections",
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
    if options.precision not in BACKENDS[options.backend].config:
        raise servers.Missing(f"{options.backend} is not measured in {options.precision}")
    options.set_threads = options.threads is not None
    options.threads = options.threads or len(os.sched_getaffinity(0))
    for name in options.model or _MODELS:
        _compare(name, options, results, scratch, stack)


def _options(parser):
    models = servers.ROOT / "build" / "demo-repository"
    parser.add_argument("--models", default=models, help="the demo repository")
    parser.add_argument("--model", action="append", choices=_MODELS, help="default: both")
    parser.add_argument("--backend", default="onnxruntime", choices=BACKENDS)
    parser.add_argument("--precision", default="fp32", choices=("fp32", "bf16"))
    parser.add_argument("--batch-size", type=int, default=8, help="default 8")
    parser.add_argument("--instances", type=int, help="default: the server's own")
    parser.add_argument(
        "--threads",
        type=int,
        help="of the loop and of each instance; default: all cores for the loop, and what the "
        "server does by itself",
    )


if __name__ == "__main__":
    program.main("P6", _DESCRIPTION, _measure, seconds=6, more_options=_options)
