"""What a configuration can say of tensors, with each runtime: ragged and batch inputs, batch outputs, reshape, optional
inputs."""

import importlib.util
import re

import numpy
import pytest
import tritonclient.http as client_module
from tritonclient.utils import InferenceServerException

from harness import backends, models, tensor_models, wait
from harness import server as server_module

# The wheel of torch alone does not import; sympy comes with what it takes to make models.
_HAS_TORCH = backends.built("pytorch") and importlib.util.find_spec("sympy") is not None
_RUNTIMES = [name for name in ("onnxruntime", "openvino") if backends.built(name)] + ["pytorch"] * _HAS_TORCH
_ONNX_RUNTIMES = [name for name in ("onnxruntime", "openvino") if backends.built(name)]
_ROWS = 3

pytestmark = pytest.mark.skipif(not _RUNTIMES, reason="no runtime is built")

_RESHAPES = {
    # name: (shape of the model's tensors, max_batch_size, dims and reshape, shapes of requests)
    "matrix": (["n", 2, 2], 4, "dims: 4 reshape { shape: [ 2, 2 ] }", [(1, 4), (3, 4)]),
    "scalar": (["n"], 4, "dims: 1 reshape { }", [(1, 1), (4, 1)]),
    "variable": (["n", "m", 2, 2], 4, "dims: [ -1, 4 ] reshape { shape: [ -1, 2, 2 ] }", [(2, 3, 4), (1, 1, 4)]),
    "open": (["n", 1, "m"], 4, "dims: -1 reshape { shape: [ 1, -1 ] }", [(2, 3), (1, 7)]),
    "unbatched": ([3, 2], 0, "dims: [ 6 ] reshape { shape: [ 3, 2 ] }", [(6,)]),
}


def _pair(dims):
    return "".join(f'{kind} {{ name: "{name}" data_type: TYPE_FP32 {dims} }}\n' for kind, name in (("input", "X"), ("output", "Y")))


def _add_torch(repository):
    import torch_tensor_modules  # PyTorch is there only where the backend is

    from harness import torch_models

    def save(name, module, config):
        torch_models.save_script(module, repository / name / "1" / "model.pt")
        (repository / name / "config.pbtxt").write_text(config, encoding="utf-8")

    save("pytorch_batch_tensors", torch_tensor_modules.BatchTensors(), tensor_models.batch_tensors_config("pytorch", _ROWS))
    optional = 'input { name: "x" data_type: TYPE_FP32 dims: 4 }\ninput { name: "bias" data_type: TYPE_FP32 dims: 4 optional: true }\n'
    optional = 'backend: "pytorch"\nmax_batch_size: 8\n' + optional + 'output { name: "y" data_type: TYPE_FP32 dims: 4 }\n'
    optional += "dynamic_batching { max_queue_delay_microseconds: 100000 }\n"
    save("pytorch_optional", torch_tensor_modules.OptionalBias(), optional)
    save("pytorch_needed", torch_tensor_modules.NeededBias(), optional)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    repository = tmp_path_factory.mktemp("tensor_settings")
    for runtime in _ONNX_RUNTIMES:
        tensor_models.batch_tensors(
            repository, f"{runtime}_batch_tensors", tensor_models.batch_tensors_config(runtime, _ROWS)
        )
        for name, (shape, batch_size, dims, _) in _RESHAPES.items():
            config = f'backend: "{runtime}"\nmax_batch_size: {batch_size}\n' + _pair(dims)
            tensor_models.copy(repository, f"{runtime}_{name}", shape, config)
        config = f'backend: "{runtime}"\n' + _pair("dims: 4")
        config += 'input { name: "SCALE" data_type: TYPE_FP32 dims: 4 optional: true }\n'
        tensor_models.scale(repository, f"{runtime}_needed", config, with_default=False)
        if runtime == "onnxruntime":
            tensor_models.scale(repository, "onnxruntime_optional", config, with_default=True)
    if "pytorch" in _RUNTIMES:
        _add_torch(repository)
    with server_module.running(repository) as running:
        yield running


@pytest.fixture(scope="module")
def client(server):
    with client_module.InferenceServerClient(server.url, concurrency=8) as made:
        yield made


def _input(name, array):
    tensor = client_module.InferInput(name, list(array.shape), "FP32")
    tensor.set_data_from_numpy(array)
    return tensor


def _array(shape, start=0.0):
    return (numpy.arange(numpy.prod(shape), dtype=numpy.float32) + start).reshape(shape)


@pytest.mark.parametrize("runtime", _RUNTIMES)
def test_requests_of_different_shape_share_a_batch(client, runtime):
    model = f"{runtime}_batch_tensors"

    def counts():
        statistics = client.get_inference_statistics(model)["model_stats"][0]
        return statistics["inference_count"], statistics["execution_count"]

    before = counts()
    arrays = [_array((1, 1, 3), 1), _array((1, 2, 2), 10), _array((1, 5, 1), 100)]
    pending = [client.async_infer(model, [_input("X", array)]) for array in arrays]
    results = [one.get_result() for one in pending]
    # A full batch does not wait for the long delay. Backends report an execution after its answers.
    wait.until(lambda: counts()[0] == before[0] + _ROWS, "the statistics of all requests")
    wait.until(lambda: counts()[1] > before[1], "the statistics of the execution")
    assert counts()[1] == before[1] + 1
    end = 0
    for array, result in sorted(zip(arrays, results), key=lambda pair: pair[1].as_numpy("end").item()):
        assert result.as_numpy("start").tolist() == [[end]]
        end += array.size
        assert result.as_numpy("end").tolist() == [[end]]
        assert result.as_numpy("count").tolist() == [[array.size]]
        assert result.as_numpy("longest").tolist() == [[5]]
        assert result.as_numpy("shape").tolist() == [list(array.shape[1:])]
        assert result.as_numpy("flat").tolist() == [list(array.shape[1:])]
        assert result.as_numpy("sum").item() == pytest.approx(array.sum())
        numpy.testing.assert_array_equal(result.as_numpy("twice"), array * 2)


@pytest.mark.parametrize("model", [f"{runtime}_{name}" for runtime in _ONNX_RUNTIMES for name in _RESHAPES])
def test_the_model_sees_the_reshape_and_the_client_the_dims(client, model):
    shapes = _RESHAPES[model.partition("_")[2]][3]
    for shape in shapes:
        answer = client.infer(model, [_input("X", _array(shape))]).as_numpy("Y")
        numpy.testing.assert_array_equal(answer, _array(shape))


def test_an_input_with_a_default_in_the_file_may_be_left_out(client):
    if "onnxruntime" not in _RUNTIMES:
        pytest.skip("the onnxruntime backend is not built")
    x, scale = _array((4,), 1), _array((4,), 5)
    answer = client.infer("onnxruntime_optional", [_input("X", x)]).as_numpy("Y")
    numpy.testing.assert_array_equal(answer, x * [1, 2, 3, 4])
    answer = client.infer("onnxruntime_optional", [_input("X", x), _input("SCALE", scale)]).as_numpy("Y")
    numpy.testing.assert_array_equal(answer, x * scale)


@pytest.mark.parametrize("runtime", _ONNX_RUNTIMES)
def test_an_input_that_the_model_needs_is_said_to_be_missing(client, runtime):
    x = _array((4,), 1)
    with pytest.raises(InferenceServerException, match="input 'SCALE' is missing"):
        client.infer(f"{runtime}_needed", [_input("X", x)])
    numpy.testing.assert_array_equal(
        client.infer(f"{runtime}_needed", [_input("X", x), _input("SCALE", x)]).as_numpy("Y"), x * x
    )


@pytest.mark.skipif("pytorch" not in _RUNTIMES, reason="the pytorch backend is not built")
def test_optional_arguments_are_given_by_some_requests_of_a_window(client):
    """Requests with and without the input never share an execution."""
    x, bias = _array((1, 4), 1), _array((1, 4), 50)
    pending = []
    for i in range(12):
        inputs = [_input("x", x + i)] + ([_input("bias", bias)] if i % 3 == 0 else [])
        pending.append((i, client.async_infer("pytorch_optional", inputs)))
    for i, one in pending:
        expected = x + i + (bias if i % 3 == 0 else 0)
        numpy.testing.assert_array_equal(one.get_result().as_numpy("y"), expected)


@pytest.mark.skipif("pytorch" not in _RUNTIMES, reason="the pytorch backend is not built")
def test_an_argument_that_is_needed_is_said_to_be_missing(client):
    with pytest.raises(InferenceServerException, match="input 'bias' is missing: the model needs it as argument 'bias' of type Tensor"):
        client.infer("pytorch_needed", [_input("x", _array((1, 4)))])


def _failure(repository, name):
    with server_module.Server(repository, "--exit-on-error=false") as running:
        with client_module.InferenceServerClient(running.url) as made:
            (entry,) = [model for model in made.get_model_repository_index() if model["name"] == name]
            assert entry["state"] == "UNAVAILABLE", entry
            return entry["reason"]


@pytest.mark.skipif("onnxruntime" not in _RUNTIMES, reason="the onnxruntime backend is not built")
@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (
            "dims: [ -1, -1 ] allow_ragged_batch: true",
            "dims: [ -1, -1 ]",
            r"tensor 'X': the model expects 1 dimensions \(shape \[-1\]\)",
        ),
        ('target_name: "END"', 'target_name: "LAST"', "unexpected inference input 'LAST', allowed inputs are: X, COUNT"),
        ("TYPE_FP32 source_input", "TYPE_INT32 source_input", "tensor 'COUNT': the model expects data-type TYPE_FP32"),
        ("BATCH_ITEM_SHAPE target", "BATCH_ELEMENT_COUNT target", "a batch input of its kind has 1 dimension"),
        ('source_input: "X"', 'source_input: "Z"', "names unknown source input 'Z'"),
        ('batch_output { target_name: "twice"', 'batch_output { target_name: [ "twice", "half" ]', "unknown target output name 'half'"),
    ],
)
def test_what_does_not_fit_the_model_is_refused_by_name(tmp_path, old, new, reason):
    config = tensor_models.batch_tensors_config("onnxruntime", _ROWS)
    assert old in config
    tensor_models.batch_tensors(tmp_path, "wrong", config.replace(old, new))
    text = _failure(tmp_path, "wrong")
    assert re.search(reason, text), text


def test_identity_keeps_requests_apart_and_answers_each(tmp_path):
    """Ragged inputs need no runtime that joins them: the backend gets the requests."""
    config = models.identity_config([("FP32", [-1])], 16, "dynamic_batching { max_queue_delay_microseconds: 100000 }\n")
    config = config.replace('input { name: "INPUT0"', 'input { allow_ragged_batch: true name: "INPUT0"')
    models.add(tmp_path, "ragged", config)
    with server_module.Server(tmp_path) as running, client_module.InferenceServerClient(running.url, concurrency=16) as made:
        arrays = [_array((1 + i % 2, i % 5), i) for i in range(16)]
        pending = [made.async_infer("ragged", [_input("INPUT0", array)]) for array in arrays]
        for array, one in zip(arrays, pending):
            numpy.testing.assert_array_equal(one.get_result().as_numpy("OUTPUT0"), array)

        def statistics():
            return made.get_inference_statistics("ragged")["model_stats"][0]

        wait.until(lambda: statistics()["inference_count"] == sum(1 + i % 2 for i in range(16)), "the statistics")
        assert statistics()["execution_count"] < 16
