"""Statistics of single responses of decoupled models, as both protocols show them."""

import queue

import numpy
import pytest
import tritonclient.grpc as grpc_module

from harness import models, raw_http, repeat_model, wait
from harness import server as server_module

KINDS = ("compute_infer", "compute_output", "success", "fail", "empty_response", "cancel")


@pytest.fixture(name="server")
def _server(tmp_path):
    repository = models.standard(tmp_path)
    repeat_model.add(repository)
    with server_module.Server(repository) as running:
        yield running
        assert running.stop() == 0, running.output()


def _ask(server, model, values, cancel_after=None):
    answers = queue.Queue()
    array = numpy.array(values, numpy.int32)
    tensor = grpc_module.InferInput("IN", list(array.shape), "INT32")
    tensor.set_data_from_numpy(array)
    with grpc_module.InferenceServerClient(server.grpc_url) as client:
        client.start_stream(lambda result, error: answers.put((result, error)))
        client.async_stream_infer(model, [tensor])
        for _ in values[:cancel_after]:
            answers.get(timeout=30)
        client.stop_stream(cancel_requests=cancel_after is not None)


def _over_http(server, model):
    return raw_http.call(server, "GET", f"/v2/models/{model}/stats").json()["model_stats"][0]["response_stats"]


def _over_grpc(server, model):
    with grpc_module.InferenceServerClient(server.grpc_url) as client:
        stats = client.get_inference_statistics(model).model_stats[0].response_stats
    return {
        index: {kind: {"count": getattr(one, kind).count, "ns": getattr(one, kind).ns} for kind in KINDS}
        for index, one in stats.items()
    }


def _counts(server, model):
    """By index, the kinds that count something."""
    stats = _over_http(server, model)
    assert all(tuple(one) == KINDS for one in stats.values())
    return {index: {kind: one[kind]["count"] for kind in KINDS if one[kind]["count"]} for index, one in stats.items()}


DONE = {"compute_infer": 1, "compute_output": 1, "success": 1}
# The end that comes by itself is a response without outputs.
EMPTY = {"compute_infer": 1, "empty_response": 1}


def _twice(counts):
    return {kind: 2 * count for kind, count in counts.items()}


def test_responses_are_counted_by_their_index(server):
    assert _over_http(server, "repeat") == {} == _over_grpc(server, "repeat")
    _ask(server, "repeat", [5, 6, 7])
    expected = {"0": DONE, "1": DONE, "2": DONE, "3": EMPTY}
    wait.until(lambda: _counts(server, "repeat") == expected, "the statistics")
    _ask(server, "repeat", [5])
    expected = {"0": _twice(DONE), "1": {**DONE, "compute_infer": 2, "empty_response": 1}, "2": DONE, "3": EMPTY}
    wait.until(lambda: _counts(server, "repeat") == expected, "the statistics of both")
    assert _over_http(server, "repeat") == _over_grpc(server, "repeat")
    for one in _over_http(server, "repeat").values():
        ends = one["success"]["ns"] + one["empty_response"]["ns"]
        assert ends == one["compute_infer"]["ns"] + one["compute_output"]["ns"]


def test_a_last_response_that_is_the_end_is_no_other(server):
    _ask(server, "repeat_final", [5, 6])
    wait.until(lambda: _counts(server, "repeat_final") == {"0": DONE, "1": DONE}, "the statistics")


def test_failures_and_cancellations_have_their_kinds(server):
    _ask(server, "repeat", [5, -6, 7])
    failed = {"compute_infer": 1, "fail": 1}
    expected = {"0": DONE, "1": failed, "2": DONE, "3": EMPTY}
    wait.until(lambda: _counts(server, "repeat") == expected, "the statistics")
    _ask(server, "repeat_slowly", list(range(1000)), cancel_after=1)

    def cancelled():
        counts = _counts(server, "repeat_slowly")
        return bool(counts) and counts[max(counts, key=int)] == {"cancel": 1}

    wait.until(cancelled, "the last entry is a cancellation")


def test_other_models_have_none(server):
    with raw_http.Connection(server) as connection:
        connection.send(
            raw_http.request(
                "POST",
                "/v2/models/identity_fp32/infer",
                b'{"inputs":[{"name":"INPUT0","shape":[1],"datatype":"FP32","data":[1]}]}',
            )
        )
        assert connection.read().status == 200
    assert _over_http(server, "identity_fp32") == {} == _over_grpc(server, "identity_fp32")
