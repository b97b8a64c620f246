"""--http-restricted-api and --grpc-restricted-protocol: APIs for those who know a header, with tritonclient."""

import subprocess

import grpc
import numpy
import pytest
import tritonclient.grpc as grpc_client
import tritonclient.http as http_client
from tritonclient.utils import InferenceServerException

from harness import models, raw_http
from harness import server as server_module

HTTP_RULES = ("metadata,inference:admin-key=s=e:cret", "health,model-repository:h=1")
GRPC_RULES = ("inference,health:Infer-Key=x", "model-repository:admin-key=y")
HTTP_TEXT = "This API is restricted, expecting header '{}'"
GRPC_TEXT = "This protocol is restricted, expecting header 'triton-grpc-protocol-{}'"


@pytest.fixture(scope="module", name="server")
def _server(tmp_path_factory):
    repository = tmp_path_factory.mktemp("restricted")
    models.add(repository, "m", models.identity_config([("FP32", [-1])]))
    rules = [f"--http-restricted-api={rule}" for rule in HTTP_RULES]
    rules += [f"--grpc-restricted-protocol={rule}" for rule in GRPC_RULES]
    # These tests fail more often than a host may.
    with server_module.Server(repository, *rules, "--key-failures-per-second=0") as running:
        yield running
        assert running.stop() == 0, running.output()


def _infer(module, client, headers=None):
    tensor = module.InferInput("INPUT0", [1], "FP32")
    tensor.set_data_from_numpy(numpy.ones(1, numpy.float32))
    return client.infer("m", [tensor], headers=headers).as_numpy("OUTPUT0")[0]


def _failure(call, *arguments, **keywords):
    with pytest.raises(InferenceServerException) as caught:
        call(*arguments, **keywords)
    return caught.value


def test_a_host_that_fails_too_often_has_to_wait(tmp_path):
    models.add(tmp_path, "m", models.identity_config([("FP32", [-1])]))
    rules = [f"--http-restricted-api={HTTP_RULES[0]}", f"--grpc-restricted-protocol={GRPC_RULES[0]}"]
    with server_module.Server(tmp_path, *rules) as server:
        with raw_http.Connection(server) as connection:
            connection.send(b"GET /v2/models/m HTTP/1.1\r\nHost: localhost\r\n\r\n" * 200)
            answers = [connection.read() for _ in range(200)]
        statuses = [answer.status for answer in answers]
        assert statuses[:20] == [403] * 20 and 429 in statuses and set(statuses) == {403, 429}
        assert answers[statuses.index(429)].headers["retry-after"] == "1"
        with http_client.InferenceServerClient(server.url) as client:
            assert _infer(http_client, client, {"admin-key": "s=e:cret"}) == 1
        with grpc.insecure_channel(server.grpc_url) as channel:
            live = channel.unary_unary("/inference.GRPCInferenceService/ServerLive")
            codes = {call.code() for call in [live.future(b"") for _ in range(200)]}
        assert grpc.StatusCode.RESOURCE_EXHAUSTED in codes
        assert codes <= {grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE}
        assert server.stop() == 0


def test_http_clients_need_the_header(server):
    right = {"admin-key": "s=e:cret"}
    with http_client.InferenceServerClient(server.url) as client:
        for wrong in (None, {"admin-key": "S=e:cret"}, {"admin-key": "s=e:cre"}, {"h": "1"}):
            failure = _failure(_infer, http_client, client, wrong)
            assert failure.status() == "403" and failure.message() == HTTP_TEXT.format("admin-key")
        assert _infer(http_client, client, right) == 1
        assert _infer(http_client, client, {"ADMIN-KEY": "s=e:cret"}) == 1
        assert _failure(client.get_server_metadata).message() == HTTP_TEXT.format("admin-key")
        assert client.get_server_metadata(headers=right)["name"] == "triton"
        assert not client.is_server_live() and client.is_server_live(headers={"h": "1"})
        assert not client.is_model_ready("m") and client.is_model_ready("m", headers={"h": "1"})
        assert client.get_model_config("m")["name"] == "m", "no rule names it"


@pytest.mark.parametrize(
    "path",
    ["/v2/models/m/generate", "/v2/models/m/generate_stream", "/v2/models/m/versions/1/infer", "/v2/models/none/infer"],
)
def test_every_route_of_a_class_is_locked(server, path):
    for body in (b"{}", b'{"a":"' + 200_000 * b"x" + b'"}'):
        answer = raw_http.call(server, "POST", path, body)
        assert answer.status == 403 and answer.error == HTTP_TEXT.format("admin-key"), answer


def test_other_spellings_of_a_path_do_not_unlock_it(server):
    for path in ("/v2/repository/index", "/v2/repository/x/index"):
        assert raw_http.call(server, "POST", path, b"{}").status == 403
    for path in ("/v2/%72epository/index", "//v2/repository/index", "/v2/./repository/index", "/V2/repository/index"):
        assert raw_http.call(server, "POST", path, b"{}").status == 404, path
    assert raw_http.call(server, "POST", "/v2/repository/index?h=1", b"{}").status == 403


def test_a_header_that_comes_twice_opens_nothing(server):
    request = b"GET /v2 HTTP/1.1\r\nHost: t\r\nadmin-key: s=e:cret\r\nadmin-key: %s\r\n\r\n"
    for second in (b"wrong", b"s=e:cret"):
        connection = raw_http.Connection(server)
        connection.send(request % second)
        assert connection.read().status == 403
        connection.close()


def test_grpc_clients_need_the_metadata(server):
    key = "triton-grpc-protocol-infer-key"
    with grpc_client.InferenceServerClient(server.grpc_url) as client:
        for wrong in (None, {"infer-key": "x"}, {key: "y"}, {"triton-grpc-protocol-admin-key": "y"}):
            failure = _failure(_infer, grpc_client, client, wrong)
            assert failure.status() == "StatusCode.UNAVAILABLE" and failure.message() == GRPC_TEXT.format("infer-key")
        assert _infer(grpc_client, client, {key: "x"}) == 1
        assert client.is_server_live(headers={key: "x"})
        assert _failure(client.is_server_live).message() == GRPC_TEXT.format("infer-key")
        assert client.get_model_metadata("m").name == "m", "no rule names it"
        assert _failure(client.get_model_repository_index).message() == GRPC_TEXT.format("admin-key")
        assert client.get_model_repository_index(headers={"triton-grpc-protocol-admin-key": "y"}).models[0].name == "m"


def test_grpc_streams_and_health_checks_need_it_too(server):
    with grpc.insecure_channel(server.grpc_url) as channel:
        for method in ("/inference.GRPCInferenceService/ModelStreamInfer", "/grpc.health.v1.Health/Watch"):
            call = channel.unary_stream(method)
            with pytest.raises(grpc.RpcError) as caught:
                next(call(b""))
            assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
            assert caught.value.details() == GRPC_TEXT.format("infer-key")
        check = channel.unary_unary("/grpc.health.v1.Health/Check")
        assert check(b"", metadata=[("triton-grpc-protocol-infer-key", "x")]) == b"\x08\x01"
        twice = 2 * [("triton-grpc-protocol-infer-key", "x")]
        with pytest.raises(grpc.RpcError):
            check(b"", metadata=twice)


def test_the_values_are_not_in_the_log(server):
    assert any("admin-key=***" in line for line in server.lines)
    assert not any("s=e:cret" in line for line in server.lines)


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("--http-restricted-api=metadata", "expected <API>"),
        ("--http-restricted-api=nothing:k=v", "there is no API 'nothing' to restrict, only health, metadata"),
        ("--http-restricted-api=metadata:=v", "'' is no name of a header"),
        ("--grpc-restricted-protocol=metadata:k=", "the value of header 'k' is empty"),
        ("--grpc-restricted-protocol=health,health:k=v", "API 'health' is restricted twice"),
    ],
)
def test_bad_rules_end_the_start(tmp_path, option, text):
    command = [server_module.program(), "serve", f"--model-repository={tmp_path}", option]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 1 and text in result.stdout + result.stderr, result


def test_an_api_has_one_rule_only(tmp_path):
    command = [server_module.program(), "serve", f"--model-repository={tmp_path}"]
    command += ["--http-restricted-api=trace,health:a=b", "--http-restricted-api=logging,trace:c=d"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 1 and "API 'trace' is restricted twice" in result.stdout + result.stderr, result
