"""Catalogue 3.5 and 3.12 with namespaces: two repositories with the same model, both of which serve."""

import json
import threading

import pytest

from harness import control, models, open_loop, prometheus, raw_http, wait
from harness import server as server_module

RATE = 40 if server_module.is_sanitized() else 150


@pytest.fixture(name="server")
def _server(tmp_path):
    models.add(tmp_path / "a", "m", models.identity_config([("FP32", [2])]))
    models.add(tmp_path / "b", "m", models.identity_config([("FP32", [3])]))
    options = ("--model-namespacing=true", "--model-control-mode=explicit", "--load-model=m")
    with server_module.running(tmp_path / "a", f"--model-repository={tmp_path / 'b'}", *options) as running:
        yield running


def _body(count):
    tensor = {"name": "INPUT0", "datatype": "FP32", "shape": [count], "data": list(range(count))}
    return json.dumps({"inputs": [tensor]}).encode()


def _infer(server, model, count):
    return raw_http.call(server, "POST", f"/v2/models/{model}/infer", _body(count))


@pytest.mark.row(114)
def test_an_ambiguous_name_reaches_neither_model(server):
    for count in (2, 3):
        answer = _infer(server, "m", count)
        assert answer.status == 400 and "There are 2 identifiers of model 'm'" in answer.error, answer
        assert "ask for '<model repository>::m'" in answer.error
    page = prometheus.scrape(server)
    assert page.total("headrace_requests_received_total", model="m") == 0
    assert page.total("headrace_rejections_total", model="", reason="unknown_model") == 2
    assert _infer(server, "a%3A%3Am", 2).status == _infer(server, "b%3A%3Am", 3).status == 200


@pytest.mark.row(114)
def test_an_unload_of_one_of_two_leaves_the_name_to_the_other(server):
    for gone, left, count in (("a", "b", 3), ("b", "a", 2)):
        control.must_load(server, "m")
        assert raw_http.call(server, "POST", f"/v2/repository/{gone}/models/m/unload", b"{}").status == 200
        answer = _infer(server, "m", count)
        assert answer.status == 200 and answer.json()["outputs"][0]["shape"] == [count], (left, answer)
        refused = _infer(server, f"{gone}%3A%3Am", count)
        assert refused.status in (404, 503), refused


@pytest.mark.row(114)
def test_reloads_of_one_namespace_leave_the_other_alone(server, tmp_path):
    def make(number):
        return raw_http.request("POST", "/v2/models/b%3A%3Am/infer", _body(3)), number

    def check(_, _headers, body):
        assert json.loads(body)["outputs"][0]["data"] == [0, 1, 2], body
        return "b"

    client = open_loop.OpenLoop(server, RATE, make, check).start()
    loaded = prometheus.scrape(server).value("nv_model_load_duration_secs", namespace=str(tmp_path / "b"))
    for round_number in range(5):
        # Another configuration: the model is loaded anew.
        extra = models.parameter("round", round_number)
        models.add(tmp_path / "a", "m", models.identity_config([("FP32", [2])], extra=extra))
        answer = raw_http.call(server, "POST", "/v2/repository/a/models/m/load", b"{}")
        assert answer.status == 200, answer
        goal = client.report.sent + RATE // 10
        wait.until(lambda: client.report.sent >= goal, "the client goes on", limit_s=60)
        config = raw_http.call(server, "GET", "/v2/models/a%3A%3Am/config").json()
        assert config["parameters"]["round"]["string_value"] == str(round_number)
    client.finish().must_be_clean()
    page = prometheus.scrape(server)
    of_b = {"model": "m", "namespace": str(tmp_path / "b")}
    assert page.value("nv_inference_request_success", **of_b) == client.report.sent
    assert page.value("nv_model_load_duration_secs", **of_b) == loaded, "it was not loaded again"


@pytest.mark.row(114)
def test_loads_and_unloads_of_both_at_once_end_in_order(server):
    def turn(repository):
        for verb in ("unload", "load") * 5:
            answer = raw_http.call(server, "POST", f"/v2/repository/{repository}/models/m/{verb}", b"{}")
            assert answer.status == 200, answer

    threads = [threading.Thread(target=turn, args=(name,)) for name in ("a", "b", "a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    control.must_load(server, "m")
    assert _infer(server, "a%3A%3Am", 2).status == _infer(server, "b%3A%3Am", 3).status == 200
    assert _infer(server, "m", 2).status == 400
