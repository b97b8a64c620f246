"""--grpc-infer-response-compression-level, with gRPC's own client."""

import contextlib

import grpc
import numpy
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

from harness import models, prometheus, wait
from harness import server as server_module

COUNT = 1 << 18
OPTION = "--grpc-infer-response-compression-level"


def sent_bytes(running):
    return prometheus.scrape(running).total("headrace_http_sent_bytes_total", listener="grpc")


def infer_request(values):
    request = service_pb2.ModelInferRequest(model_name="identity_int32", raw_input_contents=[values.tobytes()])
    request.inputs.add(name="INPUT0", datatype="INT32", shape=[len(values)])
    return request


@contextlib.contextmanager
def served(tmp_path, *options):
    with server_module.Server(models.standard(tmp_path), *options) as running:
        yield running
        assert running.stop() == 0, running.output()


def answer_bytes(running, request, values, arguments=()):
    """What a call makes the server send; the answer must be the values, by a single call and on a stream."""
    before = sent_bytes(running)
    with grpc.insecure_channel(running.grpc_url, [("grpc.max_receive_message_length", -1), *arguments]) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        answer = stub.ModelInfer(request, timeout=20, wait_for_ready=True)
        (streamed,) = stub.ModelStreamInfer(iter([request]), timeout=20)
    for got in (answer, streamed.infer_response):
        assert numpy.array_equal(numpy.frombuffer(got.raw_output_contents[0], numpy.int32), values)
    # The server counts behind the write; when it has seen the end of the connection, it has counted all.
    wait.until(
        lambda: prometheus.scrape(running).total("headrace_http_connections", listener="grpc") == 0,
        "the connection ends",
    )
    return (sent_bytes(running) - before) / 2


def test_levels_make_answers_smaller(tmp_path):
    values = (numpy.arange(COUNT) * 2654435761 % 1000).astype(numpy.int32)
    request = infer_request(values)
    sent = {}
    for level in (None, "none", "low", "medium", "high"):
        directory = tmp_path / str(level)
        directory.mkdir()
        with served(directory, *([f"{OPTION}={level}"] if level else [])) as running:
            sent[level] = answer_bytes(running, request, values)
            if level == "high":
                # A client that does not accept it gets the answer as it is.
                plain = answer_bytes(running, request, values, [("grpc.compression_enabled_algorithms_bitset", 1)])
                assert plain > 4 * COUNT
    assert sent[None] > 4 * COUNT and sent["none"] > 4 * COUNT
    assert sent["low"] < 2 * COUNT
    assert sent["high"] <= sent["medium"] <= sent["low"]


@pytest.mark.parametrize("value", ["", "LOW", "best", "9"])
def test_other_values_are_refused(tmp_path, value):
    running = server_module.Server(models.standard(tmp_path), f"{OPTION}={value}", wait=False)
    with running:
        assert running.wait() != 0
    assert "expected none, low, medium or high" in running.output(), running.output()
