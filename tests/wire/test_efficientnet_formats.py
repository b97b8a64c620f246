"""One trained network in every format that the backends read: the same answers to ten photographs."""

import json
import pathlib
import sys

import numpy
import pytest
import tritonclient.http as client_module

from harness import backends, models, tensorflow_graph
from harness import server as server_module

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "demo"))
import efficientnet_lite0  # noqa: E402
import photograph  # noqa: E402

_PHOTOGRAPHS = (
    "astronaut.png",
    "cell.png",
    "chelsea.png",
    "clock_motion.png",
    "coffee.png",
    "coins.png",
    "hubble_deep_field.jpg",
    "motorcycle_left.png",
    "retina.jpg",
    "rocket.jpg",
)
_REFERENCE = "onnx"
_BF16 = models.parameter("inference_precision", "bf16")
# The backend, the configuration, and how far probabilities may be from the reference's.
_FORMATS = {
    "onnx": ("onnxruntime", 'backend: "onnxruntime"\n', None),
    "onnx_openvino": ("openvino", 'backend: "openvino"\ndefault_model_filename: "model.onnx"\n', 1e-3),
    "ir": ("openvino", 'backend: "openvino"\n', 1e-3),
    "ir_bf16": ("openvino", 'backend: "openvino"\n' + _BF16, None),
    "savedmodel": ("openvino", 'platform: "tensorflow_savedmodel"\n', 1e-3),
    "graphdef": ("openvino", 'platform: "tensorflow_graphdef"\n', 1e-3),
}
_SERVED = [name for name, (backend, *_) in _FORMATS.items() if backends.built(backend)]
pytestmark = pytest.mark.skipif(_REFERENCE not in _SERVED, reason="there is no onnxruntime backend in this build")


def _write(model, name, directory):
    """The network's file or files of one format."""
    if name.startswith("onnx"):
        (directory / "model.onnx").write_bytes(model.SerializeToString())
    elif name.startswith("ir"):
        import openvino

        converted = openvino.Core().read_model(model.SerializeToString())
        openvino.save_model(converted, str(directory / "model.xml"), compress_to_fp16=False)
    elif name == "savedmodel":
        tensorflow_graph.save_model(model, directory / "model.savedmodel", "images", "probabilities")
    else:
        (directory / "model.graphdef").write_bytes(tensorflow_graph.frozen_graph(model))


@pytest.fixture(scope="module", name="server")
def _server(tmp_path_factory):
    repository = tmp_path_factory.mktemp("formats")
    model = efficientnet_lite0.build()
    for name in _SERVED:
        directory = repository / name / "1"
        directory.mkdir(parents=True)
        _write(model, name, directory)
        (repository / name / "config.pbtxt").write_text(
            _FORMATS[name][1] + "instance_group { count: 1 kind: KIND_CPU }\n", encoding="utf-8"
        )
    with server_module.Server(repository) as running:
        yield running
        assert running.stop() == 0, running.output()


@pytest.fixture(scope="module", name="answers")
def _answers(server):
    """The probabilities of all photographs, by format."""
    folder = photograph.example_path().parent
    images = numpy.concatenate([photograph.load(folder / name) for name in _PHOTOGRAPHS])
    answers = {}
    with client_module.InferenceServerClient(server.url) as client:
        for name in _SERVED:
            parts = []
            for part in (images[:4], images[4:8], images[8:]):
                tensor = client_module.InferInput("images", list(part.shape), "FP32")
                tensor.set_data_from_numpy(part)
                parts.append(client.infer(name, [tensor]).as_numpy("probabilities"))
            answers[name] = numpy.concatenate(parts)
    return answers


def _best(probabilities):
    return numpy.argsort(-probabilities, axis=1, kind="stable")[:, :5]


@pytest.mark.parametrize("name", [name for name in _SERVED if _FORMATS[name][2]])
def test_answers_are_alike(answers, name):
    expected, tolerance = answers[_REFERENCE], _FORMATS[name][2]
    numpy.testing.assert_allclose(answers[name], expected, rtol=0, atol=tolerance)
    assert (_best(answers[name]) == _best(expected)).all()


@pytest.mark.skipif("ir_bf16" not in _SERVED, reason="there is no openvino backend in this build")
def test_answers_in_bf16_are_near(answers):
    # Eight bits in each of fifty layers: the runtime by itself differs as much, where two classes are close.
    errors = numpy.abs(answers["ir_bf16"] - answers[_REFERENCE]).max(axis=1)
    assert numpy.median(errors) < 1e-2 and numpy.sort(errors)[:8].max() < 2e-2 and errors.max() < 4e-2, errors
    assert (answers["ir_bf16"].argmax(axis=1) == answers[_REFERENCE].argmax(axis=1)).sum() >= 9


def test_the_network_knows_what_is_on_the_photographs(answers):
    coffee = answers[_REFERENCE][_PHOTOGRAPHS.index("coffee.png")]
    assert coffee.argmax() == 967  # espresso
    cat = answers[_REFERENCE][_PHOTOGRAPHS.index("chelsea.png")]
    assert cat.argmax() in (281, 282, 285)  # kinds of cats


@pytest.mark.parametrize("name", [name for name in ("savedmodel", "graphdef") if name in _SERVED])
def test_clients_see_a_model_of_tensorflow(server, name):
    with client_module.InferenceServerClient(server.url) as client:
        config, metadata = client.get_model_config(name), client.get_model_metadata(name)
    assert (config["backend"], config["platform"]) == ("tensorflow", f"tensorflow_{name}")
    assert [(t["name"], t["shape"]) for t in metadata["inputs"]] == [("images", [-1, 3, 224, 224])], json.dumps(config)
    assert [(t["name"], t["shape"]) for t in metadata["outputs"]] == [("probabilities", [-1, 1000])]
    server.wait_line(rf"model '{name}': backend 'tensorflow' is not installed; backend 'openvino' serves the model")
