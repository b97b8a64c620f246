"""The published tritonclient, sync and aio, unchanged."""

import asyncio
import json

import numpy
import pytest
import tritonclient.http as client_module
import tritonclient.http.aio as aio_module
from tritonclient.utils import InferenceServerException

from harness import datatypes, models, wait
from harness import server as server_module


@pytest.fixture(name="client")
def _client(server):
    with client_module.InferenceServerClient(server.url, concurrency=4) as client:
        yield client


def tensor(array, dtype, binary, name="INPUT0", module=client_module):
    result = module.InferInput(name, list(array.shape), dtype)
    result.set_data_from_numpy(array, binary_data=binary)
    return result


def wanted(binary, name="OUTPUT0", class_count=0, module=client_module):
    return module.InferRequestedOutput(name, binary_data=binary, class_count=class_count)


def transports(dtype):
    """(binary in, binary out) that the datatype allows."""
    if dtype in ("FP16", "BF16"):
        return [(True, True)]
    return [(a, b) for a in (False, True) for b in (False, True)]


CASES = [
    pytest.param(
        dtype,
        *transport,
        id=f"{dtype}-in-{'binary' if transport[0] else 'json'}-out-{'binary' if transport[1] else 'json'}",
    )
    for dtype in models.DTYPES
    for transport in transports(dtype)
]


def same(got, expected):
    return got.dtype == expected.dtype and got.shape == expected.shape and bool((got == expected).all())


def expected_array(dtype, binary_out):
    array = datatypes.EXTREMES[dtype]
    if dtype == "BYTES" and not binary_out:
        return numpy.array([element.decode() for element in array], numpy.object_)
    return array


@pytest.mark.parametrize("dtype, binary_in, binary_out", CASES)
def test_every_datatype_comes_back(client, dtype, binary_in, binary_out):
    model = f"identity_{dtype.lower()}"
    result = client.infer(model, [tensor(datatypes.EXTREMES[dtype], dtype, binary_in)], outputs=[wanted(binary_out)])
    got = result.as_numpy("OUTPUT0")
    expected = expected_array(dtype, binary_out)
    if dtype == "BYTES":
        assert [e.decode() if isinstance(e, bytes) else e for e in got] == [e.decode() for e in datatypes.EXTREMES[dtype]]
    else:
        assert same(got, expected), (got, expected)
    assert result.get_output("OUTPUT0")["datatype"] == dtype
    assert result.get_response()["model_name"] == model


@pytest.mark.parametrize("dtype, binary_in, binary_out", CASES)
def test_every_datatype_comes_back_to_the_asynchronous_client(server, dtype, binary_in, binary_out):
    async def ask():
        async with aio_module.InferenceServerClient(server.url) as client:
            return await client.infer(
                f"identity_{dtype.lower()}", [tensor(datatypes.EXTREMES[dtype], dtype, binary_in)], outputs=[wanted(binary_out)]
            )

    got = asyncio.run(ask()).as_numpy("OUTPUT0")
    if dtype == "BYTES":
        assert [e.decode() if isinstance(e, bytes) else e for e in got] == [e.decode() for e in datatypes.EXTREMES[dtype]]
    else:
        assert same(got, expected_array(dtype, binary_out))


@pytest.mark.parametrize("request_coding", [None, "gzip", "deflate"])
@pytest.mark.parametrize("response_coding", [None, "gzip", "deflate"])
@pytest.mark.parametrize("binary", [False, True])
def test_compression_both_ways(client, request_coding, response_coding, binary):
    array = numpy.arange(100_000, dtype=numpy.int32)
    result = client.infer(
        "identity_int32",
        [tensor(array, "INT32", binary)],
        outputs=[wanted(binary)],
        request_compression_algorithm=request_coding,
        response_compression_algorithm=response_coding,
    )
    assert same(result.as_numpy("OUTPUT0"), array)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_compression_of_the_asynchronous_client(server, coding):
    array = numpy.arange(1000, dtype=numpy.int32)

    async def ask():
        async with aio_module.InferenceServerClient(server.url) as client:
            return await client.infer(
                "identity_int32",
                [tensor(array, "INT32", True)],
                request_compression_algorithm=coding,
                response_compression_algorithm=coding,
            )

    assert same(asyncio.run(ask()).as_numpy("OUTPUT0"), array)


def test_without_requested_outputs_all_come_back_in_binary(client):
    floats, numbers = numpy.array([1.5, 2.5], numpy.float32), numpy.array([7], numpy.int32)
    inputs = [tensor(floats, "FP32", True), tensor(numbers, "INT32", False, "INPUT1")]
    result = client.infer("pair", inputs, request_id="my id")
    assert same(result.as_numpy("OUTPUT0"), floats) and same(result.as_numpy("OUTPUT1"), numbers)
    assert result.get_response()["id"] == "my id"
    assert result.get_response()["model_version"] == "1"


def test_one_of_two_outputs(client):
    inputs = [
        tensor(numpy.zeros(1, numpy.float32), "FP32", True),
        tensor(numpy.array([7], numpy.int32), "INT32", True, "INPUT1"),
    ]
    result = client.infer("pair", inputs, outputs=[wanted(True, "OUTPUT1")])
    assert result.as_numpy("OUTPUT0") is None
    assert same(result.as_numpy("OUTPUT1"), numpy.array([7], numpy.int32))


def test_parameters_priority_timeout_and_sequence_are_accepted(client):
    result = client.infer(
        "fixed",
        [tensor(numpy.zeros(4, numpy.float32), "FP32", True)],
        priority=1,
        timeout=1_000_000,
        sequence_id=0,
        parameters={"text": "x", "number": 1, "flag": True},
    )
    assert result.as_numpy("OUTPUT0").shape == (4,)


def test_empty_tensors(client):
    for dtype in ("FP32", "BYTES"):
        array = numpy.array([], numpy.float32 if dtype == "FP32" else numpy.object_)
        result = client.infer(f"identity_{dtype.lower()}", [tensor(array, dtype, True)])
        assert result.as_numpy("OUTPUT0").shape == (0,)


@pytest.mark.parametrize("binary", [False, True])
def test_classification_with_labels(client, binary):
    scores = numpy.array([[0.1, 0.7, 0.05, 0.15], [4, 3, 2, 1]], numpy.float32)
    result = client.infer("labelled", [tensor(scores, "FP32", True)], outputs=[wanted(binary, class_count=2)])
    got = [[e.decode() if isinstance(e, bytes) else e for e in row] for row in result.as_numpy("OUTPUT0")]
    assert got == [["0.700000:1:dog", "0.150000:3:fish"], ["4.000000:0:cat", "3.000000:1:dog"]]
    assert result.get_output("OUTPUT0")["datatype"] == "BYTES"


def test_classification_without_labels(client):
    scores = numpy.array([1, 3, 2, 3], numpy.int32)
    result = client.infer("identity_int32", [tensor(scores, "INT32", True)], outputs=[wanted(True, class_count=10)])
    assert [e.decode() for e in result.as_numpy("OUTPUT0")] == ["3:1", "3:3", "2:2", "1:0"]


def test_health_and_metadata(client):
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready("fixed") and client.is_model_ready("versions", "3")
    assert not client.is_model_ready("nothing") and not client.is_model_ready("versions", "2")
    metadata = client.get_server_metadata()
    assert metadata["name"] == "triton" and "binary_tensor_data" in metadata["extensions"]
    metadata = client.get_model_metadata("batched")
    assert metadata["inputs"] == [{"name": "INPUT0", "datatype": "FP32", "shape": [-1, -1]}]
    assert metadata["outputs"] == [{"name": "OUTPUT0", "datatype": "FP32", "shape": [-1, -1]}]
    assert metadata["versions"] == ["1"]
    assert client.get_model_metadata("versions")["versions"] == ["1", "3"]
    assert client.get_model_metadata("versions", "3")["versions"] == ["3"]


def test_configuration_and_statistics(client):
    config = client.get_model_config("batched")
    assert config["name"] == "batched" and config["max_batch_size"] == 8 and config["backend"] == "identity"
    array = numpy.zeros((3, 2), numpy.float32)
    before = client.get_inference_statistics("batched")["model_stats"][0]
    for _ in range(4):
        client.infer("batched", [tensor(array, "FP32", True)])

    def statistics():
        return client.get_inference_statistics("batched")["model_stats"][0]

    # A backend reports an execution after it has sent its answers.
    wait.until(lambda: statistics()["inference_count"] - before["inference_count"] == 12, "all are counted")
    after = statistics()
    assert after["inference_stats"]["success"]["count"] - before["inference_stats"]["success"]["count"] == 4
    assert {stats["name"] for stats in client.get_inference_statistics()["model_stats"]} >= {
        "batched",
        "fixed",
        "versions",
    }


def test_versions(client):
    array = numpy.array([1, 2], numpy.int32)
    for version, got in (("", "3"), ("1", "1"), ("3", "3")):
        result = client.infer("versions", [tensor(array, "INT32", True)], model_version=version)
        assert result.get_response()["model_version"] == got


def test_many_asynchronous_requests_of_the_synchronous_client(client):
    arrays = [numpy.full(4, i, numpy.float32) for i in range(50)]
    pending = [client.async_infer("fixed", [tensor(array, "FP32", True)]) for array in arrays]
    for array, one in zip(arrays, pending):
        assert same(one.get_result().as_numpy("OUTPUT0"), array)


def test_many_requests_at_once_of_the_asynchronous_client(server):
    async def ask_all():
        async with aio_module.InferenceServerClient(server.url) as client:
            return await asyncio.gather(
                *(client.infer("fixed", [tensor(numpy.full(4, i, numpy.float32), "FP32", True)]) for i in range(50))
            )

    for i, result in enumerate(asyncio.run(ask_all())):
        assert same(result.as_numpy("OUTPUT0"), numpy.full(4, i, numpy.float32))


def test_the_asynchronous_client_asks_everything_else(server):
    async def ask():
        async with aio_module.InferenceServerClient(server.url) as client:
            assert await client.is_server_live() and await client.is_server_ready()
            assert await client.is_model_ready("fixed")
            assert (await client.get_server_metadata())["name"] == "triton"
            assert (await client.get_model_metadata("fixed"))["name"] == "fixed"
            assert (await client.get_model_config("fixed"))["name"] == "fixed"
            assert (await client.get_inference_statistics("fixed"))["model_stats"][0]["name"] == "fixed"
            assert {entry["name"] for entry in await client.get_model_repository_index()} >= {"fixed", "batched"}
            with pytest.raises(InferenceServerException, match="unknown model"):
                await client.get_model_metadata("nothing")

    asyncio.run(ask())


ZEROS = numpy.zeros(4, numpy.float32)


@pytest.mark.parametrize(
    "model, inputs, outputs, status, text",
    [
        ("nothing", [tensor(ZEROS, "FP32", True)], None, "404", "unknown model: 'nothing' is not found"),
        ("fixed", [tensor(ZEROS[:3], "FP32", True)], None, "400", "unexpected shape for input 'INPUT0'"),
        ("fixed", [tensor(ZEROS, "FP32", True, "INPUT9")], None, "400", "INPUT9"),
        ("fixed", [tensor(ZEROS, "FP32", True)], [wanted(True, "OUTPUT9")], "400", "OUTPUT9"),
        ("fixed", [tensor(ZEROS.astype(numpy.int32), "INT32", True)], None, "400", "data-type is 'INT32'"),
        ("pair", [tensor(ZEROS, "FP32", True)], None, "400", "expected 2 inputs but got 1 inputs for model 'pair'"),
        ("identity_fp16", [tensor(ZEROS.astype(numpy.float16), "FP16", True)], [wanted(False)], "400", "FP16"),
    ],
)
def test_errors_are_exceptions_with_status_and_text(client, model, inputs, outputs, status, text):
    with pytest.raises(InferenceServerException) as caught:
        client.infer(model, inputs, outputs=outputs)
    assert caught.value.status() == status
    assert text in caught.value.message()


@pytest.fixture(scope="module")
def explicit_url(tmp_path_factory):
    repository = models.standard(tmp_path_factory.mktemp("explicit"))
    models.add(repository, "broken", models.identity_config([("FP32", [4])]).replace("OUTPUT0", "OUTPUT7"))
    options = ("--model-control-mode=explicit", "--load-model=fixed")
    with server_module.Server(repository, *options) as server:
        yield server.url
        assert server.stop() == 0, server.output()


def states(client):
    return {entry["name"]: entry.get("state") for entry in client.get_model_repository_index()}


class TestRepository:
    @pytest.fixture(name="client")
    def _client(self, explicit_url):
        with client_module.InferenceServerClient(explicit_url) as client:
            yield client

    def test_the_index_names_all_models(self, client):
        index = states(client)
        assert index["fixed"] == "READY" and index["pair"] is None
        assert set(index) >= {"fixed", "pair", "batched", "broken"}

    def test_load_infer_unload(self, client):
        assert not client.is_model_ready("pair")
        client.load_model("pair")
        assert client.is_model_ready("pair") and states(client)["pair"] == "READY"
        inputs = [
            tensor(ZEROS, "FP32", True),
            tensor(numpy.zeros(1, numpy.int32), "INT32", True, "INPUT1"),
        ]
        assert client.infer("pair", inputs).as_numpy("OUTPUT0").shape == (4,)
        client.unload_model("pair")
        assert not client.is_model_ready("pair")
        with pytest.raises(InferenceServerException, match="no available versions|not at ready state"):
            client.infer("pair", inputs)

    def test_load_with_another_configuration(self, client):
        tensors = {
            kind: [{"name": f"{kind.upper()}0", "data_type": "TYPE_FP32", "dims": [4]}] for kind in ("input", "output")
        }
        config = json.dumps({"backend": "identity", "max_batch_size": 2, **tensors})
        client.load_model("matrix", config=config)
        assert client.get_model_config("matrix")["max_batch_size"] == 2
        assert client.get_model_metadata("matrix")["inputs"][0] == {
            "name": "INPUT0",
            "datatype": "FP32",
            "shape": [-1, 4],
        }
        client.load_model("matrix")
        assert client.get_model_metadata("matrix")["inputs"][0]["datatype"] == "FP64"
        client.unload_model("matrix")

    def test_what_cannot_be_loaded(self, client):
        with pytest.raises(InferenceServerException, match="failed to load 'nothing'"):
            client.load_model("nothing")
        with pytest.raises(InferenceServerException, match="load failed for model 'broken'"):
            client.load_model("broken")
        assert states(client)["broken"] == "UNAVAILABLE"
        with pytest.raises(InferenceServerException):
            client.load_model("fixed", config="{")
        assert client.is_model_ready("fixed")

    def test_unloading_what_was_never_loaded_succeeds(self, client):
        client.unload_model("identity_bf16")

    def test_the_asynchronous_client(self, explicit_url):
        async def ask():
            async with aio_module.InferenceServerClient(explicit_url) as client:
                await client.load_model("batched")
                assert await client.is_model_ready("batched")
                await client.unload_model("batched")
                assert not await client.is_model_ready("batched")

        asyncio.run(ask())


def test_loading_is_refused_without_explicit_mode(client):
    for call in (client.load_model, client.unload_model):
        with pytest.raises(InferenceServerException, match="explicit model load / unload is not allowed"):
            call("fixed")
    assert client.is_model_ready("fixed")
