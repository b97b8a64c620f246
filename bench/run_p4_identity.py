#!/usr/bin/env python3
"""P4, the half of Triton's contract: a Python identity model, against the stock Triton's Python backend."""

import os
import pathlib
import sys

from harness import program, requests, rounds, servers, wrk

_DESCRIPTION = """\
a Python identity model over HTTP, Headrace and Triton in turn
A 64-byte binary tensor, at 16 connections unless --connections says otherwise; requests one by one (max_batch_size: 0)
and in batches (max_batch_size: 16, dynamic_batching). The CPU is that of the server and its workers.
"""
_SOURCE = """\
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests):
        responses = []
        for request in requests:
            values = pb_utils.get_input_tensor_by_name(request, "INPUT0").as_numpy()
            responses.append(pb_utils.InferenceResponse([pb_utils.Tensor("OUTPUT0", values)]))
        return responses
"""
_CONFIG = """\
backend: "python"
max_batch_size: {size}
input {{ name: "INPUT0" data_type: TYPE_FP32 dims: [ {dims} ] }}
output {{ name: "OUTPUT0" data_type: TYPE_FP32 dims: [ {dims} ] }}
instance_group {{ kind: KIND_CPU count: {count} }}
{extra}"""


def _add(repository, size, count):
    folder = repository / "identity"
    (folder / "1").mkdir(parents=True)
    (folder / "1" / "model.py").write_text(_SOURCE, encoding="utf-8")
    extra = "dynamic_batching { }\n" if size else ""
    text = _CONFIG.format(size=size, count=count, extra=extra, dims=-1)
    (folder / "config.pbtxt").write_text(text, encoding="utf-8")
    return repository


def _measure(options, results, scratch, stack):
    wrk.require()
    for size in (0, 16):
        repository = _add(scratch / f"repository{size}", size, options.instances)
        published = pathlib.Path(os.environ.get("HEADRACE_PEERS", "/")) / "backends"
        interpreter = f"--backend-config=python,interpreter={sys.executable}"
        sides = [servers.triton(repository, backends=published), servers.headrace(repository, interpreter, "--allow-grpc=false")]
        for side in sides:
            stack.enter_context(side)
        for side in sides:
            side.wait_ready()
        request = requests.binary(64, shape=[1, 16] if size else [16])
        for side in sides:
            requests.check_identity(side, request)
        load = wrk.Load(scratch / f"load{size}", request)
        form = f"batches of at most {size}" if size else "one by one"
        for connections in (int(c) for c in options.connections.split(",")):
            measures = {side.name: lambda side=side: load.run(side, connections, options.seconds) for side in sides}
            by_name = {side.name: side for side in sides}
            comparison = rounds.alternate(
                f"{form}, {connections} connection(s)", measures, options.rounds,
                lambda name: load.run(by_name[name], connections, 1),
            )  # fmt: skip
            results.comparison(comparison)
            rate = comparison.ratio("requests_per_s", "Headrace", "Triton")
            at = f"{form}, c={connections}"
            results.verdict(f"{at}: throughput over Triton", rate, 3, at_most=False)
            results.note(f"{at}: CPU/request over Triton {comparison.ratio('cpu_us', 'Headrace', 'Triton').text(3)}")
        for side in sides:
            side.stop()


def _options(parser):
    parser.add_argument("--connections", default="16")
    parser.add_argument("--instances", type=int, default=1, help="workers of the model")


if __name__ == "__main__":
    program.main("P4, identity", _DESCRIPTION, _measure, more_options=_options)
