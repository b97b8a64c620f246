"""Rows 111 and 112: model files that are cut short, changed or made up, and files of weights that are not the model's."""

import concurrent.futures
import dataclasses
import json
import random
import shutil

import numpy
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from harness import backends, canary, models, raw_http, small_network
from harness import server as server_module

_PLACES = 100
# Of each format. What a runtime's reader does wrong shows in one file of thousands: longer runs find more.
_FUZZED = 60 if server_module.is_sanitized() else 200
_FUZZED_OF_LARGE = 60  # where a load takes a while
_LOADERS = 4
# For a load while others load, on a machine that does other work.
_LOAD_LIMIT_S = 300
_TENSORS = (
    "max_batch_size: 4\n"
    f'input {{ name: "{small_network.INPUT}" data_type: TYPE_FP32 dims: [ 3, 8, 8 ] }}\n'
    f'output {{ name: "{small_network.OUTPUT}" data_type: TYPE_FP32 dims: [ 5 ] }}\n'
)


@dataclasses.dataclass(frozen=True)
class _Format:
    """How a backend finds a model, and which of its files is damaged."""

    backend: str
    config: str
    file: str  # below the version directory
    magic: bytes = b""  # what a made-up file begins with, so that it gets further than the first bytes


_ONNX_IN_OPENVINO = 'backend: "openvino"\ndefault_model_filename: "model.onnx"\n' + _TENSORS
_FORMATS = {
    "onnx": _Format("onnxruntime", 'backend: "onnxruntime"\n' + _TENSORS, "model.onnx", b"\x08\x08"),
    "onnx_openvino": _Format("openvino", _ONNX_IN_OPENVINO, "model.onnx", b"\x08\x08"),
    "ir_xml": _Format("openvino", 'backend: "openvino"\n' + _TENSORS, "model.xml", b'<?xml version="1.0"?><net'),
    "ir_bin": _Format("openvino", 'backend: "openvino"\n' + _TENSORS, "model.bin"),
    "graphdef": _Format("openvino", 'platform: "tensorflow_graphdef"\n' + _TENSORS, "model.graphdef", b"\x0a\x10"),
    "savedmodel": _Format(
        "openvino",
        'platform: "tensorflow_savedmodel"\n' + _TENSORS,
        "model.savedmodel/saved_model.pb",
        b"\x08\x01\x12",
    ),
    "tflite": _Format("openvino", 'backend: "openvino"\n', "model.tflite", b"\x1c\x00\x00\x00TFL3"),
}
_BUILT = [name for name, entry in _FORMATS.items() if backends.built(entry.backend)]


@pytest.fixture(scope="module", name="originals")
def _originals(tmp_path_factory):
    """A version directory with the undamaged model, by format."""
    root = tmp_path_factory.mktemp("originals")
    model = small_network.build()
    directories = {}
    for name in _BUILT:
        directory = directories[name] = root / name
        directory.mkdir()
        if name.startswith("onnx"):
            (directory / "model.onnx").write_bytes(model.SerializeToString())
        elif name.startswith("ir"):
            small_network.write_ir(model, directory / "model.xml")
        elif name == "tflite":
            shutil.copyfile(small_network.published("nmp.tflite"), directory / "model.tflite")
        elif name == "savedmodel":
            small_network.write_saved_model(model, directory / "model.savedmodel")
        else:
            (directory / "model.graphdef").write_bytes(small_network.tensorflow_graph.frozen_graph(model))
    return directories


class _Target:
    """A server in explicit mode, with a canary over it, into which models are loaded."""

    def __init__(self, server, repository):
        self.server = server
        self.repository = repository
        self.canary = canary.Canary(server).start()

    def add(self, name, config, source):
        """A model with a copy of the version directory `source`; the copy."""
        directory = self.repository / name
        shutil.copytree(source, directory / "1")
        (directory / "config.pbtxt").write_text(config, encoding="utf-8")
        return directory / "1"

    def load(self, name):
        """The error's text, or nothing if the model was loaded; it is unloaded then, and removed in any case."""
        with raw_http.Connection(self.server, _LOAD_LIMIT_S) as connection:
            connection.send(raw_http.request("POST", f"/v2/repository/models/{name}/load", b"{}"))
            answer = connection.read()
            assert answer.status in (200, 400), answer
            if answer.status == 200:
                connection.send(raw_http.request("POST", f"/v2/repository/models/{name}/unload", b"{}"))
                assert connection.read().status == 200
        shutil.rmtree(self.repository / name)
        return "" if answer.status == 200 else json.loads(answer.body)["error"]


@pytest.fixture(scope="module", name="module_target")
def _module_target(tmp_path_factory):
    repository = models.standard(tmp_path_factory.mktemp("damaged"))
    options = ("--model-control-mode=explicit", "--load-model=identity_fp32", "--load-model=identity_uint64")
    # The log is full of refusals, as it should be.
    with server_module.Server(repository, *options, "--log-error=false", "--log-info=true") as server:
        yield _Target(server, repository)
        assert server.stop() == 0, server.output()


@pytest.fixture(name="target")
def _target(module_target):
    yield module_target
    assert module_target.server.alive(), module_target.server.output()
    module_target.canary.check()


def _load_damaged(target, name, originals, damaged):
    """Loads the format's model once for each content of its file in `damaged`; the errors in that order."""
    entry = _FORMATS[name]

    def load(item):
        number, content = item
        model = f"{name}_{number}"
        version = target.add(model, entry.config, originals[name])
        (version / entry.file).write_bytes(content)
        return target.load(model)

    with concurrent.futures.ThreadPoolExecutor(_LOADERS) as pool:
        return list(pool.map(load, enumerate(damaged)))


def _original(name, originals):
    return (originals[name] / _FORMATS[name].file).read_bytes()


@pytest.mark.row(111)
@pytest.mark.parametrize("name", _BUILT)
def test_the_undamaged_file_loads(target, originals, name):
    assert _load_damaged(target, name, originals, [_original(name, originals)]) == [""]


@pytest.mark.row(111)
@pytest.mark.parametrize("name", _BUILT)
def test_a_file_that_is_cut_short_is_refused(target, originals, name):
    whole = _original(name, originals)
    cuts = sorted({len(whole) * place // _PLACES for place in range(_PLACES)})
    errors = _load_damaged(target, name, originals, [whole[:cut] for cut in cuts])
    assert [cut for cut, error in zip(cuts, errors) if f"load failed for model '{name}_" not in error] == []


@pytest.mark.row(111)
@pytest.mark.parametrize("name", _BUILT)
def test_a_file_that_is_made_up_is_refused(target, originals, name):
    magic, noise = _FORMATS[name].magic, random.Random(111).randbytes(1 << 20)
    contents = [b"", b"\0" * 4096, noise, magic + noise, b"This is no model.\n" * 100]
    if name == "ir_bin":
        contents = contents[:1]  # weights of any value are weights
    assert all(_load_damaged(target, name, originals, contents))


def _fuzzed(whole, seed):
    """A few bits, bytes or blocks of the file changed."""
    choose = random.Random(seed)
    data = bytearray(whole)
    kind = seed % 4
    if kind == 0:
        for _ in range(choose.choice((1, 1, 2, 8, 64))):
            data[choose.randrange(len(data))] ^= 1 << choose.randrange(8)
    elif kind == 1:
        for _ in range(choose.choice((1, 4, 16))):
            data[choose.randrange(len(data))] = choose.choice((0, 127, 128, 255))
    elif kind == 2:
        size = choose.randrange(1, len(data) // 8)
        first, second = (choose.randrange(len(data) - size) for _ in range(2))
        data[first : first + size], data[second : second + size] = (
            bytes(data[second : second + size]),
            bytes(data[first : first + size]),
        )
    else:
        place = choose.randrange(len(data))
        data[place:place] = choose.randbytes(choose.randrange(1, 64))
    return bytes(data)


@pytest.mark.row(111)
@pytest.mark.parametrize("name", _BUILT)
def test_the_server_outlives_a_file_that_is_changed(target, originals, name):
    whole = _original(name, originals)
    # Some are still models; what counts is that the server is there and says why of the others.
    count = _FUZZED_OF_LARGE if name == "tflite" else _FUZZED
    _load_damaged(target, name, originals, [_fuzzed(whole, seed) for seed in range(count)])


@pytest.mark.row(111)
@pytest.mark.parametrize("name", [name for name in _BUILT if name.startswith("onnx")])
def test_a_file_that_a_runtime_dies_of_is_refused(target, originals, name):
    # A convolution without weights: the reader of OpenVINO 2026.4 looks at what it is not given, and is gone.
    model = small_network.build()
    del model.graph.node[0].input[1:]
    assert all(_load_damaged(target, name, originals, [model.SerializeToString()]))


def _external(directory, location="w.bin", **entries):
    """A model whose one weight lies in a file: Y = X + W."""
    weight = numpy_helper.from_array(numpy.arange(4, dtype=numpy.float32), "W")
    graph = helper.make_graph(
        [helper.make_node("Add", ["X", "W"], ["Y"])],
        "external",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, ["n", 4])],
        [helper.make_tensor_value_info("Y", TensorProto.FLOAT, ["n", 4])],
        [weight],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    tensor = model.graph.initializer[0]
    data = tensor.raw_data
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in {"location": location, "offset": "0", "length": str(len(data)), **entries}.items():
        tensor.external_data.add(key=key, value=value)
    directory.mkdir(parents=True)
    (directory / "model.onnx").write_bytes(model.SerializeToString())
    (directory / "w.bin").write_bytes(data)
    return directory


@pytest.mark.row(112)
@pytest.mark.parametrize("file", ["model.xml", "model.tflite", "model.pb", "model.graphdef", "model.dat"])
def test_an_onnx_model_is_found_out_under_any_name(target, tmp_path, file):
    backend = "openvino" if backends.built("openvino") else "onnxruntime"
    source = _external(tmp_path / "source", "/etc/passwd")
    (source / "model.onnx").rename(source / file)
    target.add("disguised", f'backend: "{backend}"\ndefault_model_filename: "{file}"\n', source)
    assert "is not" in (error := target.load("disguised")) or "is called like no model" in error


_EXTERNAL_CONFIGS = {
    "onnxruntime": 'backend: "onnxruntime"\n',
    "openvino": 'backend: "openvino"\ndefault_model_filename: "model.onnx"\n',
}


@pytest.mark.row(112)
@pytest.mark.parametrize("backend", [name for name in _EXTERNAL_CONFIGS if backends.built(name)])
@pytest.mark.parametrize(
    "location, entries, reason",
    [
        ("w.bin", {}, None),
        ("/etc/passwd", {}, "not a path below"),
        ("../../identity_fp32/config.pbtxt", {}, "not a path below"),
        ("", {}, "not a path below"),
        ("link.bin", {}, "symbolic link"),
        ("away/config.pbtxt", {}, "outside of the model's directory"),
        ("nothing.bin", {}, "does not exist"),
        ("w.bin", {"offset": "17"}, "past the end"),
        ("w.bin", {"offset": str(2**63)}, "past the end"),
        ("w.bin", {"length": str(2**63)}, "past the end"),
        ("w.bin", {"length": str(2**64)}, "not a number"),
        ("w.bin", {"offset": "-4"}, "not a number"),
    ],
)
def test_weights_are_read_from_the_models_own_files_only(target, tmp_path, backend, location, entries, reason):
    source = _external(tmp_path / "source", location, **entries)
    name = "external_" + backend
    version = target.add(name, _EXTERNAL_CONFIGS[backend], source)
    # Links that lead out of the repository are refused before any backend sees the model.
    (version / "link.bin").symlink_to("w.bin")
    (version / "away").symlink_to(target.repository / "identity_fp32")
    error = target.load(name)
    assert error == "" if reason is None else reason in error
