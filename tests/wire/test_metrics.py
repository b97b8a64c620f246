"""The metrics page: Triton's names, Headrace's own, and a ledger that closes."""

import http.client
import json

import pytest

from harness import models, prometheus, raw_http, wait
from harness import server as server_module

COUNTERS = (
    "nv_inference_request_success",
    "nv_inference_request_failure",
    "nv_inference_count",
    "nv_inference_exec_count",
    "nv_inference_request_duration_us",
    "nv_inference_queue_duration_us",
    "nv_inference_compute_input_duration_us",
    "nv_inference_compute_infer_duration_us",
    "nv_inference_compute_output_duration_us",
)
GAUGES = (
    "nv_inference_pending_request_count",
    "nv_cpu_utilization",
    "nv_cpu_memory_total_bytes",
    "nv_cpu_memory_used_bytes",
    "headrace_queue_depth",
    "headrace_requests_in_flight",
    "headrace_model_ready",
    "headrace_instances_ready",
    "headrace_memory_pool_bytes",
    "headrace_http_connections",
)
HISTOGRAMS = (
    "headrace_request_duration_seconds",
    "headrace_request_queue_seconds",
    "headrace_request_batch_wait_seconds",
    "headrace_request_execute_seconds",
    "headrace_request_send_seconds",
    "headrace_batch_size",
)
REASONS = ("OTHER", "BACKEND", "CANCELED", "REJECTED")


@pytest.fixture(scope="module")
def own_server(tmp_path_factory):
    """A server of these tests alone, so that its counters are known."""
    repository = tmp_path_factory.mktemp("metrics")
    models.add(repository, "batched", models.identity_config([("FP32", [2])], max_batch_size=8))
    models.add(repository, "untouched", models.identity_config([("FP32", [2])]))
    models.add(repository, "plain", models.identity_config([("FP32", [2])]))
    slow = models.parameter("execute_delay_ms", 200)
    models.add(repository, "slow", models.identity_config([("FP32", [2])], extra=slow))
    with server_module.Server(repository) as running:
        yield running
        assert running.stop() == 0, running.output()


def infer(server, model, shape, data):
    document = {"inputs": [{"name": "INPUT0", "shape": shape, "datatype": "FP32", "data": data}]}
    return raw_http.infer_json(server, model, document)


def test_every_family_has_its_kind_and_series_from_the_start(own_server):
    page = prometheus.scrape(own_server)
    assert {name: page.kinds.get(name) for name in COUNTERS} == {name: "counter" for name in COUNTERS}
    assert {name: page.kinds.get(name) for name in GAUGES} == {name: "gauge" for name in GAUGES}
    assert {name: page.kinds.get(name) for name in HISTOGRAMS} == {name: "histogram" for name in HISTOGRAMS}
    for name in COUNTERS:
        if name != "nv_inference_request_failure":
            assert page.find(name, model="untouched", version="1") == [0], name
    for reason in REASONS:
        assert page.find("nv_inference_request_failure", model="untouched", version="1", reason=reason) == [0]


def test_known_traffic_gives_known_numbers(own_server):
    before = prometheus.scrape(own_server)
    for batch in (1, 3, 3):
        assert infer(own_server, "batched", [batch, 2], [0.0] * 2 * batch).status == 200
    assert infer(own_server, "batched", [9, 2], [0.0] * 18).status == 400

    def grown(name, **labels):
        return prometheus.scrape(own_server).value(name, model="batched", **labels) - before.value(
            name, model="batched", **labels
        )

    wait.until(lambda: grown("nv_inference_count") == 7, "all executions are reported")
    assert grown("nv_inference_request_success") == 3
    assert grown("nv_inference_exec_count") == 3
    assert grown("headrace_batch_size_count") == 3
    assert grown("headrace_batch_size_sum") == 7
    assert grown("headrace_request_queue_seconds_count") == 3
    assert grown("headrace_request_execute_seconds_count") == 3
    assert grown("headrace_request_duration_seconds_count") == 3
    # The refusal is an answer too.
    wait.until(lambda: grown("headrace_request_send_seconds_count") == 4, "all answers are handed over")
    assert grown("nv_inference_request_duration_us") == pytest.approx(
        grown("headrace_request_duration_seconds_sum") * 1e6, abs=1
    )
    for reason, count in (("OTHER", 1), ("BACKEND", 0), ("CANCELED", 0), ("REJECTED", 0)):
        assert grown("nv_inference_request_failure", reason=reason) == count, reason


def test_execution_time_is_where_it_belongs(own_server):
    before = prometheus.scrape(own_server)
    assert infer(own_server, "slow", [2], [1, 2]).status == 200
    labels = {"model": "slow", "version": "1"}
    name = "nv_inference_request_duration_us"
    assert prometheus.scrape(own_server).value(name, **labels) - before.value(name, **labels) >= 200_000
    execute = wait.until(
        lambda: prometheus.scrape(own_server).value("headrace_request_execute_seconds_sum", **labels),
        "the execution is reported",
    )
    assert execute >= 0.2


def test_histograms_are_cumulative_and_end_at_infinity(own_server):
    assert infer(own_server, "plain", [2], [1, 2]).status == 200

    def complete():
        page = prometheus.scrape(own_server)
        return all(page.value(f"{name}_count", model="plain") for name in HISTOGRAMS) and page

    page = wait.until(complete, "every stage of the request is counted")
    for name in HISTOGRAMS:
        buckets = [
            (float(labels["le"].replace("+Inf", "inf")), value)
            for sample, labels, value in page.samples
            if sample == f"{name}_bucket" and labels["model"] == "plain"
        ]
        assert buckets == sorted(buckets) and buckets[-1][0] == float("inf"), name
        assert [value for _, value in buckets] == sorted(value for _, value in buckets), name
        assert buckets[-1][1] == page.value(f"{name}_count", model="plain"), name


def _ledger(server):
    """Inference requests that were answered, by what the counters say."""
    page = prometheus.scrape(server)
    return {
        "received": page.total("headrace_requests_received_total"),
        "ok": page.total("nv_inference_request_success"),
        "failed": page.total("nv_inference_request_failure"),
        "refused": page.total("headrace_rejections_total") - page.total("headrace_rejections_total", reason="queue"),
        "requests": page.value("headrace_http_requests_total", listener="http"),
        "responses": page.value("headrace_http_responses_total", listener="http"),
    }


def test_the_ledger_closes(own_server):
    before = _ledger(own_server)
    outcomes = {"ok": 0, "failed": 0, "refused": 0}
    for i in range(40):
        answers = {
            "ok": infer(own_server, "plain", [2], [i, i]),
            "failed": infer(own_server, "plain", [3], [1, 2, 3]),
            "refused": infer(own_server, "ghost" if i % 2 else "plain", [2], [1]),
        }
        assert [answer.status for answer in answers.values()] == [200, 400, 404 if i % 2 else 400]
        for name in outcomes:
            outcomes[name] += 1

    def grown():
        return {name: value - before[name] for name, value in _ledger(own_server).items()}

    wait.until(lambda: grown()["ok"] + grown()["failed"] == grown()["received"], "every request has ended")
    after = grown()
    assert {name: after[name] for name in outcomes} == outcomes
    assert after["received"] == outcomes["ok"] + outcomes["failed"]
    assert after["requests"] == after["responses"] == sum(outcomes.values())


def test_rejections_are_counted_by_reason(own_server):
    def reasons():
        page = prometheus.scrape(own_server)
        return {
            (labels["model"], labels["reason"]): value
            for name, labels, value in page.samples
            if name == "headrace_rejections_total"
        }

    before = reasons()
    raw_http.infer_json(own_server, "ghost", {})
    raw_http.infer_json(own_server, "plain", b"{")
    raw_http.infer_json(own_server, "plain", b"x", [("Content-Encoding", "br")])
    after = reasons()
    grown = {key: value - before.get(key, 0) for key, value in after.items() if value != before.get(key, 0)}
    assert grown == {("", "unknown_model"): 1, ("plain", "malformed"): 1, ("plain", "content_encoding"): 1}


def test_framing_errors_are_counted_by_status(own_server):
    def value():
        return prometheus.scrape(own_server).value("headrace_http_rejections_total", listener="http", status="400")

    before = value()
    raw_http.answers_until_close(own_server, b"GET /v2 HTTP/1.1\r\n\r\n")
    assert value() == before + 1


def test_series_of_an_unloaded_model_are_removed(tmp_path):
    repository = models.standard(tmp_path)
    options = ("--model-control-mode=explicit", "--load-model=fixed")
    with server_module.Server(repository, *options) as server:
        assert prometheus.scrape(server).find("nv_inference_count", model="fixed") == [0]
        assert raw_http.call(server, "POST", "/v2/repository/models/fixed/unload").status == 200
        wait.until(
            lambda: not prometheus.scrape(server).find("nv_inference_count", model="fixed"), "the series are gone"
        )


@pytest.mark.parametrize("method, path, status", [("GET", "/", 404), ("GET", "/v2", 404), ("POST", "/metrics", 405)])
def test_the_metrics_port_serves_nothing_else(own_server, method, path, status):
    connection = http.client.HTTPConnection(own_server.host, own_server.metrics_port, timeout=20)
    connection.request(method, path)
    response = connection.getresponse()
    assert response.status == status
    assert json.loads(response.read())["error"]
    connection.close()


def test_the_page_is_not_on_the_inference_port(own_server):
    assert raw_http.call(own_server, "GET", "/metrics").status == 404
