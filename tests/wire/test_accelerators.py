"""Execution accelerators of the onnxruntime backend, asked for by the configuration or from the command line."""

import numpy
import pytest
import tritonclient.http as client_module
from onnx import TensorProto, helper
from tritonclient.utils import InferenceServerException

from harness import backends, models
from harness import server as server_module
import test_onnx

pytestmark = pytest.mark.skipif(
    not (backends.built("onnxruntime") and backends.built("openvino")), reason="a runtime is left out of this build"
)
_OPENVINO = 'cpu_execution_accelerator { name: "openvino" %s }'


def _config(accelerator="", extra=""):
    optimization = f"optimization {{ execution_accelerators {{ {accelerator} }} }}\n" if accelerator else ""
    return 'backend: "onnxruntime"\nmax_batch_size: 8\n' + optimization + extra


def _save(repository, name, config, batch="n"):
    """Y = softmax(X @ W)."""
    weights = numpy.linspace(-1, 1, 64 * 16, dtype=numpy.float32)
    test_onnx.save(
        repository,
        name,
        [helper.make_node("MatMul", ["X", "W"], ["P"]), helper.make_node("Softmax", ["P"], ["Y"], axis=1)],
        [("X", TensorProto.FLOAT, [batch, 64])],
        [("Y", TensorProto.FLOAT, [batch, 16])],
        config,
        [helper.make_tensor("W", TensorProto.FLOAT, [64, 16], weights.tolist())],
    )


@pytest.fixture(scope="module", name="server")
def _server(tmp_path_factory):
    repository = tmp_path_factory.mktemp("accelerators")
    _save(repository, "plain", _config())
    _save(repository, "accelerated", _config(_OPENVINO % ""))
    _save(repository, "tuned", _config(_OPENVINO % 'parameters { key: "INFERENCE_NUM_THREADS" value: "1" }'))
    _save(repository, "made_for_one", _config(_OPENVINO % ""), batch=1)
    _save(repository, "completed", 'optimization { execution_accelerators { %s } }\n' % (_OPENVINO % ""))
    with server_module.Server(repository) as running:
        yield running
        assert running.stop() == 0, running.output()


def _input(rows):
    tensor = client_module.InferInput("X", list(rows.shape), "FP32")
    tensor.set_data_from_numpy(rows)
    return [tensor]


def _rows(count):
    return numpy.random.default_rng(count).standard_normal((count, 64)).astype(numpy.float32)


@pytest.mark.parametrize("model", ["accelerated", "tuned", "made_for_one", "completed"])
@pytest.mark.parametrize("count", [1, 3])
def test_openvino_answers_as_onnxruntime_does(server, model, count):
    with client_module.InferenceServerClient(server.url) as client:
        expected = client.infer("plain", _input(_rows(count))).as_numpy("Y")
        answer = client.infer(model, _input(_rows(count))).as_numpy("Y")
    numpy.testing.assert_allclose(answer, expected, rtol=1e-5, atol=1e-5)
    # Who it is that runs the model depends on the library; that it is OpenVINO is sure.
    server.wait_line(rf"model '{model}': the Execution Accelerator 'openvino' is (the OpenVINO|ONNX Runtime's)")


def test_clients_see_an_onnx_model(server):
    with client_module.InferenceServerClient(server.url) as client:
        config = client.get_model_config("completed")
    assert (config["backend"], config["platform"], config["max_batch_size"]) == ("onnxruntime", "onnxruntime_onnx", 4)
    assert [tensor["name"] for tensor in config["input"] + config["output"]] == ["X", "Y"]


@pytest.mark.parametrize(
    "accelerator, text",
    [
        ('cpu_execution_accelerator { name: "warp" }', "unknown Execution Accelerator 'warp' is requested"),
        ('gpu_execution_accelerator { name: "warp" }', "unknown Execution Accelerator 'warp' is requested"),
        ('cpu_execution_accelerator { name: "tensorrt" }', "unknown Execution Accelerator 'tensorrt' is requested"),
        ('gpu_execution_accelerator { name: "tensorrt" }', "'tensorrt' needs a GPU, and the model has no instance_group"),
        ('gpu_execution_accelerator { name: "cuda" }', "'cuda' needs a GPU, and the model has no instance_group"),
        (
            'gpu_execution_accelerator { name: "tensorrt" parameters { key: "precision_mode" value: "FP8" } }',
            "unsupported precision mode 'FP8'",
        ),
        (
            'gpu_execution_accelerator { name: "tensorrt" parameters { key: "speed" value: "11" } }',
            "unknown parameter 'speed' is provided for the Execution Accelerator 'tensorrt'",
        ),
        (_OPENVINO % 'parameters { key: "inference_precision" value: "f8" }', "it takes f32, f16 or bf16"),
    ],
)
def test_what_cannot_be_given_is_refused_by_name(tmp_path, accelerator, text):
    # One instance on the CPU, so that the machine's GPUs do not matter.
    _save(tmp_path, "wrong", _config(accelerator, "instance_group { count: 1 kind: KIND_CPU }\n"))
    with server_module.Server(tmp_path, "--model-control-mode=explicit") as server:
        with client_module.InferenceServerClient(server.url) as client:
            with pytest.raises(InferenceServerException, match=text):
                client.load_model("wrong")
            assert client.is_server_live()


def _accelerators(client, model):
    optimization = client.get_model_config(model)["optimization"]
    chosen = optimization.get("execution_accelerators", {}).get("cpu_execution_accelerator", [])
    return [accelerator["name"] for accelerator in chosen]


@pytest.fixture(name="repository")
def _repository(tmp_path):
    _save(tmp_path, "one", _config())
    _save(tmp_path, "two", _config())
    models.add(tmp_path, "identity", models.identity_config([("FP32", [-1])]))
    return tmp_path


def test_openvino_is_switched_on_for_a_model_and_for_all(repository):
    for options, expected in ((["one"], ["one"]), (["*"], ["one", "two"])):
        switches = [f"--enable-openvino={name}" for name in options]
        with server_module.Server(repository, *switches) as server:
            with client_module.InferenceServerClient(server.url) as client:
                assert [name for name in ("one", "two") if _accelerators(client, name)] == expected
                answers = [client.infer(name, _input(_rows(2))).as_numpy("Y") for name in ("one", "two")]
                assert client.is_model_ready("identity")
            numpy.testing.assert_allclose(answers[0], answers[1], rtol=1e-5, atol=1e-5)
            assert server.stop() == 0, server.output()


def test_a_switch_that_does_nothing_is_warned_about(repository):
    switches = ("--enable-openvino=identity", "--enable-openvino=nowhere", "--enable-tensorrt=*")
    with server_module.Server(repository, *switches) as server:
        server.wait_line(r"^W.*'identity'.*--enable-openvino names this model, but backend 'identity' has no such")
        server.wait_line(r"^W.*names model 'nowhere', which no model repository has")
        with client_module.InferenceServerClient(server.url) as client:
            assert client.is_model_ready("one") and not _accelerators(client, "one")


def test_tensorrt_for_a_model_that_is_named_needs_a_gpu(repository):
    _save(repository, "three", _config(extra="instance_group { count: 1 kind: KIND_CPU }\n"))
    with server_module.Server(repository, "--enable-tensorrt=three", "--exit-on-error=false") as server:
        server.wait_line(r"'tensorrt' needs a GPU, and the model has no instance_group of KIND_GPU")
        with client_module.InferenceServerClient(server.url) as client:
            assert not client.is_model_ready("three") and client.is_model_ready("one")
