"""The trace and logging extensions, with tritonclient's calls."""

import http.server
import json
import threading

import numpy
import pytest
import tritonclient.http as client_module
from tritonclient.utils import InferenceServerException

from harness import models, raw_http, wait
from harness import server as server_module


@pytest.fixture(scope="module", name="trace_file")
def _trace_file(tmp_path_factory):
    return tmp_path_factory.mktemp("trace") / "trace.json"


@pytest.fixture(scope="module", name="server")
def _server(tmp_path_factory, trace_file):
    repository = models.standard(tmp_path_factory.mktemp("traced"))
    with server_module.running(repository, f"--trace-config=triton,file={trace_file}") as running:
        yield running


@pytest.fixture(name="client")
def _client(server):
    with client_module.InferenceServerClient(server.url) as client:
        yield client
        clear = {"trace_level": None, "trace_rate": None, "trace_count": None, "log_frequency": None}
        client.update_trace_settings(settings=clear)
        client.update_trace_settings("identity_fp32", clear)


def _infer(client, request_id="", headers=None):
    tensor = client_module.InferInput("INPUT0", [3], "FP32")
    tensor.set_data_from_numpy(numpy.array([1, 2.5, -3], numpy.float32))
    return client.infer("identity_fp32", [tensor], request_id=request_id, headers=headers)


def _traces(trace_file):
    """By id: what the file says of each trace."""
    traces = {}
    for entry in json.loads(trace_file.read_text() or "[]"):
        trace = traces.setdefault(entry["id"], {"tensors": []})
        if "tensor" in entry:
            trace["tensors"].append((entry["activity"], entry["tensor"]))
        else:
            trace.update(entry)
    return traces


def _of_request(trace_file, request_id):
    return [trace for trace in _traces(trace_file).values() if trace.get("request_id") == request_id]


def test_settings_are_shown_changed_and_cleared(client):
    before = client.get_trace_settings()
    assert before["trace_level"] == ["OFF"]
    assert (before["trace_rate"], before["trace_count"], before["log_frequency"]) == ("1000", "-1", "0")
    assert before["trace_mode"] == "triton"
    after = client.update_trace_settings(settings={"trace_rate": "5", "trace_level": ["TIMESTAMPS", "TENSORS"]})
    assert (after["trace_rate"], after["trace_level"]) == ("5", ["TIMESTAMPS", "TENSORS"])
    own = client.update_trace_settings("identity_fp32", {"trace_rate": "7"})
    assert (own["trace_rate"], own["trace_level"]) == ("7", ["TIMESTAMPS", "TENSORS"])
    assert client.get_trace_settings()["trace_rate"] == "5"
    assert client.update_trace_settings("identity_fp32", {"trace_rate": None})["trace_rate"] == "5"
    assert client.update_trace_settings(settings={"trace_rate": None})["trace_rate"] == "1000"


def test_a_traced_request_leaves_its_way_through_the_server(client, trace_file):
    client.update_trace_settings("identity_fp32", {"trace_level": ["TIMESTAMPS"], "trace_rate": "1"})
    _infer(client, "way")
    wait.until(lambda: _of_request(trace_file, "way"), "the trace is written")
    (trace,) = _of_request(trace_file, "way")
    assert trace["model_name"] == "identity_fp32" and trace["model_version"] == 1
    names = [stamp["name"] for stamp in trace["timestamps"]]
    assert set(names) == {
        "HTTP_RECV_START",
        "HTTP_RECV_END",
        "REQUEST_START",
        "QUEUE_START",
        "COMPUTE_START",
        "COMPUTE_INPUT_END",
        "COMPUTE_OUTPUT_START",
        "COMPUTE_END",
        "REQUEST_END",
        "INFER_RESPONSE_COMPLETE",
        "HTTP_SEND_START",
        "HTTP_SEND_END",
    }
    at = {stamp["name"]: stamp["ns"] for stamp in trace["timestamps"]}
    order = ["HTTP_RECV_START", "HTTP_RECV_END", "REQUEST_START", "QUEUE_START", "COMPUTE_START"]
    order += ["COMPUTE_INPUT_END", "COMPUTE_OUTPUT_START", "REQUEST_END", "HTTP_SEND_START", "HTTP_SEND_END"]
    assert [at[name] for name in order] == sorted(at[name] for name in order)


def test_tensors_are_traced_at_their_level(client, trace_file):
    client.update_trace_settings("identity_fp32", {"trace_level": ["TENSORS"], "trace_rate": "1"})
    _infer(client, "tensors")
    wait.until(lambda: _of_request(trace_file, "tensors"), "the trace is written")
    (trace,) = _of_request(trace_file, "tensors")
    tensors = dict(trace["tensors"])
    assert set(tensors) == {"TENSOR_QUEUE_INPUT", "TENSOR_BACKEND_INPUT", "TENSOR_BACKEND_OUTPUT"}
    assert tensors["TENSOR_QUEUE_INPUT"] == {"name": "INPUT0", "data": "1,2.5,-3", "shape": "3", "dtype": "FP32"}
    assert tensors["TENSOR_BACKEND_OUTPUT"]["name"] == "OUTPUT0"


def test_rate_and_count_choose_what_is_traced(client, trace_file):
    settings = {"trace_level": ["TIMESTAMPS"], "trace_rate": "4", "trace_count": "2"}
    client.update_trace_settings("identity_fp32", settings)
    for i in range(20):
        _infer(client, f"rate {i}")
    wait.until(lambda: client.get_trace_settings("identity_fp32")["trace_count"] == "0", "the count is used up")
    wait.until(lambda: _of_request(trace_file, "rate 7"), "the traces are written")
    traced = [t["request_id"] for t in _traces(trace_file).values() if t.get("request_id", "").startswith("rate")]
    assert traced == ["rate 3", "rate 7"]


@pytest.mark.parametrize(
    "settings, status",
    [
        ({"trace_file": "/tmp/elsewhere"}, 501),
        ({"trace_mode": "opentelemetry"}, 501),
        ({"trace_rate": "-1"}, 400),
        ({"trace_rate": "x"}, 400),
        ({"trace_count": "-2"}, 400),
        ({"trace_level": ["LOUD"]}, 400),
        ({"trace_level": ["OFF", "TIMESTAMPS"]}, 400),
        ({"no_such_setting": "1"}, 400),
        ({"trace_level": {"a": 1}}, 400),
    ],
)
@pytest.mark.parametrize("path", ["/v2/trace/setting", "/v2/models/identity_fp32/trace/setting"])
def test_bad_settings_are_refused_and_change_nothing(server, client, path, settings, status):
    before = client.get_trace_settings()
    answer = raw_http.call(server, "POST", path, json.dumps({"trace_rate": "3", **settings}).encode())
    assert answer.status == status, answer
    assert next(iter(settings)) in json.loads(answer.body)["error"] or status == 501 or "level" in str(settings)
    assert client.get_trace_settings() == before


def test_an_unknown_model_has_no_trace_settings(client):
    with pytest.raises(InferenceServerException, match="unknown model"):
        client.get_trace_settings("no_such_model")
    with pytest.raises(InferenceServerException, match="unknown model"):
        client.update_trace_settings("no_such_model", {"trace_rate": "1"})


def test_a_trace_file_that_cannot_be_written_ends_the_start(tmp_path):
    repository = models.add(tmp_path / "r", "m", models.identity_config([("FP32", [1])])).parent
    server = server_module.Server(repository, "--trace-config=triton,file=/no/such/folder/trace.json", wait=False)
    with server as running:
        assert running.wait() == 1
        running._reader.join(5)
        assert "cannot open trace file" in running.output()


class _Collector(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append((self.path, self.headers["Content-Type"], json.loads(body)))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture(name="collector")
def _collector():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Collector)
    server.received = []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def test_opentelemetry_continues_the_clients_trace(tmp_path, collector):
    repository = models.standard(tmp_path)
    url = f"http://127.0.0.1:{collector.server_address[1]}/v1/traces"
    options = ["level=TIMESTAMPS", "rate=0", "mode=opentelemetry", f"opentelemetry,url={url}"]
    options += ["opentelemetry,bsp_schedule_delay=10", "opentelemetry,resource=service.name=mine"]
    with server_module.Server(repository, *(f"--trace-config={option}" for option in options)) as running:
        with client_module.InferenceServerClient(running.url) as client:
            _infer(client, "untraced")
            parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
            _infer(client, "traced", {"traceparent": parent})
            wait.until(lambda: collector.received, "the trace has come")
            assert client.get_trace_settings()["trace_mode"] == "opentelemetry"
        assert running.stop() == 0
    (call,) = collector.received
    assert call[:2] == ("/v1/traces", "application/json")
    (resource,) = call[2]["resourceSpans"]
    assert {"key": "service.name", "value": {"stringValue": "mine"}} in resource["resource"]["attributes"]
    spans = {span["name"]: span for span in resource["scopeSpans"][0]["spans"]}
    assert set(spans) == {"InferRequest", "identity_fp32", "compute"}
    assert {span["traceId"] for span in spans.values()} == {"0af7651916cd43dd8448eb211c80319c"}
    assert spans["InferRequest"]["parentSpanId"] == "b7ad6b7169203331"
    assert spans["identity_fp32"]["parentSpanId"] == spans["InferRequest"]["spanId"]
    assert spans["compute"]["parentSpanId"] == spans["identity_fp32"]["spanId"]
    assert {"key": "triton.request_id", "value": {"stringValue": "traced"}} in spans["InferRequest"]["attributes"]


def test_log_settings_are_shown_and_changed(server, client):
    before = client.get_log_settings()
    assert list(before) == ["log_file", "log_info", "log_warning", "log_error", "log_verbose_level", "log_format"]
    assert before["log_info"] is True and before["log_format"] == "default"
    after = client.update_log_settings({"log_verbose_level": 2, "log_info": False, "log_format": "ISO8601"})
    assert (after["log_verbose_level"], after["log_info"], after["log_format"]) == (2, False, "ISO8601")
    assert client.update_log_settings(_without_file(before)) == before


def _without_file(settings):
    return {name: value for name, value in settings.items() if name != "log_file"}


@pytest.mark.parametrize(
    "settings, status",
    [
        ({"log_file": "/tmp/elsewhere"}, 501),
        ({"log_format": "x"}, 503),
        ({"log_info": 1}, 400),
        ({"log_verbose_level": -1}, 400),
        ({"log_verbose_level": "1"}, 400),
        ({"log_level": 1}, 400),
    ],
)
def test_bad_log_settings_are_refused_and_change_nothing(server, client, settings, status):
    before = client.get_log_settings()
    answer = raw_http.call(server, "POST", "/v2/logging", json.dumps({"log_warning": False, **settings}).encode())
    assert answer.status == status, answer
    assert client.get_log_settings() == before
