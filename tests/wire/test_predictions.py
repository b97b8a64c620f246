"""Handlers behind /predictions: what goes in, what comes out, and the same from a TorchServe."""

import concurrent.futures
import json
import pathlib
import sys
import uuid

import numpy
import pytest
import requests
import tritonclient.http as client_module

from harness import archives, models, prometheus, raw_http, torchserve, wait
from harness import server as server_module

_HANDLERS = pathlib.Path(__file__).parent / "handlers"
_LIMIT_S = 60


def _archive(name, settings=None):
    return archives.handler_mar(name, _HANDLERS / f"{name}.py", settings)


@pytest.fixture(scope="module", name="handlers")
def _handlers(tmp_path_factory):
    """A server over archives, a folder and a model that is no handler."""
    repository = tmp_path_factory.mktemp("handlers")
    source = (_HANDLERS / "show.py").read_text(encoding="utf-8")
    archives.add(repository, "show", archives.tgz("show", {"show.py": source}, "show.py"), suffix="tar.gz")
    archives.add(repository, "act", _archive("act", "responseTimeout: 2\n"))
    archives.add(repository, "stream", _archive("stream"))
    archives.add(repository, "whole", _archive("whole", "batchSize: 4\nmaxBatchDelay: 10000\n"))
    archives.add(repository, "narrow", _archive("act", "jobQueueSize: 1\n"))
    for version in (1, 3):
        folder = repository / "folder" / str(version)
        folder.mkdir(parents=True)
        (folder / "handler.py").write_text(f"def handle(rows, context):\n    return ['v{version}'] * len(rows or [])\n")
    (repository / "folder" / "config.pbtxt").write_text('backend: "handler"\nversion_policy { all { } }\n')
    models.add(repository, "identity", models.identity_config([("FP32", [-1])]))
    with server_module.running(repository, f"--backend-config=handler,interpreter={sys.executable}") as running:
        yield running


def _post(server, path, **more):
    return requests.post(f"http://{server.url}/{path}", timeout=_LIMIT_S, **more)


def _act(server, wish, model="act"):
    return _post(server, f"predictions/{model}", json=wish)


# --- What the handler gets ---

_INPUTS = {
    "urlencoded": ({"data": {"a": "1", "b": "two words"}}, {"a": ["bytearray", "1"], "b": ["bytearray", "two words"]}, {"a": "", "b": ""}),
    "raw": ({"data": b"raw\x00"}, {"body": ["bytearray", "raw\x00"]}, {"body": ""}),
    "text": (
        {"data": "grün".encode(), "headers": {"Content-Type": "text/plain; charset=utf-8"}}, {"body": ["str", "grün"]}, {"body": "text/plain"},
    ),
    "json": ({"json": {"k": [1, None]}}, {"body": ["dict", {"k": [1, None]}]}, {"body": "application/json"}),
    "broken json": (
        {"data": b"{", "headers": {"Content-Type": "application/json"}}, {"body": ["bytearray", "{"]}, {"body": "application/json"},
    ),
    "capitals": (
        {"data": b"{}", "headers": {"Content-Type": "Application/JSON"}}, {"body": ["bytearray", "{}"]}, {"body": "Application/JSON"},
    ),
    "empty": ({"data": b""}, {"body": ["bytearray", ""]}, {"body": ""}),
    "multipart": (
        {"files": {"f": ("n.json", b'{"k":1}', "application/json"), "g": ("n", b"\x00x"), "t": ("t", b"text", "text/csv")}, "data": {"p": "q"}},
        {"f": ["dict", {"k": 1}], "g": ["bytearray", "\x00x"], "t": ["str", "text"], "p": ["bytearray", "q"]},
        {"f": "application/json", "g": "application/octet-stream", "t": "text/csv", "p": ""},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", _INPUTS)
def test_handler_gets_parts_as_torchserve_gives_them(handlers, name):
    request, row, types = _INPUTS[name]
    answer = _post(handlers, "predictions/show", **request)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["row"] == row
    assert found["headers"] == {
        "explain": "False",
        "url_path": "",
        **{part: {"content-type": kind} for part, kind in types.items()},
    }


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_every_method_runs_the_model(handlers, method):
    answer = requests.request(method, f"http://{handlers.url}/predictions/show?ignored=1", data=b"x", timeout=_LIMIT_S)
    assert answer.json()["row"] == {"body": ["bytearray", "x"]}


def test_path_behind_the_version_and_headers_reach_the_context(handlers):
    answer = _post(handlers, "predictions/show/1.0/v1/chat%20it", data=b"", headers={"X-Mine": "yes"})
    headers = answer.json()["headers"]
    assert headers["url_path"] == "v1/chat it" and headers["X-Mine"] == "yes"


def test_explanations_say_so(handlers):
    assert _post(handlers, "explanations/show", data=b"").json()["headers"]["explain"] == "True"


def test_versions_are_chosen_by_the_path(handlers):
    assert _post(handlers, "predictions/folder").text == "v3"
    assert _post(handlers, "predictions/folder/").text == "v3"
    assert _post(handlers, "predictions/folder/1").text == "v1"
    assert _post(handlers, "predictions/folder/1.0").text == "v1"


def test_large_body_arrives_whole(handlers):
    data = numpy.random.default_rng(1).bytes(8 << 20)
    answer = _post(handlers, "predictions/show", files={"big": ("b", data)})
    assert answer.json()["row"]["big"][1].encode("latin-1") == data


# --- What comes back ---


@pytest.mark.parametrize("value, body", [
    ("bytes", b"\x00\xff"), ("bytearray", b"raw"), ("str", "grüß".encode()), ("number", b"7"), ("none", b"null"),
    ("dict", b'{\n  "a": [\n    1,\n    null\n  ]\n}'),
])  # fmt: skip
def test_answer_is_what_the_handler_returns(handlers, value, body):
    answer = _act(handlers, {"value": value})
    assert answer.status_code == 200 and answer.content == body
    assert "content-type" not in answer.headers
    assert uuid.UUID(answer.headers["x-request-id"])
    assert answer.headers["Pragma"] == "no-cache" and answer.headers["Expires"] == "Thu, 01 Jan 1970 00:00:00 UTC"


def test_handler_sets_status_phrase_type_and_headers(handlers):
    wish = {"status": 418, "phrase": "teapot", "type": "text/tea",
            "headers": {"X-A": "b", "Cache-Control": "mine", "Content-Length": "1", "Bad\nName": "x", "X-Bad": "a\r\nSet-Cookie: x"}}  # fmt: skip
    answer = _act(handlers, wish)
    assert (answer.status_code, answer.reason, answer.content) == (418, "teapot", b"done")
    assert answer.headers["content-type"] == "text/tea" and answer.headers["X-A"] == "b"
    assert "no-cache" in answer.headers["Cache-Control"]
    assert not {"set-cookie", "x-bad"} & {name.lower() for name in answer.headers}


def test_clients_own_request_id_is_told_back(handlers):
    answer = _post(handlers, "predictions/act", json={}, headers={"X-Request-Id": "mine-7"})
    assert answer.headers["x-request-id"] == "mine-7"
    answer = _post(handlers, "predictions/act", json={}, headers={"X-Request-Id": "two words"})
    assert uuid.UUID(answer.headers["x-request-id"])


_FAILURES = [
    ({"raise": "value"}, 503, "Prediction failed"),
    ({"raise": "memory"}, 507, "Out of resources"),
    ({"raise": "cuda"}, 507, "Out of resources"),
    ({"prediction": ["no such thing", 404]}, 404, "no such thing"),
    ({"prediction": ["strange", 599]}, 599, "strange"),
    ({"prediction": ["plain"]}, 500, "plain"),
    ({"value": "object"}, 503, "Unsupported model output data type."),
    ({"more": True}, 503, "number of batch response mismatched"),
]


@pytest.mark.parametrize("wish, status, message", _FAILURES)
def test_failure_of_a_handler_is_told_in_torchserves_words(handlers, wish, status, message):
    answer = _act(handlers, wish)
    assert answer.status_code == status
    assert answer.json() == {"code": status, "type": "InternalServerException", "message": message}
    assert answer.text == json.dumps(answer.json(), indent=2) + "\n"
    assert answer.headers["content-type"] == "application/json"


def test_prediction_exception_of_status_200_answers_error(handlers):
    answer = _act(handlers, {"prediction": ["fine", 200]})
    assert (answer.status_code, answer.text) == (200, "error")


@pytest.mark.parametrize("path, kind, message", [
    ("predictions/none", "ModelNotFoundException", "Model not found: none"),
    ("predictions/show/9.9", "ModelVersionNotFoundException", "Model version: 9.9 does not exist for model: show"),
    ("predictions/show/7", "ModelVersionNotFoundException", "Model version: 7 does not exist for model: show"),
    ("predictions", "ResourceNotFoundException", "Requested resource is not found, please refer to API document."),
])  # fmt: skip
def test_what_is_not_there_is_404(handlers, path, kind, message):
    answer = _post(handlers, path)
    assert answer.status_code == 404 and answer.json() == {"code": 404, "type": kind, "message": message}


def test_other_models_are_no_handlers(handlers):
    answer = _post(handlers, "predictions/identity", data=b"")
    assert answer.status_code == 400 and "/v2/models/identity/infer" in answer.json()["message"]


def test_forms_that_cannot_be_read_are_400(handlers):
    kind = {"Content-Type": "multipart/form-data; boundary=B"}
    answer = _post(
        handlers, "predictions/show", data=b"--B\r\nContent-Disposition: form-data; name=a\r\n\r\ncut", headers=kind
    )
    assert answer.status_code == 400 and answer.json()["type"] == "BadRequestException"
    answer = _post(
        handlers, "predictions/show", data=b"a=%zz", headers={"Content-Type": "application/x-www-form-urlencoded"}
    )
    assert answer.status_code == 400 and "hexadecimal" in answer.json()["message"]


def test_body_beyond_the_limit_is_413_before_it_is_read(handlers):
    with raw_http.Connection(handlers) as connection:
        connection.send(b"POST /predictions/show HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n")
        assert connection.read().status == 413


# --- Batches, workers, queues ---


def test_requests_that_wait_are_one_batch(handlers):
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda i: _post(handlers, "predictions/whole", data=f"{i}".encode()).text, range(4)))
    assert answers == [f"4:{i}" for i in range(4)]


def test_one_request_has_a_status_of_its_own_within_a_batch(handlers):
    assert _act(handlers, {"status": 404, "phrase": ""}).status_code == 404
    assert _act(handlers, {}).status_code == 200


@pytest.mark.parametrize("wish", [{"exit": 3}, {"sleep": 30}], ids=["exits", "is too slow"])
def test_worker_that_is_lost_answers_its_request_and_is_replaced(handlers, wish):
    answer = _act(handlers, wish)
    assert answer.status_code == 500, answer.text
    assert answer.json()["type"] == "InternalServerException" and answer.json()["message"].startswith("Worker died.")
    assert _act(handlers, {"value": "str"}).text == "grüß"


def test_full_queue_is_503(handlers):
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: _act(handlers, {"sleep": 0.3}, "narrow"), range(12)))
    statuses = sorted({answer.status_code for answer in answers})
    assert statuses == [200, 503]
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert refused.json()["type"] == "ServiceUnavailableException" and refused.headers["Retry-After"]


def test_every_request_is_counted_once(handlers):
    def counts():
        page = prometheus.scrape(handlers)
        return [page.total(f"nv_inference_request_{outcome}", model="stream") for outcome in ("success", "failure")]

    before = counts()
    _post(handlers, "predictions/stream", json={"count": 2})
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        _post(handlers, "predictions/stream", json={"count": 1, "fail": True})
    wait.until(lambda: counts() == [before[0] + 1, before[1] + 1], "one success and one failure")


# --- Streams ---


def test_stream_comes_in_pieces(handlers):
    with _post(handlers, "predictions/stream", json={"count": 3}, stream=True) as answer:
        assert answer.headers["Transfer-Encoding"] == "chunked" and "Content-Length" not in answer.headers
        assert answer.headers["Content-Type"] == "text/event-stream" and answer.headers["X-Piece"] == "yes"
        assert b"".join(answer.iter_content(None)) == b"data: 0\n\ndata: 1\n\ndata: 2\n\ndata: end\n\n"


def test_failure_within_a_stream_breaks_it(handlers):
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        _post(handlers, "predictions/stream", json={"count": 2, "fail": True})
    assert _post(handlers, "predictions/stream", json={"count": 0}).text == "data: end\n\n"


# --- The same models by the v2 protocol ---


def test_handler_answers_v2_requests_too(handlers):
    with client_module.InferenceServerClient(handlers.url) as client:
        config = client.get_model_config("act")
        assert config["backend"] == "handler" and config["parameters"]["response-timeout-seconds"] == {
            "string_value": "2"
        }
        data = client_module.InferInput("data", [1, 4], "UINT8")
        data.set_data_from_numpy(numpy.frombuffer(b"v2 x", numpy.uint8).reshape(1, 4))
        answer = json.loads(client.infer("show", [data]).as_numpy("body").tobytes())
        assert answer["row"] == {"body": ["bytearray", "v2 x"]}
        with pytest.raises(client_module.InferenceServerException, match="Prediction failed"):
            client.infer("act", [data])


# --- Beside a TorchServe ---


@pytest.fixture(scope="module", name="peer")
def _peer(tmp_path_factory):
    if torchserve.program() is None:
        pytest.skip("HEADRACE_PEERS names no directory with a TorchServe")
    store = tmp_path_factory.mktemp("store")
    for name in ("show", "act", "stream"):
        (store / f"{name}.mar").write_bytes(_archive(name))
    with torchserve.TorchServe(store, tmp_path_factory.mktemp("torchserve")) as running:
        running.wait_models(("show", "act", "stream"))
        yield running


def _seen(answer):
    return answer.status_code, answer.headers.get("content-type"), answer.headers.get("X-A"), answer.content


def test_answers_are_those_of_torchserve(handlers, peer):
    wishes = [wish for wish, _, _ in _FAILURES]
    wishes += [{"value": value} for value in ("bytes", "bytearray", "str", "dict", "list", "none", "number")]
    wishes += [
        {"status": 418, "phrase": "teapot", "type": "text/tea", "headers": {"X-A": "b"}},
        {"prediction": ["fine", 200]},
    ]
    requests_ = [("predictions/show", request) for request, _, _ in _INPUTS.values()]
    requests_ += [("predictions/act", {"json": wish}) for wish in wishes]
    requests_ += [("predictions/stream", {"json": {"count": count}}) for count in (0, 2)]
    requests_ += [
        (path, {})
        for path in (
            "predictions/none",
            "predictions/show/9.9",
            "predictions",
            "explanations/show",
            "predictions/show/1.0/a/b",
        )
    ]
    for path, request in requests_:
        ours, theirs = _seen(_post(handlers, path, **request)), _seen(_post(peer, path, **request))
        assert ours == theirs, (path, request)
