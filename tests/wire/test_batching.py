"""Batches, queues and instances, seen from outside."""

import json
import time

import pytest

from harness import models, prometheus, raw_http, wait
from harness import server as server_module

EXECUTE_S = 0.3
DELAY = models.parameter("execute_delay_ms", 300)


def batching(text=""):
    return "dynamic_batching { " + text + " }\n"


def instances(count):
    return "instance_group { count: %d kind: KIND_CPU }\n" % count


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    directory = tmp_path_factory.mktemp("batching")

    def add(name, extra, max_batch_size=8):
        models.add(directory, name, models.identity_config([("FP32", [-1])], max_batch_size, extra + DELAY))

    add("batching", batching())
    add("preferred", batching("preferred_batch_size: [ 4 ] max_queue_delay_microseconds: 20000000"))
    uneven = models.parameter("instance_wise_delay_multiplier", 3)
    add("ordered", batching("preserve_ordering: true") + instances(2) + uneven, 1)
    add("single", "", 0)
    add("three", instances(3), 0)
    add("unbatched", "", 8)
    add("delayed", batching("max_queue_delay_microseconds: 400000"))
    return directory


@pytest.fixture(scope="module")
def server(repository):
    # With one event loop the order of answers is the order in which they are sent.
    with server_module.running(repository, "--http-thread-count=1") as running:
        yield running


@pytest.fixture(scope="module")
def short_queue_server(repository):
    with server_module.running(repository, "--queue-request-count-max=3") as running:
        yield running


def request(model, values, batched=True):
    shape = [1, len(values)] if batched else [len(values)]
    document = {"inputs": [{"name": "INPUT0", "shape": shape, "datatype": "FP32", "data": values}]}
    return raw_http.request("POST", f"/v2/models/{model}/infer", json.dumps(document).encode())


class Asked:
    """Requests on connections of their own, all under way."""

    def __init__(self, server, requests):
        self.connections = []
        for one in requests:
            connection = raw_http.Connection(server)
            connection.send(one)
            self.connections.append(connection)

    def answers(self):
        return [connection.read() for connection in self.connections]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for connection in self.connections:
            connection.close()


def metric(server, name, **labels):
    return prometheus.scrape(server).value(name, **labels)


def counts(server, model):
    page = prometheus.scrape(server)
    return page.value("nv_inference_count", model=model), page.value("nv_inference_exec_count", model=model)


def occupied(server, model):
    """A request that keeps the model's only instance busy while others queue."""
    blocker = Asked(server, [request(model, [0.0], model not in ("single", "three"))])
    wait.until(lambda: metric(server, "headrace_requests_in_flight", model=model) == 1, "the instance is busy")
    wait.until(lambda: metric(server, "nv_inference_pending_request_count", model=model) == 0, "nothing is queued")
    return blocker


def queued(server, model, count):
    wait.until(
        lambda: metric(server, "nv_inference_pending_request_count", model=model) == count, f"{count} are queued"
    )


def test_requests_that_wait_together_run_together(server):
    inferences, executions = counts(server, "batching")
    with occupied(server, "batching") as blocker:
        with Asked(server, [request("batching", [float(i), -float(i)]) for i in range(8)]) as asked:
            queued(server, "batching", 8)
            for i, answer in enumerate(asked.answers()):
                assert answer.json()["outputs"][0] == {
                    "name": "OUTPUT0",
                    "datatype": "FP32",
                    "shape": [1, 2],
                    "data": [float(i), -float(i)],
                }
        assert blocker.answers()[0].status == 200
    wait.until(lambda: counts(server, "batching")[0] == inferences + 9, "all are counted")
    assert counts(server, "batching")[1] == executions + 2


def test_a_batch_is_never_larger_than_the_model_takes(server):
    _, executions = counts(server, "batching")
    with occupied(server, "batching"):
        with Asked(server, [request("batching", [float(i)]) for i in range(20)]) as asked:
            assert [answer.json()["outputs"][0]["data"] for answer in asked.answers()] == [
                [float(i)] for i in range(20)
            ]
    wait.until(lambda: counts(server, "batching")[1] == executions + 4, "one, then batches of 8, 8 and 4")
    stats = raw_http.call(server, "GET", "/v2/models/batching/stats").json()["model_stats"][0]
    assert max(entry["batch_size"] for entry in stats["batch_stats"]) == 8


def test_different_shapes_do_not_mix_and_do_not_break_batches(server):
    _, executions = counts(server, "batching")
    requests = [request("batching", [float(i)] * (2 if i % 2 else 3)) for i in range(8)]
    with occupied(server, "batching"):
        with Asked(server, requests) as asked:
            queued(server, "batching", 8)
            for i, answer in enumerate(asked.answers()):
                width = 2 if i % 2 else 3
                assert answer.json()["outputs"][0]["shape"] == [1, width]
                assert answer.json()["outputs"][0]["data"] == [float(i)] * width
    wait.until(lambda: counts(server, "batching")[1] >= executions + 3, "all are counted")
    assert counts(server, "batching")[1] == executions + 3


def test_a_preferred_size_runs_at_once_and_others_wait(server):
    with Asked(server, [request("preferred", [float(i)]) for i in range(3)]) as asked:
        queued(server, "preferred", 3)
        with Asked(server, [request("preferred", [3.0])]) as last:
            began = time.monotonic()
            assert last.answers()[0].status == 200
            assert time.monotonic() - began < 10
            assert [answer.status for answer in asked.answers()] == [200] * 3
    wait.until(lambda: counts(server, "preferred") == (4, 1), "one batch of four")


def test_a_batch_that_does_not_fill_runs_after_the_delay(server):
    began = time.monotonic()
    with Asked(server, [request("delayed", [1.0]), request("delayed", [2.0])]) as asked:
        assert [answer.json()["outputs"][0]["data"] for answer in asked.answers()] == [[1.0], [2.0]]
    assert time.monotonic() - began >= 0.4 + EXECUTE_S
    wait.until(lambda: counts(server, "delayed") == (2, 1), "one batch of two")


def test_without_dynamic_batching_requests_run_alone(server):
    with occupied(server, "unbatched"):
        with Asked(server, [request("unbatched", [float(i)]) for i in range(3)]) as asked:
            assert [answer.status for answer in asked.answers()] == [200] * 3
    wait.until(lambda: counts(server, "unbatched") == (4, 4), "four executions")


def test_answers_keep_their_order(server):
    """One instance is much slower than the other; what the fast one has done waits for what came before."""
    count = 8
    with Asked(server, []) as asked:
        for i in range(count):
            asked.connections.append(raw_http.Connection(server))
            asked.connections[-1].send(request("ordered", [float(i)]))
            wait.until(
                lambda want=i + 1: metric(server, "headrace_requests_received_total", model="ordered") >= want,
                "it is queued",
            )
        places = {connection.socket: i for i, connection in enumerate(asked.connections)}
        answered = set()
        while len(answered) < count:
            pending = [one for one, place in places.items() if place not in answered]
            answered |= {places[one] for one in wait.readable(pending, 20)}
            assert answered == set(range(len(answered))), f"answers overtook others: {sorted(answered)}"
        assert [answer.json()["outputs"][0]["data"] for answer in asked.answers()] == [[float(i)] for i in range(count)]
    assert counts(server, "ordered")[1] >= count - 1


def seconds_for(server, model, count):
    """How long `count` requests that arrive together take; their answers are checked."""
    began = time.monotonic()
    with Asked(server, [request(model, [float(i)], False) for i in range(count)]) as asked:
        assert [answer.json()["outputs"][0]["data"] for answer in asked.answers()] == [[float(i)] for i in range(count)]
    return time.monotonic() - began


def test_each_of_n_instances_runs_a_request_at_a_time(server):
    three = seconds_for(server, "three", 6)
    assert 2 * EXECUTE_S <= three
    # Against one instance in the same run: a slow machine slows both.
    assert three < seconds_for(server, "single", 6)
    config = raw_http.call(server, "GET", "/v2/models/three/config").json()
    assert config["instance_group"][0]["count"] == 3


def test_one_instance_runs_one_request_at_a_time(server):
    began = time.monotonic()
    with Asked(server, [request("single", [float(i)], False) for i in range(3)]) as asked:
        assert [answer.status for answer in asked.answers()] == [200] * 3
    assert time.monotonic() - began >= 3 * EXECUTE_S


def test_a_full_queue_refuses_at_once(short_queue_server):
    server = short_queue_server
    with occupied(server, "single"):
        with Asked(server, [request("single", [float(i)], False) for i in range(3)]) as asked:
            queued(server, "single", 3)
            rejected = metric(server, "nv_inference_request_failure", model="single", reason="REJECTED")
            answer = raw_http.exchange(server, request("single", [9.0], False))
            assert answer.status == 503 and int(answer.headers["retry-after"]) >= 1
            assert "maximum queue size" in answer.error
            assert metric(server, "nv_inference_request_failure", model="single", reason="REJECTED") == rejected + 1
            assert metric(server, "headrace_rejections_total", model="single", reason="queue") == rejected + 1
            assert [answer.status for answer in asked.answers()] == [200] * 3
    assert raw_http.exchange(server, request("single", [1.0], False)).status == 200


@pytest.mark.parametrize("leave", ["reset", "close"])
def test_a_client_that_leaves_the_queue_is_not_executed(server, leave):
    def cancelled():
        return metric(server, "nv_inference_request_failure", model="single", reason="CANCELED")

    before, (inferences, executions) = cancelled(), counts(server, "single")
    with occupied(server, "single") as blocker:
        with Asked(server, [request("single", [1.0], False)]) as staying:
            queued(server, "single", 1)
            leaving = Asked(server, [request("single", [2.0], False)])
            queued(server, "single", 2)
            getattr(leaving.connections[0], leave)()
            assert staying.answers()[0].json()["outputs"][0]["data"] == [1.0]
        assert blocker.answers()[0].status == 200
    wait.until(lambda: cancelled() == before + 1, "the one that left is counted")
    wait.until(lambda: metric(server, "headrace_requests_in_flight", model="single") == 0, "nothing is in flight")
    wait.until(lambda: counts(server, "single")[0] >= inferences + 2, "the others are counted")
    assert counts(server, "single") == (inferences + 2, executions + 2)
