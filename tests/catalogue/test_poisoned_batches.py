"""Row 156: a request that makes its batch fail takes nobody with it."""

import numpy
import onnx
import pytest
from onnx import TensorProto, helper

from catalogue.conftest import running_server, unharmed
from harness import models, raw_http, wait
from harness.under_way import Asked, metric

TABLE = [10.0, 20.0, 30.0, 40.0]
POISON = 1000  # no index of the table: the runtime fails the whole execution
BATCH = 8


def _lookup(repository, name, extra=""):
    """Y = TABLE[X]; a batch is full with eight rows."""
    shape = ["n", 1]
    table = helper.make_tensor("TABLE", TensorProto.FLOAT, [len(TABLE)], TABLE)
    tensors = [
        [helper.make_tensor_value_info("X", TensorProto.INT64, shape)],
        [helper.make_tensor_value_info("Y", TensorProto.FLOAT, shape)],
    ]
    graph = helper.make_graph([helper.make_node("Gather", ["TABLE", "X"], ["Y"])], name, *tensors, [table])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    config = f'backend: "onnxruntime"\nmax_batch_size: {BATCH}\n'
    config += 'input { name: "X" data_type: TYPE_INT64 dims: [ 1 ] }\n'
    config += 'output { name: "Y" data_type: TYPE_FP32 dims: [ 1 ] }\n'
    config += "dynamic_batching { max_queue_delay_microseconds: 10000000 }\n" + extra
    directory = models.add(repository, name, config)
    onnx.save(model, str(directory / "1" / "model.onnx"))


@pytest.fixture(scope="module")
def _poison_server(tmp_path_factory):
    repository = models.standard(tmp_path_factory.mktemp("poison"))
    _lookup(repository, "lookup")
    _lookup(repository, "all_or_nothing", models.parameter("retry_failed_batches", "false"))

    def prepare(server):
        # The runtime keeps threads of its own from the first execution on.
        for model in ("lookup", "all_or_nothing"):
            _answers(server, model, [0] * BATCH)

    with running_server(repository, prepare=prepare) as triple:
        yield triple


@pytest.fixture(name="server")
def _server(_poison_server):
    with unharmed(*_poison_server) as running:
        yield running


def _request(model, index):
    body = f'{{"id":"{index}","inputs":[{{"name":"X","shape":[1,1],"datatype":"INT64","data":[{index}]}}]}}'
    return raw_http.request("POST", f"/v2/models/{model}/infer", body.encode())


def _answers(server, model, indices):
    with Asked(server, [_request(model, index) for index in indices]) as asked:
        return asked.answers()


def _check(answers, indices):
    """Each request got what it asked for; the statuses."""
    for answer, index in zip(answers, indices):
        if answer.status == 200:
            assert answer.json()["id"] == str(index)
            numpy.testing.assert_array_equal(answer.json()["outputs"][0]["data"], [TABLE[index]])
        else:
            assert "indices element out of data bounds" in answer.error, answer.error
    return [answer.status for answer in answers]


def _figures(server, model):
    """Successes, failures, retries, inferences."""
    return numpy.array(
        [
            metric(server, "nv_inference_request_success", model),
            metric(server, "nv_inference_request_failure", model, reason="BACKEND"),
            metric(server, "headrace_batch_retries_total", model),
            metric(server, "nv_inference_count", model),
        ]
    )


@pytest.mark.row(156)
@pytest.mark.parametrize("place", [0, 5, 7])
def test_one_poisoned_request_fails_alone(server, place):
    indices = [i % len(TABLE) for i in range(BATCH)]
    indices[place] = POISON
    before = _figures(server, "lookup")
    statuses = _check(_answers(server, "lookup", indices), indices)
    assert [i for i, status in enumerate(statuses) if status != 200] == [place]
    # A failed batch of eight: two of four, two of two, two of one.
    expected = [BATCH - 1, 1, 6, BATCH - 1]
    wait.until(lambda: (_figures(server, "lookup") - before).tolist() == expected, "the statistics")


@pytest.mark.row(156)
def test_several_poisoned_requests(server):
    indices = [0, POISON, 1, 2, POISON, 3, 0, 1]
    statuses = _check(_answers(server, "lookup", indices), indices)
    assert [status == 200 for status in statuses] == [index != POISON for index in indices]


@pytest.mark.row(156)
def test_a_model_whose_executions_must_not_be_repeated_says_so(server):
    before = _figures(server, "all_or_nothing")
    indices = [0] * (BATCH - 1) + [POISON]
    answers = _answers(server, "all_or_nothing", indices)
    assert all(answer.status >= 400 and "out of data bounds" in answer.error for answer in answers)
    wait.until(lambda: (_figures(server, "all_or_nothing") - before).tolist() == [0, BATCH, 0, 0], "the statistics")
