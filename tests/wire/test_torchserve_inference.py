"""TorchServe's inference API over HTTP. What stands in the tables was seen in a TorchServe 0.12 unless a comment says
otherwise."""

import json
import pathlib

import pytest
from harness import archives, peers, torchserve_program

_HANDLERS = pathlib.Path(__file__).parent / "handlers"
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def _put(store, name, handler, **more):
    archive = archives.mar(name, {f"{handler}.py": (_HANDLERS / f"{handler}.py").read_text()}, f"{handler}.py", **more)
    (store / f"{name}.mar").write_bytes(archive)


def _start(factory, *flags, **keys):
    store, work = factory.mktemp("store"), factory.mktemp("work")
    _put(store, "show", "show")
    _put(store, "doubled", "doubled")
    keys = {"default_workers_per_model": 1, **keys}
    return torchserve_program.TorchServeProgram(store, work, "--ncs", *flags, **keys)


@pytest.fixture(scope="module", name="server")
def _server(tmp_path_factory):
    with _start(
        tmp_path_factory,
        "--disable-token-auth",
        "--models",
        "show=show.mar",
        max_request_size=100_000,
        cors_allowed_origin="https://a.example",
        cors_allowed_methods="GET, POST",
        cors_allowed_headers="X-A",
        ts_open_inference_protocol="true",
    ) as running:
        yield running
        assert running.stop() == 0, running.output()


@pytest.fixture(scope="module", name="shared")
def _shared(tmp_path_factory):
    """One listener for both APIs, with tokens."""
    address = f"http://127.0.0.1:{peers.free_port()}"
    with _start(
        tmp_path_factory,
        "--models",
        "doubled=doubled.mar",
        inference_address=address,
        management_address=address,
        service_envelope="kserve",
        key_failures_per_second="0",
    ) as running:
        yield running
        assert running.stop() == 0, running.output()


_RAW = {"row": {"body": ["bytearray", "x"]}, "headers": {"body": {"content-type": ""}}}


def _seen(**headers):
    return {"row": _RAW["row"], "headers": {**_RAW["headers"], **headers}}


# What a handler sees of a request whose body is "x".
_ROUTES = {
    "/predictions/show": _seen(explain="False", url_path=""),
    "/predictions/show?a=b": _seen(explain="False", url_path=""),
    "/predictions/show/1.0/a//b/": _seen(explain="False", url_path="a//b"),
    "/predictions%2Fshow": _seen(explain="False", url_path=""),
    "/explanations/show?a=b": _seen(explain="True", url_path=""),
    "/v1/models/show:predict?a=b": _seen(explain="False"),
    "/v1/models/show:explain": _seen(explain="True"),
    "/v2/models/show/infer": _seen(explain="False"),
    "/v2/models/show/explain": _seen(explain="True"),
    "/invocations": _seen(),
}
# The query's fields are inputs, too.
_WITH_QUERY = {"/models/show/invoke?a=b", "/show/predict?a=b", "/show/1.0/predict?a=b"}


@pytest.mark.parametrize("path", _ROUTES)
@pytest.mark.parametrize("method", ["POST", "PUT", "GET"])
def test_every_route_reaches_the_handler(server, method, path):
    status, headers, body = server.ask(method, path, body=b"x")
    assert status == 200, body
    assert json.loads(body) == _ROUTES[path]
    assert "Content-Type" not in headers


@pytest.mark.parametrize("path", sorted(_WITH_QUERY))
def test_query_becomes_inputs_where_it_does(server, path):
    status, _, body = server.ask("POST", path, body=b"x")
    assert status == 200, body
    row = {"a": ["bytearray", "b"], "body": ["bytearray", "x"]}
    kinds = {name: {"content-type": ""} for name in row}
    assert json.loads(body) == {"row": row, "headers": kinds}


def test_invocations_find_their_model(server):
    for path, body, headers in (
        ("/invocations?model_name=show", b"x", {}),
        ("/invocations", b"model_name=show&a=b", _FORM),
    ):
        status, _, answer = server.ask("POST", path, body=body, headers=headers)
        assert status == 200
        assert json.loads(answer)["row"]["model_name"] == ["bytearray", "show"]
    status, _, answer = server.ask("POST", "/invocations?model_name=none", body=b"x")
    assert (status, json.loads(answer)["message"]) == (404, "Model not found: none")


_NOT_FOUND = ("ResourceNotFoundException", "Requested resource is not found, please refer to API document.")
_ERRORS = {
    ("GET", "/"): (
        405,
        "MethodNotAllowedException",
        "Requested method is not allowed, please refer to API document.",
    ),
    ("GET", "/predictions"): (404, *_NOT_FOUND),
    ("GET", "/nothing"): (404, *_NOT_FOUND),
    ("GET", "/v1/models/show:foo"): (404, *_NOT_FOUND),
    ("GET", "/models/show/foo"): (404, *_NOT_FOUND),
    ("GET", "/predictions/nope"): (404, "ModelNotFoundException", "Model not found: nope"),
    ("GET", "/predictions//x"): (404, "ModelNotFoundException", "Model not found: "),
    ("GET", "/predictions/show/2"): (
        404,
        "ModelVersionNotFoundException",
        "Model version: 2 does not exist for model: show",
    ),
}


@pytest.mark.parametrize("method, path", _ERRORS)
def test_errors_are_torchserves(server, method, path):
    status, headers, body = server.ask(method, path)
    assert (status, *json.loads(body).values()) == (_ERRORS[method, path][0], *_ERRORS[method, path])
    assert headers["x-request-id"] and headers["Pragma"] == "no-cache"
    assert body.startswith('{\n  "code": ') and body.endswith("}\n")


def test_ping_is_healthy_by_any_method(server):
    for method, path in (("GET", "/ping"), ("PUT", "/ping"), ("GET", "/ping/x")):
        status, headers, body = server.ask(method, path)
        assert (status, body) == (200, '{\n  "status": "Healthy"\n}\n')
        assert headers["Content-Type"] == "application/json"


def test_body_beyond_the_limit_is_413_without_a_text(server):
    assert server.ask("POST", "/predictions/show", body=bytes(100_000))[0] == 200
    status, headers, body = server.ask("POST", "/predictions/show", body=bytes(100_001))
    assert (status, body) == (413, "")
    assert "Content-Type" not in headers


def test_request_id_is_the_clients(server):
    # TorchServe makes its own always; users have asked for this.
    _, headers, _ = server.ask("GET", "/predictions/show", headers={"x-request-id": "mine-1"})
    assert headers["x-request-id"] == "mine-1"


def test_cors_headers_are_on_every_answer(server):
    for path in ("/ping", "/predictions/show", "/predictions/nope", "/nothing", "/v2/health/live"):
        _, headers, _ = server.ask("GET", path)
        assert headers["Access-Control-Allow-Origin"] == "https://a.example"
        assert headers["Access-Control-Allow-Methods"] == "GET, POST"
        assert headers["Access-Control-Allow-Headers"] == "X-A"


def test_preflight_is_answered_on_any_route(server):
    # TorchServe has no such answer on routes of the management API.
    asks = {"Origin": "https://a.example", "Access-Control-Request-Method": "DELETE"}
    for port in (server.port, server.management_port):
        status, headers, body = server.ask("OPTIONS", "/models/show", port=port, headers=asks)
        assert (status, body) == (200, "")
        assert headers["Access-Control-Allow-Origin"] == "https://a.example"


def test_descriptions(server):
    inference = json.loads(server.ask("OPTIONS", "/")[2])
    assert inference == json.loads(server.ask("GET", "/api-description")[2])
    assert inference["openapi"] == "3.0.1" and inference["info"]["title"] == "TorchServe APIs"
    operations = {
        (path, method): one["operationId"] for path, methods in inference["paths"].items() for method, one in methods.items()
    }
    assert operations == {
        ("/", "options"): "apiDescription",
        ("/api-description", "get"): "api-description",
        ("/ping", "get"): "ping",
        ("/v1/models/{model_name}:predict", "post"): "predictions",
        ("/v2/models/{model_name}/infer", "post"): "predictions",
        ("/predictions/{model_name}", "post"): "predictions",
        ("/predictions/{model_name}/{model_version}", "post"): "version_predictions",
        ("/metrics", "get"): "metrics",
    }
    management = json.loads(server.ask("OPTIONS", "/", port=server.management_port)[2])["paths"]
    assert {path: sorted(methods) for path, methods in management.items()} == {
        "/": ["options"],
        "/api-description": ["get"],
        "/models": ["get", "post"],
        "/models/{model_name}": ["delete", "get", "put"],
        "/models/{model_name}/{model_version}": ["delete", "get", "put"],
        "/models/{model_name}/{model_version}/set-default": ["put"],
        "/metrics": ["get"],
    }
    model = json.loads(server.ask("OPTIONS", "/predictions/show")[2])
    assert model["info"] == {"title": "RESTful API for: show", "version": "1.0.0"}
    assert "/prediction/show" in model["paths"]


def test_open_inference_protocol(server):
    status, _, body = server.ask("GET", "/v2")
    found = json.loads(body)
    assert status == 200 and found["name"] == "Torchserve"
    assert found["extenstion"] == found["extensions"] == ["kserve", "kubeflow"]
    assert json.loads(server.ask("GET", "/v2/health/live")[2]) == {"live": True}
    status, _, body = server.ask("GET", "/v2/health/ready")
    assert (status, json.loads(body)) == (200, {"ready": True})
    # The v2 protocol goes on behind it.
    assert json.loads(server.ask("GET", "/v2/models/show")[2])["name"] == "show"


def test_model_without_workers_says_so(server):
    def scale(count):
        return server.ask("PUT", f"/models/show?min_worker={count}&synchronous=true", port=server.management_port)[0]

    assert scale(0) == 200
    try:
        for path, who in (("/predictions/show", 'Model "show"'), ("/predictions/show/1.0", 'Model "show" Version 1.0"')):
            status, headers, body = server.ask("GET", path)
            assert (status, json.loads(body)["type"]) == (503, "ServiceUnavailableException")
            assert headers["Retry-After"]
            assert json.loads(body)["message"] == (
                f"{who} has no worker to serve inference request. Please use scale workers API to add workers. If this "
                "is a sequence inference, please check if it is closed, or expired; or exceeds maxSequenceJobQueueSize"
            )
    finally:
        assert scale(1) == 200
    assert server.ask("GET", "/predictions/show")[0] == 200


# --- Tokens, and envelopes for all models


def test_descriptions_need_no_token_and_all_else_does(shared):
    for method, path in (("OPTIONS", "/"), ("GET", "/api-description")):
        assert shared.ask(method, path)[0] == 200
    for path in ("/ping", "/predictions/doubled", "/v2/health/live", "/nothing", "/v2/models/doubled/infer"):
        status, _, body = shared.ask("GET", path)
        assert (status, json.loads(body)["type"]) == (400, "InvalidKeyException"), path


def test_paths_that_look_alike_get_the_same_verdict(shared):
    for path in (
        "/predictions%2Fdoubled",
        "/%70redictions/doubled",
        "/predictions/doubled/",
        "/predictions/doubled?Authorization=Bearer",
        "//predictions/doubled",
        "/predictions/./doubled",
        "/PREDICTIONS/doubled",
        "/v2/%72epository/index",
    ):
        assert shared.ask("GET", path)[0] == 400, path
        assert shared.ask("GET", path, headers={"X-HTTP-Method-Override": "OPTIONS"})[0] == 400, path


def test_large_body_is_refused_by_its_head(shared):
    status, _, body = shared.ask("POST", "/predictions/doubled", body=bytes(200_000))
    assert (status, json.loads(body)["type"]) == (400, "InvalidKeyException")


def test_envelope_of_the_server_is_every_models(shared):
    headers = {"Content-Type": "application/json"}
    status, _, body = shared.ask(
        "POST",
        "/v1/models/doubled:predict",
        body=json.dumps({"instances": [1, 2.5, "a"]}),
        headers=headers,
        key=shared.keys()["inference"],
    )
    assert (status, json.loads(body)) == (200, {"predictions": [2, 5.0, "aa"]})


def test_versioned_management_paths_work_on_a_shared_listener(shared):
    # TorchServe takes them for the inference API's, and answers 404.
    keys = shared.keys()
    status, _, body = shared.ask("GET", "/models/doubled/1.0", key=keys["management"])
    assert status == 200 and json.loads(body)[0]["modelName"] == "doubled"
    assert shared.ask("PUT", "/models/doubled/1.0?min_worker=1", key=keys["management"])[0] == 202
    assert shared.ask("GET", "/models/doubled/1.0", key=keys["inference"])[0] == 400
    status, _, body = shared.ask(
        "POST", "/models/doubled/invoke", body='{"instances": [3]}', key=keys["inference"],
        headers={"Content-Type": "application/json"},
    )  # fmt: skip
    assert (status, json.loads(body)) == (200, {"predictions": [6]})
