#!/usr/bin/env python3
"""Runs our backends in both hosts: the stock Triton and Headrace load the same shared objects, are sent the same requests, and must give
the same answers, bit for bit. Needs HEADRACE_PEERS and a built program (make build demo-repository): check_peers.py"""

import http.client
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

from harness import servers

_DTYPES = {
    "BOOL": 1, "UINT8": 1, "UINT16": 2, "UINT32": 4, "UINT64": 8, "INT8": 1, "INT16": 2,
    "INT32": 4, "INT64": 8, "FP16": 2, "FP32": 4, "FP64": 8, "BF16": 2,
}  # fmt: skip
_ELEMENTS = 24
_PIXELS = 3 * 224 * 224


def _tensors(kind, name, dtype, dims):
    config_type = "TYPE_STRING" if dtype == "BYTES" else f"TYPE_{dtype}"
    return f'{kind} {{ name: "{name}" data_type: {config_type} dims: [ {dims} ] }}\n'


# A published network that hears notes, in the formats that its maker ships: file, input, and output names by shape.
_PITCH = {
    "pitch_savedmodel": ("nmp", "model.savedmodel", "input_2", {"note": 88, "onset": 88, "contour": 264}),
    "pitch_tflite": (
        "nmp.tflite",
        "model.tflite",
        "serving_default_input_2:0",
        {"StatefulPartitionedCall:1": 88, "StatefulPartitionedCall:2": 88, "StatefulPartitionedCall:0": 264},
    ),
}
_SAMPLES = 43844


def _write_pitch(directory):
    (published,) = (servers.ROOT / "build" / "venv" / "lib").glob("python3*/site-packages/basic_pitch/saved_models/*")
    for name, (source, file, given, outputs) in _PITCH.items():
        model = directory / name
        (model / "1").mkdir(parents=True)
        copy = shutil.copytree if (published / source).is_dir() else shutil.copyfile
        copy(published / source, model / "1" / file)
        (model / "config.pbtxt").write_text(
            f'backend: "openvino"\ndefault_model_filename: "{file}"\nmax_batch_size: 4\n'
            + _tensors("input", given, "FP32", f"{_SAMPLES}, 1")
            + "".join(_tensors("output", output, "FP32", f"172, {width}") for output, width in outputs.items())
        )


def _copy_accelerated(source, target):
    """The same model with an execution accelerator, which the onnxruntime backend borrows from the openvino backend."""
    shutil.copytree(source, target)
    config = (source / "config.pbtxt").read_text().replace(f'name: "{source.name}"', f'name: "{target.name}"')
    accelerator = 'cpu_execution_accelerator { name: "openvino" }'
    config += f"optimization {{ execution_accelerators {{ {accelerator} }} }}\n"
    (target / "config.pbtxt").write_text(config)


def _copy_for_openvino(source, target):
    """The same ONNX file behind the openvino backend."""
    shutil.copytree(source, target)
    config = (source / "config.pbtxt").read_text()
    config = config.replace(f'name: "{source.name}"', f'name: "{target.name}"')
    config = config.replace('backend: "onnxruntime"', 'backend: "openvino"\ndefault_model_filename: "model.onnx"')
    (target / "config.pbtxt").write_text(config)


def _write_torch(directory):
    """The same networks as TorchScript and as a package, and a model of texts, where PyTorch is installed to write them.
    Returns whether it is."""
    python = servers.ROOT / "build" / "venv" / "bin" / "python"
    if not (servers.backend_directory() / "pytorch").exists() or subprocess.run(
        [python, "-c", "import torch"], stderr=subprocess.DEVNULL
    ).returncode:
        print("pytorch: left out; its backend, or the whole of PyTorch (tools/setup.sh --tests), is missing")
        return False
    for name, file in (("efficientnet_lite0", "model.pt"), ("resnet18", "model.pt"), ("resnet18", "model.pt2")):
        model = directory / f"{name}_{'aoti' if file.endswith('2') else 'pytorch'}"
        (model / "1").mkdir(parents=True)
        maker = servers.ROOT / "demo" / "torch_graph.py"
        subprocess.run([python, "-W", "ignore", maker, name, model / "1" / file], check=True)
        output = "probabilities" if name.startswith("eff") else "logits"
        (model / "config.pbtxt").write_text(
            f'backend: "pytorch"\nmax_batch_size: 8\ndefault_model_filename: "{file}"\n'
            + _tensors("input", "images", "FP32", "3, 224, 224")
            + _tensors("output", output, "FP32", "1000")
        )
    model = directory / "texts_pytorch"
    (model / "1").mkdir(parents=True)
    script = (
        "import torch\nfrom typing import List\n"
        "class Texts(torch.nn.Module):\n"
        "    def forward(self, texts: List[str]) -> List[str]:\n"
        "        return [text + '!' for text in texts]\n"
        "torch.jit.script(Texts()).save('model.pt')\n"
    )
    (model / "1" / "texts.py").write_text(script)
    subprocess.run([python, "-W", "ignore", "texts.py"], cwd=model / "1", check=True)
    (model / "config.pbtxt").write_text(
        'backend: "pytorch"\nmax_batch_size: 0\n'
        + _tensors("input", "TEXTS", "BYTES", -1)
        + _tensors("output", "TEXTS_OUT", "BYTES", -1)
    )
    return True


_BATCH_TENSORS = """
import pathlib, sys
from harness import tensor_models
directory, runtimes = pathlib.Path(sys.argv[1]), sys.argv[2:]
for runtime in runtimes:
    config = tensor_models.batch_tensors_config(runtime, 3).replace("5000000", "1000")
    if runtime != "pytorch":
        tensor_models.batch_tensors(directory, f"batch_tensors_{runtime}", config)
        continue
    from harness import torch_models
    import torch_tensor_modules
    torch_models.save_script(torch_tensor_modules.BatchTensors(), directory / "batch_tensors_pytorch" / "1" / "model.pt")
    (directory / "batch_tensors_pytorch" / "config.pbtxt").write_text(config)
"""
_BATCH_OUTPUTS = ("count", "end", "start", "longest", "shape", "flat", "sum", "twice")


def _write_batch_tensors(directory, with_torch):
    """The tests' model of ragged inputs and batch tensors, for each runtime."""
    runtimes = ["onnxruntime", "openvino"] + ["pytorch"] * with_torch
    tests = servers.ROOT / "tests"
    python = servers.ROOT / "build" / "venv" / "bin" / "python"
    environment = {**os.environ, "PYTHONPATH": f"{tests}:{tests / 'wire'}"}
    subprocess.run([python, "-c", _BATCH_TENSORS, directory, *runtimes], check=True, env=environment)


def _make_repository(directory):
    """Identity models of every datatype, one that batches, and the demo's ONNX models."""
    for dtype in [*_DTYPES, "BYTES"]:
        model = directory / f"identity_{dtype.lower()}"
        (model / "1").mkdir(parents=True)
        (model / "config.pbtxt").write_text(
            'backend: "identity"\n' + _tensors("input", "INPUT0", dtype, -1) + _tensors("output", "OUTPUT0", dtype, -1)
        )
    model = directory / "batched"
    (model / "1").mkdir(parents=True)
    (model / "config.pbtxt").write_text(
        'backend: "identity"\nmax_batch_size: 8\ndynamic_batching { }\n'
        + _tensors("input", "INPUT0", "FP32", -1)
        + _tensors("output", "OUTPUT0", "FP32", -1)
    )
    _write_pitch(directory)
    demo = servers.ROOT / "build" / "demo-repository"
    _copy_accelerated(demo / "efficientnet_lite0", directory / "efficientnet_lite0_accelerated")
    for name in ("efficientnet_lite0", "resnet18"):
        shutil.copytree(demo / name, directory / name)
        _copy_for_openvino(demo / name, directory / f"{name}_openvino")
    with_torch = _write_torch(directory)
    _write_batch_tensors(directory, with_torch)
    return with_torch


def _infer(server, model, inputs, outputs):
    """inputs: (name, dtype, shape, bytes). The answer's outputs as {name: (dtype, shape, bytes)}."""
    head = {
        "inputs": [
            {"name": name, "datatype": dtype, "shape": shape, "parameters": {"binary_data_size": len(data)}}
            for name, dtype, shape, data in inputs
        ],
        "outputs": [{"name": name, "parameters": {"binary_data": True}} for name in outputs],
    }
    text = json.dumps(head).encode()
    connection = http.client.HTTPConnection(servers.HOST, server.port, timeout=60)
    connection.request(
        "POST",
        f"/v2/models/{model}/infer",
        text + b"".join(data for *_, data in inputs),
        {"Inference-Header-Content-Length": str(len(text))},
    )
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"{server.name}: {model}: {answer.status} {body[:300]!r}")
    size = int(answer.headers["Inference-Header-Content-Length"])
    described, raw, found = json.loads(body[:size]), body[size:], {}
    for output in described["outputs"]:
        length = output["parameters"]["binary_data_size"]
        found[output["name"]] = (output["datatype"], output["shape"], raw[:length])
        raw = raw[length:]
    return found


def _requests(with_torch):
    """Every request: a label, the model, its inputs and its outputs."""
    for dtype, size in _DTYPES.items():
        data = bytes(i % 2 for i in range(_ELEMENTS)) if dtype == "BOOL" else bytes(range(_ELEMENTS * size))
        yield dtype, f"identity_{dtype.lower()}", [("INPUT0", dtype, [_ELEMENTS], data)], ["OUTPUT0"]
    strings = [b"", b"plain", b"\0nul\0", "m\u00fcnze".encode(), b"x" * 3000]
    data = b"".join(struct.pack("<I", len(text)) + text for text in strings)
    yield "BYTES", "identity_bytes", [("INPUT0", "BYTES", [len(strings)], data)], ["OUTPUT0"]
    data = struct.pack("<6f", *range(6))
    yield "batch of 2", "batched", [("INPUT0", "FP32", [2, 3], data)], ["OUTPUT0"]
    sound = struct.pack(f"<{_SAMPLES}f", *(((i * 7919) % 65536) / 65536 - 0.5 for i in range(_SAMPLES)))
    for name, (_, _, given, outputs) in _PITCH.items():
        yield "a noise", name, [(given, "FP32", [1, _SAMPLES, 1], sound)], list(outputs)
    data = struct.pack("<6f", *range(6))
    for runtime in ("onnxruntime", "openvino") + ("pytorch",) * with_torch:
        yield "ragged", f"batch_tensors_{runtime}", [("X", "FP32", [1, 2, 3], data)], _BATCH_OUTPUTS
    for batch in (1, 3):
        pixels = struct.pack(f"<{_PIXELS}f", *((i % 251) / 100 - 1.2 for i in range(_PIXELS))) * batch
        image = [("images", "FP32", [batch, 3, 224, 224], pixels)]
        for runtime in ("", "_openvino", "_accelerated"):
            yield f"batch of {batch}", f"efficientnet_lite0{runtime}", image, ["probabilities"]
        for runtime in ("", "_openvino"):
            yield f"batch of {batch}", f"resnet18{runtime}", image, ["logits"]
        if with_torch:
            yield f"batch of {batch}", "efficientnet_lite0_pytorch", image, ["probabilities"]
            for model in ("resnet18_pytorch", "resnet18_aoti"):
                yield f"batch of {batch}", model, image, ["logits"]
    if with_torch:
        data = b"".join(struct.pack("<I", len(text)) + text for text in strings)
        yield "BYTES", "texts_pytorch", [("TEXTS", "BYTES", [len(strings)], data)], ["TEXTS_OUT"]


def main():
    with tempfile.TemporaryDirectory(prefix="check-peers-") as directory:
        repository = pathlib.Path(directory)
        with_torch = _make_repository(repository)
        differing = 0
        with servers.triton(repository) as triton, servers.headrace(repository) as headrace:
            triton.wait_ready()
            headrace.wait_ready()
            for label, model, inputs, outputs in _requests(with_torch):
                same = _infer(triton, model, inputs, outputs) == _infer(headrace, model, inputs, outputs)
                differing += not same
                print(f"{model:28} {label:12} {'the same answer' if same else 'DIFFERENT ANSWERS'}")
        print(f"{differing} of the requests were answered differently" if differing else "all answers are the same")
        return 1 if differing else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except servers.Missing as missing:
        print(f"check_peers: {missing}", file=sys.stderr)
        sys.exit(2)
