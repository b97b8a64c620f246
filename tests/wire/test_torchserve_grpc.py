"""TorchServe's gRPC services, asked by grpcio (contracts, TorchServe 4)."""

import json
import pathlib
import threading

import grpc
import pytest
from google.protobuf import empty_pb2

from harness import archives, grpc_stubs, torchserve_program, wait

HANDLERS = pathlib.Path(__file__).parent / "handlers"
HTTP = "org.pytorch.serve.http."
MODEL = "org.pytorch.serve.archive.model."
TOO_LARGE = 7_000_000
LISTS = """
import numpy


def handle(rows, context):
    if rows is None:
        return None
    return [numpy.asarray(row["data"], dtype=numpy.float32) * 2 for row in rows]
"""


class Asked:
    """A running torchserve and its three services."""

    def __init__(self, program):
        self.program = program
        self.channel = grpc.insecure_channel(f"127.0.0.1:{program.grpc_port}")
        self.management_channel = grpc.insecure_channel(f"127.0.0.1:{program.grpc_management_port}")
        self.inference = grpc_stubs.inference(self.channel)
        self.management = grpc_stubs.management(self.management_channel)
        self.open = grpc_stubs.open_inference(self.channel)

    def close(self):
        self.channel.close()
        self.management_channel.close()

    def predict(self, model="orders", version="", **inputs):
        """The answer's bytes, or (code, details)."""
        code, answer = grpc_stubs.outcome(lambda: self.inference.Predictions(request(model, version, **inputs)))
        return answer.prediction if code == "OK" else (code, answer)

    def manage(self, method, kind, **fields):
        """The message, or (code, details)."""
        message = getattr(grpc_stubs.messages("grpc_management"), kind)(**fields)
        code, answer = grpc_stubs.outcome(lambda: getattr(self.management, method)(message))
        return answer.msg if code == "OK" else (code, answer)


def request(model="orders", version="", sequence=None, **inputs):
    message = grpc_stubs.messages("grpc_inference").PredictionsRequest(model_name=model, model_version=version)
    for name, value in inputs.items():
        message.input[name] = value
    if sequence is not None:
        message.sequence_id = sequence
    return message


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    root = tmp_path_factory.mktemp("grpc")
    store, work = root / "store", root / "work"
    store.mkdir()
    work.mkdir()
    (store / "orders.mar").write_bytes(archives.handler_mar("orders", HANDLERS / "orders.py"))
    (store / "tell.mar").write_bytes(archives.handler_mar("tell", HANDLERS / "tell.py"))
    with torchserve_program.TorchServeProgram(
        store,
        work,
        "--ncs",
        "--enable-model-api",
        "--disable-token-auth",
        "--models=orders.mar",
        default_workers_per_model=1,
        ts_open_inference_protocol="true",
    ) as program:
        asked = Asked(program)
        yield asked
        asked.close()
        assert program.alive(), program.output()


def test_ping_is_the_body_of_http(server):
    assert server.inference.Ping(empty_pb2.Empty()).health == '{\n  "status": "Healthy"\n}'


def test_predictions_take_inputs_as_parts(server):
    assert server.predict(data=b"hello") == b"hello"
    assert server.predict(version="1.0", body=b"hello") == b"hello"
    assert json.loads(server.predict(data=b"keys", other=b"1")) == {"data": "bytearray", "other": "bytearray"}
    large = b"x" * 3_000_000
    assert server.predict(data=large) == large


def test_refusals_and_failures_are_told_in_torchserves_words(server):
    assert server.predict(model="", data=b"a") == (
        "INTERNAL",
        "Parameter model_name is required.\nBadRequestException.()",
    )
    assert server.predict(model="nope", data=b"a") == (
        "INTERNAL",
        f"Model not found: nope\n{MODEL}ModelNotFoundException",
    )
    assert server.predict(version="2.0", data=b"a") == (
        "INTERNAL",
        f"Model version: 2.0 does not exist for model: orders\n{MODEL}ModelVersionNotFoundException",
    )
    assert server.predict(data=b"fail") == ("UNAVAILABLE", f"Prediction failed\n{HTTP}InternalServerException")
    assert server.predict(data=b"code 418") == ("FAILED_PRECONDITION", f"no\n{HTTP}InternalServerException")
    assert server.predict(data=b"code 599")[0] == "INTERNAL"


def test_a_message_beyond_the_limit_is_refused(server):
    assert server.predict(data=b"x" * TOO_LARGE)[0] == "RESOURCE_EXHAUSTED"
    assert server.predict(data=b"hello") == b"hello"


def test_streams_end_behind_their_last_message(server):
    def pieces(data):
        return [one.prediction for one in server.inference.StreamPredictions(request(data=data), timeout=60)]

    assert pieces(b"pieces a b c") == [b"a", b"b", b"c", b"end"]
    assert pieces(b"plain") == [b"plain"]
    assert grpc_stubs.outcome(lambda: pieces(b"fail"))[0] == "UNAVAILABLE"


def test_a_stream_of_requests_goes_on_behind_errors(server):
    requests = [
        request(data=b"sequence"),
        request(model="nope", sequence="a", data=b"x"),
        request(sequence="b", data=b"sequence"),
    ]
    answers = list(server.inference.StreamPredictions2(iter(requests), timeout=60))
    # Refusals come at once, in their order.
    assert [one.status.message for one in answers[:2]] == ["Parameter sequenceId is required.", "Model not found: nope"]
    assert answers[0].status.code == grpc.StatusCode.INTERNAL.value[0]
    assert answers[0].status.details[0].type_url == "type.googleapis.com/google.rpc.ErrorInfo"
    assert (answers[2].sequence_id, answers[2].prediction) == ("b", b"b")
    assert not answers[2].HasField("status")


def test_cancelled_calls_leave_the_worker_alone(server, tmp_path):
    describe = {"model_name": "orders"}
    before = json.loads(server.manage("DescribeModel", "DescribeModelRequest", **describe))[0]["workers"]
    gate = tmp_path / "gate"
    running = server.inference.Predictions.future(request(data=f"wait {gate}".encode()))
    entered = pathlib.Path(f"{gate}.entered")
    wait.until(entered.exists, "the handler has begun")
    waiting = [server.inference.Predictions.future(request(data=b"count 1000000")) for _ in range(20)]
    for call in (running, *waiting):
        call.cancel()
    assert all(call.code() == grpc.StatusCode.CANCELLED for call in (running, *waiting))
    gate.touch()
    assert server.predict(data=b"hello") == b"hello"
    after = json.loads(server.manage("DescribeModel", "DescribeModelRequest", **describe))[0]["workers"]
    assert [worker["pid"] for worker in before] == [worker["pid"] for worker in after]


def test_a_deadline_ends_a_call(server, tmp_path):
    gate = tmp_path / "gate"
    threading.Thread(target=server.predict, kwargs={"data": f"wait {gate}".encode()}).start()
    wait.until(pathlib.Path(f"{gate}.entered").exists, "the handler has begun")
    with pytest.raises(grpc.RpcError) as caught:
        server.inference.Predictions(request(data=b"late"), timeout=0.05)
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    gate.touch()
    assert server.predict(data=b"hello") == b"hello"


def test_management_does_what_http_does(server):
    assert server.manage("RegisterModel", "RegisterModelRequest") == (
        "INVALID_ARGUMENT",
        f"Parameter url is required.\n{HTTP}BadRequestException",
    )
    assert server.manage("RegisterModel", "RegisterModelRequest", url="missing.mar")[0] == "NOT_FOUND"
    registered = server.manage(
        "RegisterModel", "RegisterModelRequest", url="tell.mar", initial_workers=1, synchronous=True
    )
    assert registered == 'Model "tell" Version: 1.0 registered with 1 initial workers'
    code, details = server.manage("RegisterModel", "RegisterModelRequest", url="tell.mar")
    assert (code, details.splitlines()[1]) == ("INVALID_ARGUMENT", f"{HTTP}ConflictStatusException")
    assert server.predict(model="tell", data=b"x") == b"1.0"

    _, _, over_http = server.program.ask("GET", "/models/tell", port=server.program.management_port)
    described = json.loads(server.manage("DescribeModel", "DescribeModelRequest", model_name="tell"))
    over_http = json.loads(over_http)
    for one in (described, over_http):
        one[0]["workers"][0].pop("memoryUsage")
    assert described == over_http
    assert described[0]["workers"][0]["status"] == "READY"
    customized = server.manage("DescribeModel", "DescribeModelRequest", model_name="tell", customized=True)
    assert json.loads(customized)[0]["customizedMetadata"] == {"sound": "meow", "nothing": None}

    models = json.loads(server.manage("ListModels", "ListModelsRequest"))["models"]
    assert [model["modelName"] for model in models] == ["orders", "tell"]
    page = json.loads(server.manage("ListModels", "ListModelsRequest", limit=1))
    assert page["nextPageToken"] == "1" and len(page["models"]) == 1

    scale = {"model_name": "tell", "min_worker": 2, "max_worker": 2, "synchronous": True}
    assert server.manage("ScaleWorker", "ScaleWorkerRequest", **scale) == "Workers scaled to 2 for model: tell"
    assert server.manage("ScaleWorker", "ScaleWorkerRequest", **{**scale, "max_worker": 1}) == (
        "INVALID_ARGUMENT",
        f"max_worker cannot be less than min_worker.\n{HTTP}BadRequestException",
    )
    default = server.manage("SetDefault", "SetDefaultRequest", model_name="tell", model_version="1.0")
    assert default == 'Default version successfully updated for model "tell" to "1.0"'
    assert server.manage("SetDefault", "SetDefaultRequest", model_name="tell", model_version="3.0")[0] == "NOT_FOUND"
    assert server.manage("UnregisterModel", "UnregisterModelRequest", model_name="tell") == 'Model "tell" unregistered'
    assert server.manage("UnregisterModel", "UnregisterModelRequest", model_name="tell") == (
        "NOT_FOUND",
        f"Model not found: tell\n{MODEL}ModelNotFoundException",
    )


def test_open_inference_tells_of_server_and_models(server):
    oip = grpc_stubs.messages("grpc_open_inference")
    assert server.open.ServerLive(oip.ServerLiveRequest()).live
    assert server.open.ServerReady(oip.ServerReadyRequest()).ready
    assert server.open.ModelReady(oip.ModelReadyRequest(name="orders")).ready
    assert grpc_stubs.outcome(lambda: server.open.ModelReady(oip.ModelReadyRequest(name="nope")))[0] == "NOT_FOUND"
    metadata = server.open.ModelMetadata(oip.ModelMetadataRequest(name="orders"))
    assert (metadata.name, list(metadata.versions), metadata.platform) == ("orders", ["1.0"], "pytorch")


def test_open_inference_passes_the_envelope(tmp_path):
    oip = grpc_stubs.messages("grpc_open_inference")
    store, work = tmp_path / "store", tmp_path / "work"
    store.mkdir()
    work.mkdir()
    (store / "lists.mar").write_bytes(archives.mar("lists", {"lists.py": LISTS}, "lists.py"))
    with torchserve_program.TorchServeProgram(
        store,
        work,
        "--ncs",
        "--disable-token-auth",
        "--models=lists.mar",
        default_workers_per_model=1,
        ts_open_inference_protocol="true",
        service_envelope="kservev2",
    ) as program:
        asked = Asked(program)
        message = oip.ModelInferRequest(model_name="lists", id="7")
        tensor = message.inputs.add(name="x", datatype="FP32", shape=[3])
        tensor.contents.fp32_contents.extend([1, 2.5, -3])
        answer = asked.open.ModelInfer(message)
        assert (answer.id, answer.model_name) == ("7", "lists")
        assert answer.outputs[0].datatype == "FP32"
        assert list(answer.outputs[0].contents.fp32_contents) == [2, 5, -6]
        asked.close()


def test_calls_leave_lines_in_the_access_log(server):
    line = r'ACCESS_LOG - /127\.0\.0\.1 "gRPC org\.pytorch\.serve\.grpc\.{} HTTP/2\.0" {} \d+$'
    assert server.inference.Ping(empty_pb2.Empty())
    server.program.wait_line(line.format(r"inference\.InferenceAPIsService/Ping", 0))
    assert server.predict("none")[0] == "INTERNAL"
    server.program.wait_line(line.format(r"inference\.InferenceAPIsService/Predictions", 13))
    assert server.manage("DescribeModel", "DescribeModelRequest", model_name="none")[0] == "NOT_FOUND"
    server.program.wait_line(line.format(r"management\.ManagementAPIsService/DescribeModel", 5))


def test_calls_need_their_token(tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "work").mkdir()
    with torchserve_program.TorchServeProgram(tmp_path / "store", tmp_path / "work", "--ncs") as program:
        asked = Asked(program)
        keys = program.keys()
        calls = {
            "inference": lambda metadata: asked.inference.Ping(empty_pb2.Empty(), metadata=metadata),
            "management": lambda metadata: asked.management.ListModels(
                grpc_stubs.messages("grpc_management").ListModelsRequest(), metadata=metadata
            ),
        }
        for kind, call in calls.items():
            for shown in (None, "Bearer x", f"Basic {keys[kind]}", f"Bearer {keys['API']}"):
                metadata = [("authorization", shown)] if shown else None
                code, details = grpc_stubs.outcome(lambda: call(metadata))
                assert code == "PERMISSION_DENIED" and "Token Authorization failed" in details
            assert grpc_stubs.outcome(lambda: call([("authorization", f"Bearer {keys[kind]}")]))[0] == "OK"
        inference_key = [("authorization", f"Bearer {keys['inference']}")]
        assert grpc_stubs.outcome(lambda: calls["management"](inference_key))[0] == "PERMISSION_DENIED"
        register = grpc_stubs.messages("grpc_management").RegisterModelRequest(url="a.mar")
        management_key = [("authorization", f"Bearer {keys['management']}")]
        code, _ = grpc_stubs.outcome(lambda: asked.management.RegisterModel(register, metadata=management_key))
        assert code == "PERMISSION_DENIED"
        asked.close()
