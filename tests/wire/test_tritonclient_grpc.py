"""The published tritonclient over gRPC (sync, aio, streams), and grpcio's health client, unchanged."""

import asyncio
import contextlib
import json
import queue

import grpc
import numpy
import pytest
import tritonclient.grpc as client_module
import tritonclient.grpc.aio as aio_module
import tritonclient.utils.shared_memory as shm
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.utils import InferenceServerException

from harness import datatypes, models, repeat_model, wait
from harness import server as server_module

# Where the elements of a datatype go in InferTensorContents.
LISTS = {
    "BOOL": "bool_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}


@pytest.fixture(scope="module", name="running")
def _running(tmp_path_factory):
    repository = models.standard(tmp_path_factory.mktemp("grpc"))
    repeat_model.add(repository)
    labelled = models.identity_config([("FP32", [4])], max_batch_size=4).replace(
        'output { name: "OUTPUT0"', 'output { label_filename: "labels.txt" name: "OUTPUT0"'
    )
    (models.add(repository, "labelled", labelled) / "labels.txt").write_text("cat\ndog\nbird\nfish\n", encoding="utf-8")
    options = ("--allow-client-shm=true", "--grpc-reflection=true", "--grpc-header-forward-pattern=^x-")
    with server_module.Server(repository, *options) as server:
        yield server
        assert server.alive(), server.output()
        assert server.stop() == 0, server.output()


@pytest.fixture(name="server")
def _server(running):
    yield running
    assert running.alive(), "the server died in this test:\n" + running.output()


@pytest.fixture(name="client")
def _client(server):
    with client_module.InferenceServerClient(server.grpc_url) as client:
        yield client


@pytest.fixture(name="stub")
def _stub(server):
    with grpc.insecure_channel(server.grpc_url) as channel:
        yield service_pb2_grpc.GRPCInferenceServiceStub(channel)


def tensor(array, dtype, name="INPUT0", module=client_module):
    result = module.InferInput(name, list(array.shape), dtype)
    result.set_data_from_numpy(array)
    return result


def same(got, expected):
    return got.dtype == expected.dtype and got.shape == expected.shape and bool((got == expected).all())


@pytest.mark.parametrize("dtype", models.DTYPES)
def test_every_datatype_comes_back(client, dtype):
    result = client.infer(f"identity_{dtype.lower()}", [tensor(datatypes.EXTREMES[dtype], dtype)], request_id="my id")
    assert same(result.as_numpy("OUTPUT0"), datatypes.EXTREMES[dtype])
    assert result.get_output("OUTPUT0").datatype == dtype
    assert result.get_response().id == "my id"


@pytest.mark.parametrize("dtype", models.DTYPES)
def test_every_datatype_comes_back_to_the_asynchronous_client(server, dtype):
    async def ask():
        async with aio_module.InferenceServerClient(server.grpc_url) as client:
            return await client.infer(f"identity_{dtype.lower()}", [tensor(datatypes.EXTREMES[dtype], dtype)])

    assert same(asyncio.run(ask()).as_numpy("OUTPUT0"), datatypes.EXTREMES[dtype])


@pytest.mark.parametrize("dtype", sorted(LISTS))
def test_typed_contents_are_the_same_as_raw_ones(client, stub, dtype):
    array = datatypes.EXTREMES[dtype]
    request = service_pb2.ModelInferRequest(model_name=f"identity_{dtype.lower()}")
    request.inputs.add(name="INPUT0", datatype=dtype, shape=array.shape)
    getattr(request.inputs[0].contents, LISTS[dtype]).extend(array.tolist())
    raw = client.infer(request.model_name, [tensor(array, dtype)]).get_response()
    assert stub.ModelInfer(request).raw_output_contents == raw.raw_output_contents


@pytest.mark.parametrize("algorithm", [None, "gzip", "deflate"])
def test_compression(client, algorithm):
    array = numpy.arange(100_000, dtype=numpy.int32)
    result = client.infer("identity_int32", [tensor(array, "INT32")], compression_algorithm=algorithm)
    assert same(result.as_numpy("OUTPUT0"), array)


def test_large_tensors_come_back(client):
    array = numpy.random.default_rng(1).random(5_000_000, numpy.float32)
    assert same(client.infer("identity_fp32", [tensor(array, "FP32")]).as_numpy("OUTPUT0"), array)


def test_requested_outputs_classification_and_order(client):
    inputs = [
        tensor(numpy.zeros(1, numpy.float32), "FP32"),
        tensor(numpy.array([7], numpy.int32), "INT32", "INPUT1"),
    ]
    result = client.infer("pair", inputs, outputs=[client_module.InferRequestedOutput("OUTPUT1")])
    assert result.as_numpy("OUTPUT0") is None and result.as_numpy("OUTPUT1").tolist() == [7]
    scores = numpy.array([[0.1, 0.7, 0.05, 0.15], [4, 3, 2, 1]], numpy.float32)
    outputs = [client_module.InferRequestedOutput("OUTPUT0", class_count=2)]
    got = client.infer("labelled", [tensor(scores, "FP32")], outputs=outputs).as_numpy("OUTPUT0")
    assert [[e.decode() for e in row] for row in got] == [
        ["0.700000:1:dog", "0.150000:3:fish"],
        ["4.000000:0:cat", "3.000000:1:dog"],
    ]


def test_parameters_and_metadata_are_accepted(client):
    result = client.infer(
        "fixed",
        [tensor(numpy.zeros(4, numpy.float32), "FP32")],
        priority=1,
        timeout=1_000_000,
        client_timeout=10,
        headers={"x-user": "me", "authorization": "none"},
        parameters={"text": "x", "number": 1, "flag": True},
    )
    assert result.as_numpy("OUTPUT0").shape == (4,)


def test_health_metadata_configuration_statistics(client):
    assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("fixed")
    assert not client.is_model_ready("nothing") and not client.is_model_ready("fixed", "2")
    assert client.get_server_metadata(as_json=True)["name"] == "triton"
    metadata = client.get_model_metadata("batched", as_json=True)
    assert metadata["inputs"] == [{"name": "INPUT0", "datatype": "FP32", "shape": ["-1", "-1"]}]
    config = client.get_model_config("batched").config
    assert config.name == "batched" and config.max_batch_size == 8 and config.backend == "identity"
    assert config.HasField("dynamic_batching") and config.instance_group[0].count >= 1
    assert client.get_model_config("repeat").config.model_transaction_policy.decoupled

    def count():
        stats = client.get_inference_statistics("matrix").model_stats[0]
        return stats.inference_stats.success.count, stats.execution_count

    before = count()
    client.infer("matrix", [tensor(numpy.zeros((2, 2)), "FP64")])
    wait.until(lambda: count() == (before[0] + 1, before[1] + 1), "it is counted")
    assert {stats.name for stats in client.get_inference_statistics().model_stats} >= {"fixed", "batched"}


ZEROS = numpy.zeros(4, numpy.float32)


@pytest.mark.parametrize(
    "model, inputs, status, text",
    [
        ("nothing", [tensor(ZEROS, "FP32")], "NOT_FOUND", "unknown model: 'nothing' is not found"),
        ("fixed", [tensor(ZEROS[:3], "FP32")], "INVALID_ARGUMENT", "unexpected shape for input 'INPUT0'"),
        ("fixed", [tensor(ZEROS, "FP32", "INPUT9")], "INVALID_ARGUMENT", "INPUT9"),
        ("fixed", [tensor(ZEROS.astype(numpy.int32), "INT32")], "INVALID_ARGUMENT", "data-type is 'INT32'"),
        ("pair", [tensor(ZEROS, "FP32")], "INVALID_ARGUMENT", "expected 2 inputs but got 1 inputs"),
        (
            "repeat",
            [tensor(ZEROS.astype(numpy.int32), "INT32", "IN")],
            "UNIMPLEMENTED",
            "ModelInfer RPC doesn't support models with decoupled transaction policy",
        ),
    ],
)
def test_errors_are_exceptions_with_status_and_text(client, model, inputs, status, text):
    with pytest.raises(InferenceServerException) as caught:
        client.infer(model, inputs)
    assert caught.value.status() == f"StatusCode.{status}"
    assert text in caught.value.message()


def test_unknown_versions(client):
    for version, status in (("2", "NOT_FOUND"), ("one", "INVALID_ARGUMENT"), ("0", "NOT_FOUND")):
        with pytest.raises(InferenceServerException) as caught:
            client.infer("fixed", [tensor(ZEROS, "FP32")], model_version=version)
        assert caught.value.status() == f"StatusCode.{status}"


def test_a_deadline_ends_the_call_and_the_request(client):
    with pytest.raises(InferenceServerException, match="Deadline Exceeded"):
        client.infer("slow", [tensor(ZEROS, "FP32")], client_timeout=0.05)
    assert client.infer("slow", [tensor(ZEROS, "FP32")]).as_numpy("OUTPUT0").shape == (4,)


def test_many_asynchronous_requests(client, server):
    arrived = queue.Queue()
    for i in range(50):
        inputs = [tensor(numpy.full(4, i, numpy.float32), "FP32")]
        client.async_infer("fixed", inputs, lambda result, error: arrived.put((result, error)), request_id=str(i))
    for _ in range(50):
        result, error = arrived.get(timeout=20)
        assert error is None
        assert result.as_numpy("OUTPUT0").tolist() == [float(result.get_response().id)] * 4

    async def ask_all():
        async with aio_module.InferenceServerClient(server.grpc_url) as aio:
            inputs = [[tensor(numpy.full(4, i, numpy.float32), "FP32")] for i in range(50)]
            return await asyncio.gather(*(aio.infer("fixed", one) for one in inputs))

    for i, result in enumerate(asyncio.run(ask_all())):
        assert result.as_numpy("OUTPUT0").tolist() == [float(i)] * 4


class Stream:
    """The answers on one stream, as (result, error), in their order."""

    def __init__(self, client):
        self.client = client
        self.answers = queue.Queue()
        client.start_stream(lambda result, error: self.answers.put((result, error)))

    def repeat(self, values, model="repeat", **options):
        self.client.async_stream_infer(model, [tensor(numpy.array(values, numpy.int32), "INT32", "IN")], **options)

    def take(self):
        return self.answers.get(timeout=20)

    def values(self, count):
        results = [self.take() for _ in range(count)]
        assert [error for _, error in results if error] == []
        return [int(result.as_numpy("OUT")[0]) for result, _ in results]


@pytest.fixture(name="stream")
def _stream(client):
    stream = Stream(client)
    yield stream
    client.stop_stream()


def final(result):
    return result.get_response().parameters["triton_final_response"].bool_param


def test_a_stream_answers_ordinary_models_in_order(client, stream):
    for i in range(100):
        inputs = [tensor(numpy.full(4, i, numpy.float32), "FP32")]
        client.async_stream_infer("slow" if i == 0 else "fixed", inputs, request_id=str(i))
    for i in range(100):
        result, error = stream.take()
        assert error is None and result.get_response().id == str(i) and final(result)
        assert result.as_numpy("OUTPUT0").tolist() == [float(i)] * 4


def test_a_decoupled_model_answers_any_number_of_times(stream):
    stream.repeat([5, 6, 7])
    assert stream.values(3) == [5, 6, 7]
    stream.repeat([8], model="repeat_final")
    result, error = stream.take()
    assert error is None and final(result) and result.as_numpy("OUT").tolist() == [8]


def test_the_empty_final_response_comes_where_it_is_asked_for(stream):
    stream.repeat([1], request_id="r", enable_empty_final_response=True)
    first, _ = stream.take()
    assert not final(first)
    last, error = stream.take()
    assert error is None and final(last) and last.get_response().id == "r" and not last.get_response().outputs
    stream.repeat([], request_id="none", enable_empty_final_response=True)
    only, error = stream.take()
    assert error is None and final(only) and only.get_response().id == "none"


def test_errors_come_in_the_stream_and_it_goes_on(client, stream):
    client.async_stream_infer("nothing", [tensor(ZEROS, "FP32")], request_id="a")
    result, error = stream.take()
    assert result is None and "unknown model: 'nothing'" in error.message()
    stream.repeat([1, -1, 2])
    answers = [stream.take() for _ in range(3)]
    assert [bool(error) for _, error in answers] == [False, True, False]
    assert "element 1 is -1" in answers[1][1].message()
    stream.repeat([3])
    assert stream.values(1) == [3]


def test_the_strict_stream_ends_with_the_real_status(client):
    answers = queue.Queue()
    client.start_stream(lambda result, error: answers.put((result, error)), headers={"triton_grpc_error": "true"})
    client.async_stream_infer("nothing", [tensor(ZEROS, "FP32")])
    result, error = answers.get(timeout=20)
    assert result is None and error.status() == "StatusCode.NOT_FOUND"
    client.stop_stream()


def test_the_asynchronous_stream(server):
    async def ask():
        async with aio_module.InferenceServerClient(server.grpc_url) as client:

            async def requests():
                yield {
                    "model_name": "repeat",
                    "inputs": [tensor(numpy.array([4, 5], numpy.int32), "INT32", "IN")],
                    "request_id": "1",
                }

            return [(await_result, error) async for await_result, error in client.stream_infer(requests())]

    answers = asyncio.run(ask())
    assert [int(result.as_numpy("OUT")[0]) for result, _ in answers] == [4, 5]


def test_cancelling_a_stream_reaches_the_model(client, server):
    stream = Stream(client)
    stream.repeat(list(range(1000)), model="repeat_slowly")
    assert stream.values(2) == [0, 1]
    client.stop_stream(cancel_requests=True)

    def failed():
        stats = client.get_inference_statistics("repeat_slowly").model_stats[0]
        return stats.inference_stats.fail.count

    wait.until(lambda: failed() > 0, "the model has given up")


@contextlib.contextmanager
def _object(name, byte_size):
    handle = shm.create_shared_memory_region(name, f"/headrace_grpc_{name}", byte_size)
    try:
        yield handle
    finally:
        shm.destroy_shared_memory_region(handle)


def test_shared_memory_both_ways(client):
    values = numpy.arange(1000, dtype=numpy.float32)
    with _object("in", values.nbytes + 64) as source, _object("out", values.nbytes) as target:
        shm.set_shared_memory_region(source, [values], offset=64)
        client.register_system_shared_memory("in", "/headrace_grpc_in", values.nbytes + 64)
        client.register_system_shared_memory("out", "/headrace_grpc_out", values.nbytes)
        assert sorted(client.get_system_shared_memory_status().regions) == ["in", "out"]
        given = client_module.InferInput("INPUT0", [1000], "FP32")
        given.set_shared_memory("in", values.nbytes, 64)
        wanted = client_module.InferRequestedOutput("OUTPUT0")
        wanted.set_shared_memory("out", values.nbytes)
        result = client.infer("identity_fp32", [given], outputs=[wanted])
        assert result.get_output("OUTPUT0").shape == [1000]
        assert result.get_response().raw_output_contents == [b""]
        numpy.testing.assert_array_equal(shm.get_contents_as_numpy(target, numpy.float32, [1000]), values)
        client.unregister_system_shared_memory("in")
        with pytest.raises(InferenceServerException, match="Unable to find shared memory region: 'in'"):
            client.infer("identity_fp32", [given])
        client.unregister_system_shared_memory()


def test_cuda_regions_are_answered_clearly_without_a_gpu(client):
    assert not client.get_cuda_shared_memory_status().regions
    with pytest.raises(InferenceServerException, match="GPUs not supported"):
        client.register_cuda_shared_memory("cuda", b"\0" * 64, 0, 1024)
    client.unregister_cuda_shared_memory("cuda")


def test_settings(client):
    assert client.get_log_settings(as_json=True)["settings"]["log_info"] == {"bool_param": True}
    shown = client.update_log_settings({"log_verbose_level": 1}, as_json=True)["settings"]
    assert shown["log_verbose_level"] == {"uint32_param": 1}
    client.update_log_settings({"log_verbose_level": 0})
    with pytest.raises(InferenceServerException) as caught:
        client.update_log_settings({"log_format": "x"})
    assert caught.value.status() == "StatusCode.INVALID_ARGUMENT"
    before = client.get_trace_settings(as_json=True)["settings"]["trace_rate"]["value"]
    shown = client.update_trace_settings("fixed", {"trace_rate": "7"}, as_json=True)["settings"]
    assert shown["trace_rate"]["value"] == ["7"]
    shown = client.update_trace_settings("fixed", {"trace_rate": None}, as_json=True)["settings"]
    assert shown["trace_rate"]["value"] == before


def test_grpcios_health_client(server):
    with grpc.insecure_channel(server.grpc_url) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        assert stub.Check(health_pb2.HealthCheckRequest()).status == health_pb2.HealthCheckResponse.SERVING
        watch = stub.Watch(health_pb2.HealthCheckRequest(service="any"))
        assert next(iter(watch)).status == health_pb2.HealthCheckResponse.SERVING
        watch.cancel()


def test_models_are_loaded_and_unloaded(tmp_path):
    repository = models.standard(tmp_path)
    with server_module.Server(repository, "--model-control-mode=explicit", "--load-model=fixed") as server:
        with client_module.InferenceServerClient(server.grpc_url) as client:
            index = {entry.name: entry.state for entry in client.get_model_repository_index().models}
            assert index["fixed"] == "READY" and index["pair"] == ""
            client.load_model("pair")
            assert client.is_model_ready("pair")
            client.unload_model("pair")
            assert not client.is_model_ready("pair")
            config = json.dumps(
                {
                    "backend": "identity",
                    "max_batch_size": 2,
                    "input": [{"name": "INPUT0", "data_type": "TYPE_FP32", "dims": [4]}],
                    "output": [{"name": "OUTPUT0", "data_type": "TYPE_FP32", "dims": [4]}],
                }
            )
            client.load_model("matrix", config=config)
            assert client.get_model_config("matrix").config.max_batch_size == 2
            for name, text in (("nothing", "failed to load 'nothing'"), ("../x", "name")):
                with pytest.raises(InferenceServerException, match=text):
                    client.load_model(name)
        assert server.stop() == 0, server.output()


def test_a_traced_call_leaves_its_way_through_the_server(tmp_path):
    repository = models.standard(tmp_path / "repository")
    trace_file = tmp_path / "trace.json"
    options = [f"--trace-config=triton,file={trace_file}", "--trace-config=level=TIMESTAMPS", "--trace-config=rate=1"]
    with server_module.Server(repository, *options) as server:
        with client_module.InferenceServerClient(server.grpc_url) as client:
            client.infer("fixed", [tensor(ZEROS, "FP32")], request_id="way")
        assert server.stop() == 0, server.output()
    entries = json.loads(trace_file.read_text(encoding="utf-8"))
    names = [stamp["name"] for entry in entries for stamp in entry.get("timestamps", [])]
    assert {"GRPC_WAITREAD_START", "GRPC_WAITREAD_END", "REQUEST_START", "COMPUTE_START"} <= set(names)
    assert {"INFER_RESPONSE_COMPLETE", "GRPC_SEND_START", "GRPC_SEND_END"} <= set(names)
