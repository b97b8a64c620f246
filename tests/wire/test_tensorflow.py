"""Models of TensorFlow and TensorFlow Lite, which the openvino backend serves: a published network (Basic Pitch, which
hears notes) in the three formats that its maker ships, and graphs made here."""

import shutil

import numpy
import pytest
import tritonclient.http as client_module
from tritonclient.utils import InferenceServerException

from harness import models, small_network, tensorflow_graph
from harness import server as server_module

_RATE, _SAMPLES = 22050, 43844
# Where the lowest note of the network's outputs is on the scale of MIDI.
_LOWEST_NOTE = 21
_CONCERT_PITCH_HZ, _CONCERT_PITCH_NOTE = 440, 69


_LOGITS = (
    'max_batch_size: 4\ninput { name: "image:0" data_type: TYPE_FP32 dims: [ 3, 8, 8 ] }\n'
    'output { name: "scores" data_type: TYPE_FP32 dims: [ 5 ] }\n'
    'output { name: "logits" data_type: TYPE_FP32 dims: [ 5 ] }\n'
)


@pytest.fixture(scope="module", name="server")
def _server(tmp_path_factory):
    repository = tmp_path_factory.mktemp("tensorflow")
    version = {name: repository / name / "1" for name in ("pitch_savedmodel", "pitch_tflite", "pitch_onnx")}
    shutil.copytree(small_network.published("nmp"), version["pitch_savedmodel"] / "model.savedmodel")
    for name, target in (("nmp.tflite", "model.tflite"), ("nmp.onnx", "model.onnx")):
        folder = version["pitch_" + name.split(".")[1]]
        folder.mkdir(parents=True)
        shutil.copyfile(small_network.published(name), folder / target)
    model = small_network.build()
    for name, config in (
        ("graph", ""),
        ("named", 'platform: "tensorflow_graphdef"\n'),
        ("logits", 'backend: "tensorflow"\ndefault_model_filename: "model.graphdef"\n' + _LOGITS),
    ):
        folder = repository / name / "1"
        folder.mkdir(parents=True)
        (folder / "model.graphdef").write_bytes(tensorflow_graph.frozen_graph(model))
        if config:
            (repository / name / "config.pbtxt").write_text(config, encoding="utf-8")
    tensorflow_graph.save_model(model, repository / "saved" / "1" / "model.savedmodel", "pixels", "result")
    with server_module.Server(repository) as running:
        yield running
        assert running.stop() == 0, running.output()


@pytest.fixture(name="client")
def _client(server):
    with client_module.InferenceServerClient(server.url) as client:
        yield client
    assert server.alive(), server.output()


def _infer(client, model, name, array, outputs=()):
    tensor = client_module.InferInput(name, list(array.shape), "FP32")
    tensor.set_data_from_numpy(array)
    return client.infer(model, [tensor], outputs=[client_module.InferRequestedOutput(name) for name in outputs] or None)


def _tone():
    times = numpy.arange(_SAMPLES) / _RATE
    wave = sum(numpy.sin(2 * numpy.pi * _CONCERT_PITCH_HZ * k * times) / k for k in (1, 2, 3))
    return (wave * 0.2).astype(numpy.float32).reshape(1, _SAMPLES, 1)


def test_a_published_model_hears_the_same_in_all_its_formats(client):
    saved = _infer(client, "pitch_savedmodel", "input_2", _tone())
    # The converter to TensorFlow Lite and ONNX named the tensors anew.
    for model in ("pitch_tflite", "pitch_onnx"):
        other = _infer(client, model, "serving_default_input_2:0", _tone())
        for key, number in (("contour", 0), ("note", 1), ("onset", 2)):
            theirs = other.as_numpy(f"StatefulPartitionedCall:{number}")
            numpy.testing.assert_allclose(theirs, saved.as_numpy(key), rtol=0, atol=1e-3)
    notes = saved.as_numpy("note")[0].mean(axis=0)
    assert notes.argmax() == _CONCERT_PITCH_NOTE - _LOWEST_NOTE and notes.max() > 0.5


def test_the_signature_of_a_saved_model_names_its_tensors(client):
    config = client.get_model_config("pitch_savedmodel")
    assert (config["platform"], config["backend"]) == ("tensorflow_savedmodel", "tensorflow")
    assert [tensor["name"] for tensor in config["input"]] == ["input_2"]
    assert sorted(tensor["name"] for tensor in config["output"]) == ["contour", "note", "onset"]
    metadata = client.get_model_metadata("saved")
    assert [tensor["name"] for tensor in metadata["inputs"] + metadata["outputs"]] == ["pixels", "result"]


def test_a_lone_lite_file_is_found_and_completed(client):
    config = client.get_model_config("pitch_tflite")
    assert (config["backend"], config["default_model_filename"]) == ("openvino", "model.tflite")
    assert config["max_batch_size"] == 4


def _image(rows):
    return numpy.random.default_rng(rows).standard_normal((rows, 3, 8, 8)).astype(numpy.float32)


@pytest.mark.parametrize("rows", [1, 3])
def test_a_frozen_graph_names_tensors_after_their_operations(client, rows):
    expected = _infer(client, "saved", "pixels", _image(rows)).as_numpy("result")
    assert expected.shape == (rows, 5)
    for model in ("graph", "named"):
        scores = _infer(client, model, "image", _image(rows)).as_numpy("scores")
        numpy.testing.assert_allclose(scores, expected, rtol=0, atol=1e-6)


def test_a_configuration_may_name_any_operation_of_a_graph(client):
    answer = _infer(client, "logits", "image:0", _image(2), ["logits", "scores"])
    logits = answer.as_numpy("logits")
    powers = numpy.exp(logits - logits.max(axis=1, keepdims=True))
    scores = powers / powers.sum(axis=1, keepdims=True)
    numpy.testing.assert_allclose(answer.as_numpy("scores"), scores, rtol=0, atol=1e-6)
    alone = _infer(client, "logits", "image:0", _image(2), ["logits"])
    assert (alone.as_numpy("logits") == logits).all()


def test_what_is_no_model_is_refused_and_the_others_serve(tmp_path):
    wrong = {
        "no_signature": ("model.savedmodel/saved_model.pb", b"\x08\x01"),
        "no_graph": ("model.graphdef", b"not a graph"),
        "empty_lite": ("model.tflite", b""),
        "wrong_lite": ("model.tflite", b"\x1c\x00\x00\x00XXXX" + bytes(200)),
    }
    for name, (file, content) in wrong.items():
        path = tmp_path / name / "1" / file
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    (tmp_path / "no_directory" / "1").mkdir(parents=True)
    (tmp_path / "no_directory" / "config.pbtxt").write_text('platform: "tensorflow_savedmodel"\n', encoding="utf-8")
    models.add(tmp_path, "identity", models.identity_config([("FP32", [-1])]))
    with server_module.Server(tmp_path, "--model-control-mode=explicit", "--load-model=identity") as server:
        with client_module.InferenceServerClient(server.url) as client:
            for name in (*wrong, "no_directory"):
                with pytest.raises(InferenceServerException, match=name):
                    client.load_model(name)
                assert client.is_model_ready("identity"), server.output()
        assert server.stop() == 0, server.output()
