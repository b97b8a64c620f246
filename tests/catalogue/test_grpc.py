"""Rows 81, 82 and 84 to 88: what comes in gRPC messages, and calls that end early."""

import contextlib
import pathlib
import queue
import random
import struct
import threading

import grpc
import numpy
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

from catalogue.conftest import running_server, unharmed
from harness import models, prometheus, repeat_model, wait
from harness import server as server_module

UNSENT_MAX = 1 << 20
RSS_GROWTH_MAX = 48 << 20


@pytest.fixture(scope="module")
def _grpc_server(tmp_path_factory):
    repository = models.standard(tmp_path_factory.mktemp("grpc"))
    repeat_model.add(repository)
    sequences = "sequence_batching { direct { } max_sequence_idle_microseconds: 60000000 }\n"
    models.add(repository, "sequences", models.identity_config([("FP32", [-1])], 1, sequences))
    with running_server(repository, f"--grpc-stream-unsent-bytes-max={UNSENT_MAX}") as triple:
        yield triple


@pytest.fixture(name="server")
def _server(_grpc_server):
    with unharmed(*_grpc_server) as running:
        yield running


@pytest.fixture(name="channel")
def _channel(server):
    with grpc.insecure_channel(server.grpc_url, [("grpc.max_send_message_length", -1)]) as channel:
        yield channel


@pytest.fixture(name="stub")
def _stub(channel):
    return service_pb2_grpc.GRPCInferenceServiceStub(channel)


def infer_request(model="identity_fp32", shape=(4,), dtype="FP32", raw=(bytes(16),)):
    request = service_pb2.ModelInferRequest(model_name=model, raw_input_contents=raw)
    request.inputs.add(name="INPUT0", datatype=dtype, shape=shape)
    return request


def repeat_request(values, model="repeat"):
    return repeat_model.request(values, model, "r")


def code_of(call):
    """The status code of a call that must fail, and its text."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value.code(), caught.value.details()


def counts(stub, model):
    """Requests of the model that ended well, that did not, and executions."""
    stats = stub.ModelStatistics(service_pb2.ModelStatisticsRequest(name=model)).model_stats[0]
    return numpy.array([stats.inference_stats.success.count, stats.inference_stats.fail.count, stats.execution_count])


def _with_contents(name, values, **options):
    request = infer_request(**options)
    getattr(request.inputs[0].contents, name).extend(values)
    return request


@pytest.mark.row(81)
@pytest.mark.parametrize(
    "request_message, text",
    [
        (infer_request(raw=()), "unable to find data for input tensor 'INPUT0'"),
        (infer_request(raw=(bytes(16), bytes(16))), "unexpected additional input data"),
        (_with_contents("fp32_contents", [1.0] * 4), "contents field must not be specified when using raw"),
        (_with_contents("int_contents", [1] * 4, raw=()), "datatype FP32 takes fp32_contents"),
        (_with_contents("fp32_contents", [1.0] * 3, raw=()), "unexpected number of elements 3"),
        (infer_request(raw=(bytes(15),)), "input byte size mismatch"),
        (_with_contents("uint_contents", [256], model="identity_uint8", dtype="UINT8", shape=(1,), raw=()), "range"),
    ],
)
def test_data_that_does_not_fit_the_inputs(stub, request_message, text):
    code, details = code_of(lambda: stub.ModelInfer(request_message))
    assert code == grpc.StatusCode.INVALID_ARGUMENT and text in details


@pytest.mark.row(82)
@pytest.mark.parametrize(
    "request_message, code, text",
    [
        (infer_request(shape=(1 << 31, 1 << 31, 1 << 31)), "INVALID_ARGUMENT", "inputs[0].shape"),
        (infer_request(shape=((1 << 63) - 1,)), "INVALID_ARGUMENT", "inputs[0].shape"),
        (infer_request(shape=(-4,)), "INVALID_ARGUMENT", "inputs[0].shape[0]: -4"),
        (infer_request(shape=(1,) * 17), "INVALID_ARGUMENT", "more than 16 dimensions"),
        (infer_request(model=""), "INVALID_ARGUMENT", "names no model"),
        (infer_request(model="nothing"), "NOT_FOUND", "'nothing' is not found"),
        (infer_request(dtype="FP31"), "INVALID_ARGUMENT", "invalid datatype"),
    ],
)
def test_shapes_and_names_that_are_none(stub, request_message, code, text):
    got, details = code_of(lambda: stub.ModelInfer(request_message))
    assert got == getattr(grpc.StatusCode, code) and text in details


@pytest.mark.row(82)
def test_an_input_without_a_name(stub):
    request = infer_request()
    request.inputs[0].name = ""
    assert code_of(lambda: stub.ModelInfer(request))[0] == grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.row(84)
def test_bytes_that_are_no_message(channel, stub):
    call = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
    rng = random.Random(84)
    good = infer_request().SerializeToString()
    bodies = [b"\x53" * 10_000 + b"\x54" * 10_000, b"\x53" * 10_000]
    bodies += [b"\x7a" + _varint(10 << 20) + bytes(10 << 20)]
    bodies += [rng.randbytes(rng.randrange(1, 2000)) for _ in range(300)]
    for body in bodies:
        assert code_of(lambda body=body: call(body))[0] == grpc.StatusCode.INVALID_ARGUMENT
    for size in range(1, len(good)):
        code_of(lambda size=size: call(good[:size]))
    # What is not known is passed over.
    assert call(good + b"\x7a" + _varint(1 << 20) + bytes(1 << 20))
    assert stub.ModelInfer(infer_request()).raw_output_contents == [bytes(16)]
    # The messages that protobuf's own classes read.
    for method in ("ModelMetadata", "ModelConfig", "TraceSetting", "RepositoryIndex", "SystemSharedMemoryRegister"):
        control = channel.unary_unary(f"/inference.GRPCInferenceService/{method}")
        for body in (b"\x53" * 10_000 + b"\x54" * 10_000, b"\x0a\x05ab", b"\x0a\x01\xff"):
            assert code_of(lambda body=body: control(body))[0] == grpc.StatusCode.INVALID_ARGUMENT


def _varint(value):
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(encoded) + bytes([value])


@pytest.mark.row(85)
def test_deadlines_at_every_stage(stub):
    before = counts(stub, "slow")
    first = stub.ModelInfer.future(infer_request("slow"))
    wait.until(lambda: not first.done(), "the model is busy")
    queued = stub.ModelInfer.future(infer_request("slow"), timeout=0.1)
    assert queued.exception().code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert first.result().raw_output_contents == [bytes(16)]
    wait.until(lambda: (counts(stub, "slow") - before)[:2].tolist() == [1, 1], "both have ended")
    assert (counts(stub, "slow") - before)[2] == 1  # the second was never executed

    for timeout in (1e-6, 1e-3, 0.05):
        code, _ = code_of(lambda timeout=timeout: stub.ModelInfer(infer_request("slow"), timeout=timeout))
        assert code == grpc.StatusCode.DEADLINE_EXCEEDED
    assert stub.ModelInfer(infer_request("slow"), timeout=20).raw_output_contents == [bytes(16)]


@pytest.mark.row(86)
def test_cancels_at_every_stage(stub):
    rng = random.Random(86)
    for model, rounds, longest_s in (("slow", 4, 0.4), ("identity_fp32", 300, 0.002), ("batched", 100, 0.002)):
        request = infer_request(model, shape=(1, 4) if model == "batched" else (4,))
        outcomes = []
        for _ in range(rounds):
            call = stub.ModelInfer.future(request)
            ended = threading.Event()
            call.add_done_callback(lambda _, event=ended: event.set())
            ended.wait(rng.random() * longest_s)
            call.cancel()
            assert ended.wait(20)
            outcomes.append(call.code() if not call.cancelled() else grpc.StatusCode.CANCELLED)
        assert set(outcomes) <= {grpc.StatusCode.OK, grpc.StatusCode.CANCELLED}

        def settled(model=model):
            first = counts(stub, model)
            return (counts(stub, model) == first).all()

        wait.until(settled, "all have ended")
        answer = stub.ModelInfer(request, timeout=20)
        assert answer.raw_output_contents == [bytes(16)]


def _rss(server):
    pages = int(pathlib.Path(f"/proc/{server.pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096


@pytest.mark.row(87)
def test_a_client_that_never_reads_a_million_responses(server, stub):
    before, rss = counts(stub, "repeat"), _rss(server)
    call = stub.ModelStreamInfer(iter([repeat_request(range(1_000_000))]))
    wait.until(lambda: (counts(stub, "repeat") - before)[1] == 1, "the request is given up", limit_s=60)
    if not server_module.is_sanitized():  # a sanitizer keeps what was freed for a while
        assert _rss(server) - rss < RSS_GROWTH_MAX
    *answers, last = list(call)
    values = [struct.unpack("<i", answer.infer_response.raw_output_contents[0])[0] for answer in answers]
    assert values == list(range(len(values))) and values, "what was sent is in order, without a gap"
    assert "were not read" in last.error_message and last.infer_response.id == "r"


@pytest.mark.row(87)
def test_a_client_that_reads_slowly_gets_everything_from_ordinary_models(stub):
    values = numpy.arange(100_000, dtype=numpy.float32)
    count = 200

    def requests():
        for i in range(count):
            request = infer_request("identity_fp32", values.shape, raw=(values.tobytes(),))
            request.id = str(i)
            yield request

    for i, answer in enumerate(stub.ModelStreamInfer(requests())):
        assert answer.infer_response.id == str(i)
        assert answer.infer_response.raw_output_contents[0] == values.tobytes()
    assert i == count - 1


@pytest.mark.row(88)
def test_a_stream_that_is_closed_in_the_middle_of_its_responses(stub):
    before = counts(stub, "repeat_slowly")
    call = stub.ModelStreamInfer(iter([repeat_request(range(1000), "repeat_slowly")]))
    next(call)
    call.cancel()
    wait.until(lambda: (counts(stub, "repeat_slowly") - before)[1] == 1, "the model has given up")


@pytest.mark.row(88)
def test_a_stream_that_is_half_closed_is_answered_to_the_end(stub):
    answers = list(stub.ModelStreamInfer(iter([repeat_request(range(5), "repeat_slowly"), repeat_request([7])])))
    got = sorted(struct.unpack("<i", answer.infer_response.raw_output_contents[0])[0] for answer in answers)
    assert got == [0, 1, 2, 3, 4, 7]


@pytest.mark.row(88)
def test_streams_whose_connection_breaks(server):
    for _ in range(10):
        with contextlib.closing(grpc.insecure_channel(server.grpc_url)) as channel:
            stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
            call = stub.ModelStreamInfer(iter([repeat_request(range(1000), "repeat_slowly")]))
            next(call)


class _Stream:
    """A stream that is told what to send step by step."""

    def __init__(self, server):
        self.channel = grpc.insecure_channel(server.grpc_url)
        self.requests = queue.Queue()
        stub = service_pb2_grpc.GRPCInferenceServiceStub(self.channel)
        self.call = stub.ModelStreamInfer(iter(self.requests.get, None))

    def step(self, sequence, value, start=False, end=False):
        """The value that comes back, or the error."""
        request = infer_request("sequences", shape=(1, 1), raw=(struct.pack("<f", value),))
        request.parameters["sequence_id"].int64_param = sequence
        request.parameters["sequence_start"].bool_param = start
        request.parameters["sequence_end"].bool_param = end
        self.requests.put(request)
        answer = next(self.call)
        if answer.error_message:
            return answer.error_message
        return struct.unpack("<f", answer.infer_response.raw_output_contents[0])[0]

    def finish(self):
        """Half-closes; how the stream ended."""
        self.requests.put(None)
        assert list(self.call) == []
        return self.call.code()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.call.cancel()
        self.requests.put(None)
        self.channel.close()


def _live(server):
    return prometheus.scrape(server).value("headrace_sequences_live", model="sequences")


@pytest.mark.row(88)
def test_two_streams_share_one_sequence(server):
    with _Stream(server) as one, _Stream(server) as other:
        assert one.step(88, 1, start=True) == 1
        assert other.step(88, 2) == 2
        assert one.step(88, 3) == 3
        assert _live(server) == 1
        assert other.step(88, 4, end=True) == 4
        wait.until(lambda: _live(server) == 0, "the slot is free")
        # To the stream that began it the sequence is over, too, and the stream goes on.
        assert "must specify the START flag" in one.step(88, 5)
        assert one.step(88, 6, start=True, end=True) == 6
        assert one.finish() == other.finish() == grpc.StatusCode.OK
    wait.until(lambda: _live(server) == 0, "the slot is free")


@pytest.mark.row(88)
def test_a_sequence_outlives_the_stream_that_began_it(server):
    with _Stream(server) as other:
        with _Stream(server) as one:
            assert one.step(89, 1, start=True) == 1
            assert other.step(89, 2) == 2
        # Gone with nothing of it under way.
        assert other.step(89, 3) == 3
        assert other.step(89, 4, end=True) == 4
        assert other.finish() == grpc.StatusCode.OK
    wait.until(lambda: _live(server) == 0, "the slot is free")


@pytest.mark.row(88)
def test_a_stream_that_is_cut_ends_the_sequence_whose_step_it_takes_along(server):
    occupied = _Stream(server)
    with occupied, _Stream(server) as other:
        # One slot: the second sequence waits behind the first.
        assert occupied.step(90, 1, start=True) == 1
        with _Stream(server) as one:
            request = infer_request("sequences", shape=(1, 1), raw=(bytes(4),))
            request.parameters["sequence_id"].int64_param = 91
            request.parameters["sequence_start"].bool_param = True
            one.requests.put(request)

            def backlog():
                return prometheus.scrape(server).value("headrace_sequences_backlog", model="sequences")

            wait.until(lambda: backlog() == 1, "it waits for the slot")
        # It is looked at when the slot is free.
        assert occupied.step(90, 2, end=True) == 2
        wait.until(lambda: backlog() == 0, "it has left the backlog")
        assert "must specify the START flag" in other.step(91, 1)
    wait.until(lambda: _live(server) == 0, "the slot is free")
