"""The openvino backend: ONNX and OpenVINO IR, against the onnxruntime backend and against numpy."""

import numpy
import openvino
import pytest
import tritonclient.http as client_module
from onnx import TensorProto, helper
from tritonclient.utils import InferenceServerException

from harness import models
from harness import server as server_module
import test_onnx

_CONFIG = (
    'backend: "openvino"\ndefault_model_filename: "model.onnx"\nmax_batch_size: 8\n'
    "dynamic_batching { max_queue_delay_microseconds: 300000 }\n"
)


def _weights(shape):
    return helper.make_tensor(
        "W", TensorProto.FLOAT, shape, numpy.linspace(-1, 1, int(numpy.prod(shape)), dtype=numpy.float32).tolist()
    )


def _save_product(repository, name, config, batch="n"):
    """Y = X @ W with X [batch, 64] and W [64, 16]."""
    test_onnx.save(
        repository,
        name,
        [helper.make_node("MatMul", ["X", "W"], ["Y"])],
        [("X", TensorProto.FLOAT, [batch, 64])],
        [("Y", TensorProto.FLOAT, [batch, 16])],
        config,
        [_weights([64, 16])],
    )


def _product(rows):
    return rows @ numpy.linspace(-1, 1, 64 * 16, dtype=numpy.float32).reshape(64, 16)


@pytest.fixture(scope="module", name="server")
def _server(tmp_path_factory):
    repository = tmp_path_factory.mktemp("openvino")
    _save_product(repository, "reference", 'backend: "onnxruntime"\nmax_batch_size: 8\n')
    _save_product(repository, "product", _CONFIG)
    _save_product(repository, "completed", 'backend: "openvino"\ndefault_model_filename: "model.onnx"\n')
    _save_product(repository, "two_instances", _CONFIG + "instance_group { count: 2 kind: KIND_CPU }\n")
    _save_product(
        repository,
        "made_for_one",
        _CONFIG
        + models.parameter("INFERENCE_NUM_THREADS", 1)
        + 'input { name: "X" data_type: TYPE_FP32 dims: [ 64 ] }\n'
        + 'output { name: "Y" data_type: TYPE_FP32 dims: [ 16 ] }\n',
        batch=1,
    )
    _save_product(repository, "half", _CONFIG + models.parameter("inference_precision", "bf16"))
    _save_product(
        repository,
        "mixed",
        _CONFIG
        + 'optimization { execution_accelerators { cpu_execution_accelerator { name: "auto_mixed_precision" } } }\n',
    )
    _save_product(repository, "fixed", _CONFIG + models.parameter("SKIP_OV_DYNAMIC_BATCHSIZE", "YES"), batch=1)
    _save_product(
        repository,
        "padded",
        _CONFIG
        + models.parameter("SKIP_OV_DYNAMIC_BATCHSIZE", "YES")
        + models.parameter("ENABLE_BATCH_PADDING", "YES"),
    )
    test_onnx.save(
        repository,
        "reshaped",
        [helper.make_node("Relu", ["X"], ["Y"])],
        [("X", TensorProto.FLOAT, ["n", "m"])],
        [("Y", TensorProto.FLOAT, ["n", "m"])],
        _CONFIG
        + models.parameter("RESHAPE_IO_LAYERS", "YES")
        + 'input { name: "X" data_type: TYPE_FP32 dims: [ 5 ] }\n'
        + 'output { name: "Y" data_type: TYPE_FP32 dims: [ 5 ] }\n',
    )
    _save_product(repository, "curious", _CONFIG + models.parameter("NO_SUCH_PROPERTY", 1))
    ir = repository / "ir" / "1"
    ir.mkdir(parents=True)
    core = openvino.Core()
    openvino.save_model(
        core.read_model(str(repository / "product" / "1" / "model.onnx")), str(ir / "model.xml"), compress_to_fp16=False
    )
    with server_module.Server(repository) as running:
        yield running


@pytest.fixture(name="client")
def _client(server):
    with client_module.InferenceServerClient(server.url, concurrency=8) as client:
        yield client


def _input(rows):
    tensor = client_module.InferInput("X", list(rows.shape), "FP32")
    tensor.set_data_from_numpy(rows)
    return [tensor]


def _rows(count):
    return numpy.random.default_rng(count).standard_normal((count, 64)).astype(numpy.float32)


@pytest.mark.parametrize("model", ["product", "completed", "two_instances", "made_for_one", "ir", "padded"])
@pytest.mark.parametrize("count", [1, 3])
def test_answers_as_onnxruntime_does(client, model, count):
    rows = _rows(count)
    expected = client.infer("reference", _input(rows)).as_numpy("Y")
    answer = client.infer(model, _input(rows)).as_numpy("Y")
    assert answer.shape == (count, 16)
    numpy.testing.assert_allclose(answer, expected, rtol=1e-5, atol=1e-5)
    numpy.testing.assert_allclose(answer, _product(rows), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("model", ["half", "mixed"])
def test_half_precision_is_near(client, model):
    rows = _rows(2)
    numpy.testing.assert_allclose(client.infer(model, _input(rows)).as_numpy("Y"), _product(rows), rtol=0.05, atol=0.1)


def test_a_model_made_for_whole_batches_takes_those_only(client):
    rows = _rows(8)
    numpy.testing.assert_allclose(client.infer("fixed", _input(rows)).as_numpy("Y"), _product(rows), rtol=1e-4, atol=1e-4)
    with pytest.raises(InferenceServerException, match="exactly 8 rows, not of 3; parameter ENABLE_BATCH_PADDING"):
        client.infer("fixed", _input(_rows(3)))


def test_a_padded_batch_shows_nothing_of_the_one_before(client):
    whole, part = _rows(8), _rows(2)
    assert client.infer("padded", _input(whole)).as_numpy("Y").shape == (8, 16)
    answer = client.infer("padded", _input(part)).as_numpy("Y")
    numpy.testing.assert_allclose(answer, _product(part), rtol=1e-4, atol=1e-4)


def test_inputs_are_reshaped_to_the_configuration(client):
    rows = numpy.array([[-1, 2, -3, 4, -5]], numpy.float32)
    assert client.infer("reshaped", _input(rows)).as_numpy("Y").tolist() == [[0, 2, 0, 4, 0]]


def test_a_parameter_that_nobody_knows_is_warned_about(server, client):
    assert client.is_model_ready("curious")
    server.wait_line(r"^W.*parameter 'NO_SUCH_PROPERTY' has no effect")


def _load(repository, *options):
    """How long the model takes to load, and what the server says of it."""
    with server_module.Server(repository, *options) as server:
        with client_module.InferenceServerClient(server.url) as client:
            rows = _rows(2)
            answer = client.infer("cached", _input(rows)).as_numpy("Y")
            numpy.testing.assert_allclose(answer, _product(rows), rtol=1e-4, atol=1e-4)
        assert server.stop() == 0, server.output()


def test_compiled_models_are_kept_where_the_model_says(tmp_path):
    cache, repository = tmp_path / "cache", tmp_path / "repository"
    _save_product(repository, "cached", _CONFIG + models.parameter("MODEL_CACHE_DIR", cache))
    _load(repository)
    (entry,) = cache.glob("*/*.blob")
    written = entry.stat().st_mtime_ns
    _load(repository)
    assert entry.stat().st_mtime_ns == written
    # An entry that cannot be read is made again.
    entry.write_bytes(entry.read_bytes()[:100])
    _load(repository)
    assert entry.stat().st_size > 100


def test_nothing_is_kept_by_default(server, client):
    assert client.is_model_ready("product")
    with open(f"/proc/{server.pid}/maps", encoding="utf-8") as maps:
        assert "model.bin" not in maps.read()


def test_a_batch_of_several_requests_is_taken_apart_rightly(client):
    rows = [_rows(count) for count in (1, 2, 3, 2)]
    pending = [client.async_infer("product", _input(part)) for part in rows]
    for part, request in zip(rows, pending):
        numpy.testing.assert_allclose(request.get_result().as_numpy("Y"), _product(part), rtol=1e-4, atol=1e-4)
    (statistics,) = client.get_inference_statistics("product")["model_stats"]
    assert statistics["execution_count"] < statistics["inference_stats"]["success"]["count"]


def test_configuration_is_completed_from_the_model(client):
    config = client.get_model_config("completed")
    assert config["max_batch_size"] == 4
    assert [(tensor["name"], tensor["data_type"], tensor["dims"]) for tensor in config["input"]] == [
        ("X", "TYPE_FP32", [64])
    ]
    assert "dynamic_batching" in config


@pytest.mark.parametrize(
    "extra, text",
    [
        (models.parameter("TARGET_DEVICE", "ABACUS"), "ABACUS"),
        (models.parameter("inference_precision", "f8"), "inference_precision"),
        (models.parameter("HINT_BF16", "perhaps"), "YES or NO"),
        (models.parameter("MODEL_CACHE_DIR", "here"), "absolute path"),
        (models.parameter("NUM_STREAMS", "many"), "Could not read number of streams from str: many"),
        (models.parameter("CPU_EXTENSION_PATH", "/nowhere.so"), "nowhere.so"),
        ('optimization { execution_accelerators { cpu_execution_accelerator { name: "warp" } } }\n', "warp"),
        (
            'input { name: "Z" data_type: TYPE_FP32 dims: [ 64 ] }\n'
            'output { name: "Y" data_type: TYPE_FP32 dims: [ 16 ] }\n',
            "unexpected inference input 'Z'",
        ),
        (
            'input { name: "X" data_type: TYPE_INT32 dims: [ 64 ] }\n'
            'output { name: "Y" data_type: TYPE_FP32 dims: [ 16 ] }\n',
            "TYPE_INT32",
        ),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused_by_name(tmp_path, extra, text):
    _save_product(tmp_path, "wrong", _CONFIG + extra)
    with server_module.Server(tmp_path, "--model-control-mode=explicit") as server:
        with client_module.InferenceServerClient(server.url) as client:
            with pytest.raises(InferenceServerException, match=text):
                client.load_model("wrong")
            assert client.is_server_live()


@pytest.mark.parametrize("content", [b"", b"not a model", bytes(range(256)) * 64])
def test_a_damaged_file_is_refused(tmp_path, content):
    directory = tmp_path / "damaged" / "1"
    directory.mkdir(parents=True)
    (directory / "model.onnx").write_bytes(content)
    (tmp_path / "damaged" / "config.pbtxt").write_text(_CONFIG, encoding="utf-8")
    with server_module.Server(tmp_path, "--model-control-mode=explicit") as server:
        with client_module.InferenceServerClient(server.url) as client:
            with pytest.raises(InferenceServerException, match="damaged"):
                client.load_model("damaged")
            assert client.is_server_live()
