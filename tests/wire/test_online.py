"""The online mode: instances and queue delay follow the traffic, so that an SLA holds."""

import threading

import pytest
from harness import models, prometheus, raw_http, wait
from harness import server as server_module

LIMIT_S = 120
REQUEST = {"inputs": [{"name": "INPUT0", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}]}


def online(**keys):
    """Windows are short, so that a test is; what it does is the same."""
    keys = {"online_window_ms": 200, "online_shrink_after_ms": 500, **keys}
    return "".join(models.parameter(name, value) for name, value in keys.items())


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    repository = tmp_path_factory.mktemp("online") / "models"
    # An instance serves 20 requests a second, whatever the machine does: executions only sleep.
    models.add(
        repository,
        "scaled",
        models.identity_config([("FP32", [1, 4])], 0, models.parameter("execute_delay_ms", 50))
        + "instance_group { count: 1 }\n"
        + online(online_sla="p99=250ms", online_instances_min=1, online_instances_max=3),
    )
    # Who comes alone waits out the delay and executes: 180 ms at first.
    models.add(
        repository,
        "delayed",
        models.identity_config([("FP32", [4])], 8, models.parameter("execute_delay_ms", 30))
        + "dynamic_batching { max_queue_delay_microseconds: 150000 }\n"
        + online(online_sla="p95=160ms", online_queue_delay_min_us=1000),
    )
    with server_module.Server(repository) as running:
        yield running
        assert running.stop() == 0, running.output()


class Senders:
    """So many clients that send one request after the other, until the block is over."""

    def __init__(self, server, model, count):
        self.server, self.model = server, model
        self.enough = threading.Event()
        self.statuses = []
        self.threads = [threading.Thread(target=self._send) for _ in range(count)]

    def _send(self):
        while not self.enough.is_set():
            self.statuses.append(raw_http.infer_json(self.server, self.model, REQUEST).status)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.enough.set()
        for thread in self.threads:
            thread.join()


def test_instances_follow_a_step_up_and_back(server):
    seen = set()

    def instances(wanted):
        page = prometheus.scrape(server)
        count = page.value("headrace_online_instances", model="scaled")
        seen.update({count} - {0})  # not looked at yet
        return page if count == wanted else None

    wait.until(lambda: instances(1), "the first look", LIMIT_S)
    with Senders(server, "scaled", 9) as senders:
        wait.until(lambda: instances(3), "three instances", LIMIT_S)
    page = wait.until(lambda: instances(1), "one instance again", LIMIT_S)
    assert set(senders.statuses) == {200}
    assert page.value("nv_inference_request_success", model="scaled") == len(senders.statuses)
    assert page.total("nv_inference_request_failure", model="scaled") == 0
    assert seen <= {1, 2, 3}
    changes = {
        reason: page.value("headrace_online_changes_total", model="scaled", setting="instances", reason=reason)
        for reason in ("queue", "latency", "low_load", "limits")
    }
    assert changes["queue"] + changes["latency"] >= 1 and changes["low_load"] >= 1 and changes["limits"] == 0, changes
    assert page.value("headrace_online_sla_seconds", model="scaled") == 0.25
    assert page.value("headrace_instances_ready", model="scaled") == 1
    server.wait_line(r"model scaled version 1: 1 instances become [23]: (the queue grows|requests take too long)")
    server.wait_line(r"model scaled version 1: [23] instances become [12]: low load \(.* the SLA is 250 ms\)")


def test_a_delay_that_makes_requests_late_is_shortened(server):
    def delay():
        page = prometheus.scrape(server)
        return page.value("headrace_online_queue_delay_seconds", model="delayed")

    wait.until(lambda: delay() > 0, "the first look", LIMIT_S)
    with Senders(server, "delayed", 1) as senders:
        wait.until(lambda: delay() < 0.08, "half the delay", LIMIT_S)
    assert set(senders.statuses) == {200}
    server.wait_line(r"model delayed version 1: a queue delay of 150 ms becomes 75.0 ms: ")
    assert delay() >= 0.001
    page = prometheus.scrape(server)
    assert page.total("headrace_online_changes_total", model="delayed", setting="queue_delay") >= 1
    assert page.total("nv_inference_request_failure", model="delayed") == 0
