"""Row 166: decoupled models, with any number of responses, and errors anywhere."""

import json
import struct

import grpc
import pytest
from tritonclient.grpc import service_pb2_grpc

from catalogue.conftest import running_server, unharmed
from harness import models, raw_http, repeat_model, wait
from harness.under_way import metric

MANY = 100_000


@pytest.fixture(scope="module")
def _decoupled_server(tmp_path_factory):
    repository = models.standard(tmp_path_factory.mktemp("decoupled"))
    repeat_model.add(repository)
    with running_server(repository) as triple:
        yield triple


@pytest.fixture(name="server")
def _server(_decoupled_server):
    with unharmed(*_decoupled_server) as running:
        yield running


@pytest.fixture(name="stub")
def _stub(server):
    with grpc.insecure_channel(server.grpc_url) as channel:
        yield service_pb2_grpc.GRPCInferenceServiceStub(channel)


def _request(values, model):
    request = repeat_model.request(values, model)
    request.parameters["triton_enable_empty_final_response"].bool_param = True
    return request


def _responses(stub, values, model):
    """Values or error texts in order, the marks of the last response, and how the stream ended."""
    call = stub.ModelStreamInfer(iter([_request(values, model)]))
    found, finals = [], []
    for answer in call:
        response = answer.infer_response
        if answer.error_message:
            found.append(answer.error_message)
        elif response.raw_output_contents:
            found.append(struct.unpack("<i", response.raw_output_contents[0])[0])
        finals.append(response.parameters["triton_final_response"].bool_param)
    return found, finals, call.code()


@pytest.mark.row(166)
@pytest.mark.parametrize("model", ["repeat", "repeat_final"])
@pytest.mark.parametrize("count", [0, 1, MANY])
def test_any_number_of_responses_over_grpc(server, stub, model, count):
    found, finals, code = _responses(stub, range(count), model)
    assert found == list(range(count))
    assert code == grpc.StatusCode.OK
    # One response says that it is the last, and it is.
    assert finals[-1] is True and not any(finals[:-1])
    assert len(finals) == (max(1, count) if model == "repeat_final" else count + 1)
    wait.until(lambda: metric(server, "headrace_requests_in_flight", model) == 0, "nothing is left")


@pytest.mark.row(166)
@pytest.mark.parametrize("count", [0, 1, MANY])
def test_any_number_of_responses_as_events(server, count):
    with raw_http.Connection(server, timeout_s=60) as connection:
        body = json.dumps({"IN": list(range(count))}).encode()
        connection.send(raw_http.request("POST", "/v2/models/repeat/generate_stream", body))
        received = bytearray()
        while not received.endswith(b"0\r\n\r\n"):
            piece = connection.socket.recv(1 << 20)
            assert piece, received[-200:]
            received += piece
        assert received.startswith(b"HTTP/1.1 200 ")
        assert received.count(b"data: ") == count
        # The connection is in order behind it.
        connection.send(raw_http.request("GET", "/v2/health/live"))
        assert connection.read().status == 200


@pytest.mark.row(166)
@pytest.mark.parametrize("model", ["repeat", "repeat_final"])
def test_an_error_behind_data_and_data_behind_an_error(server, stub, model):
    found, finals, code = _responses(stub, [1, 2, -3, 4], model)
    assert found[:2] == [1, 2] and "element 2 is -3" in found[2] and found[3:] == [4]
    assert finals[-1] is True and code == grpc.StatusCode.OK
    # At the very end, too.
    found, _, code = _responses(stub, [1, -2], model)
    assert found[0] == 1 and "element 1 is -2" in found[1] and len(found) == 2
    assert code == grpc.StatusCode.OK
    wait.until(lambda: metric(server, "headrace_requests_in_flight", model) == 0, "nothing is left")
