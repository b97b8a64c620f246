"""Catalogue 3.11: tokens of a TorchServe's listeners, and what its log makes of hostile text."""

import json
import os
import random
import stat
import statistics
import time

import grpc
import pytest
from harness import prometheus, raw_http, torchserve_program, wait

INFERENCE = (
    ("GET", "/ping"),
    ("POST", "/predictions/any"),
    ("GET", "/predictions/any/1.0/more"),
    ("POST", "/explanations/any"),
    ("POST", "/invocations"),
    ("POST", "/models/any/invoke"),
    ("POST", "/any/predict"),
    ("POST", "/v1/models/any:predict"),
    ("POST", "/v2/models/any/infer"),
    ("GET", "/v2/health/ready"),
    ("POST", "/wfpredict/any"),
    ("GET", "/nothing"),
)
MANAGEMENT = (
    ("GET", "/models"),
    ("POST", "/models?url=any.mar"),
    ("GET", "/models/any"),
    ("PUT", "/models/any?min_worker=1"),
    ("PUT", "/models/any/1.0/set-default"),
    ("DELETE", "/models/any"),
    ("GET", "/workflows"),
    ("POST", "/workflows?url=any.war"),
    ("GET", "/token?type=management"),
    ("GET", "/nothing"),
)


@pytest.fixture(name="server", scope="module")
def _server(tmp_path_factory):
    """With tokens, and with the model API: nothing but the tokens keeps anybody out, however often he asks."""
    work, store = tmp_path_factory.mktemp("tokens"), tmp_path_factory.mktemp("store")
    with torchserve_program.TorchServeProgram(
        store, work, "--ncs", "--enable-model-api", key_failures_per_second=0
    ) as running:
        yield running
        assert running.alive(), running.output()
        assert running.stop() == 0, running.output()


class _Place:
    """One listener of a server, as raw connections want it."""

    def __init__(self, server, port):
        self.host, self.port = server.host, port


def _places(server):
    return (
        (_Place(server, server.port), "inference", INFERENCE),
        (_Place(server, server.management_port), "management", MANAGEMENT),
    )


def _ask(place, method, target, headers=b"", body_size=None):
    length = b"" if body_size is None else b"Content-Length: %d\r\n" % body_size
    with raw_http.Connection(place) as connection:
        connection.send(b"%s %s HTTP/1.1\r\nHost: localhost\r\n%s%s\r\n" % (method.encode(), target.encode(), headers, length))
        return connection.read()


def _refused(response):
    return response.status == 400 and response.json()["type"] == "InvalidKeyException"


@pytest.mark.row(128)
def test_every_route_wants_its_own_token(server):
    keys = server.keys()
    for place, kind, routes in _places(server):
        own, other = keys[kind], keys["management" if kind == "inference" else "inference"]
        wrong = (
            b"",
            b"Authorization: Bearer wrong\r\n",
            b"Authorization: Bearer %s\r\n" % other.encode(),
            b"Authorization: Basic %s\r\n" % own.encode(),
            b"Authorization: %s\r\n" % own.encode(),
            b"Authorization: Bearer %s\r\nAuthorization: Bearer wrong\r\n" % own.encode(),
            b"Authorization: Bearer %s\r\n" % (b"k" * 8192),
            b"X-Authorization: Bearer %s\r\n" % own.encode(),
        )
        for method, target in routes:
            for headers in wrong:
                assert _refused(_ask(place, method, target, headers)), (kind, method, target, headers[:60])
        assert _refused(_ask(place, routes[0][0], f"{routes[0][1]}?token={own}&Authorization={own}"))
        assert _ask(place, *routes[0], b"Authorization: Bearer %s\r\n" % own.encode()).status == 200


@pytest.mark.row(128)
def test_the_refusal_does_not_wait_for_the_body(server):
    for place, _, routes in _places(server):
        for method, target in routes:
            # The renewal checks a key of its own when the request is whole; it takes small bodies only.
            if not target.startswith("/token"):
                assert _refused(_ask(place, method, target, body_size=1_000_000)), (method, target)


@pytest.mark.row(129)
def test_every_route_of_the_descriptions_has_a_class(server):
    """What a listener says that it has is what it guards; nothing is on it that it does not say."""
    for place, _, _ in _places(server):
        described = _ask(place, "OPTIONS", "/")
        assert described.status == 200
        for path, methods in described.json()["paths"].items():
            if path == "/metrics":  # is on a listener of its own here
                continue
            open_to_all = path in ("/", "/api-description")
            target = path.replace("{model_name}", "any").replace("{model_version}", "1.0")
            for method in methods:
                assert _refused(_ask(place, method.upper(), target)) != open_to_all, (method, target)


@pytest.mark.row(130)
def test_another_spelling_of_a_path_opens_nothing(server):
    for place, _, _ in _places(server):
        for target in ("/%70ing", "//ping", "/./ping", "/PING", "/ping/", "/ping/.", "/models/%2e%2e/models", "/%6dodels",
                       "//models", "/./models", "/MODELS", "/models/", "/x/../models"):  # fmt: skip
            for headers in (b"", b"X-HTTP-Method-Override: OPTIONS\r\n"):
                assert _refused(_ask(place, "GET", target, headers)), target


@pytest.mark.row(131)
def test_the_time_of_a_refusal_tells_nothing_of_the_token(server):
    """10,000 wrong tokens that share 0 to all of their first characters with the right one, in no order: the time of the
    answer has no slope over the number of those. (A comparison that stops early would be seen where it is made:
    src/base/constant_time_test.cc.)"""
    place, kind, _ = _places(server)[0]
    key = server.keys()[kind]
    shared = [i % len(key) for i in range(10_000)]
    random.Random(131).shuffle(shared)
    times = {}
    for begin in range(0, len(shared), 500):
        with raw_http.Connection(place) as connection:
            for count in shared[begin : begin + 500]:
                wrong = key[:count] + "".join("A" if c != "A" else "B" for c in key[count:])
                request = f"GET /ping HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {wrong}\r\n\r\n".encode()
                start = time.perf_counter()
                connection.send(request)
                response = connection.read()
                times.setdefault(count, []).append(time.perf_counter() - start)
                assert _refused(response)
    medians = [statistics.median(times[count]) for count in sorted(times)]
    slope, _ = statistics.linear_regression(sorted(times), medians)
    assert abs(slope) * len(key) < statistics.median(medians) / 4, (slope, medians)


def _pipelined(place, count, headers):
    """The statuses of so many requests at once, and the last answer of each."""
    with raw_http.Connection(place) as connection:
        connection.send((b"GET /ping HTTP/1.1\r\nHost: localhost\r\n" + headers + b"\r\n") * count)
        responses = [connection.read() for _ in range(count)]
    return [response.status for response in responses], {response.status: response for response in responses}


@pytest.mark.row(131)
def test_a_host_with_many_wrong_tokens_has_to_wait(tmp_path_factory):
    work, store = tmp_path_factory.mktemp("failures"), tmp_path_factory.mktemp("store")
    with torchserve_program.TorchServeProgram(store, work, "--ncs") as server:
        for place, kind, _ in _places(server):
            statuses, answers = _pipelined(place, 200, b"Authorization: Bearer wrong\r\n")
            assert 429 in statuses and set(statuses) <= {400, 429}, statuses
            assert kind == "management" or statuses[:20] == [400] * 20, "those that are not too many"
            assert answers[429].headers["retry-after"] == "1"
            assert answers[429].json()["type"] == "TooManyRequestsException"
            # Nobody is locked out by others of his address: the right token opens at once.
            right = b"Authorization: Bearer %s\r\n" % server.keys()[kind].encode()
            assert _ask(place, "GET", "/ping" if kind == "inference" else "/models", right).status == 200
            # A large body's head alone is enough to be counted.
            assert any(_ask(place, "GET", "/ping", body_size=1_000_000).status == 429 for _ in range(50))
        assert server.ask("GET", "/ping", key=server.keys()["inference"])[0] == 200
        with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
            ping = channel.unary_unary("/org.pytorch.serve.grpc.inference.InferenceAPIsService/Ping")
            calls = [ping.future(b"", metadata=(("authorization", "Bearer wrong"),)) for _ in range(200)]
            codes = {call.code() for call in calls}
            assert codes >= {grpc.StatusCode.RESOURCE_EXHAUSTED}, codes
            assert codes <= {grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.PERMISSION_DENIED}, codes
        page = prometheus.Page(server.ask("GET", "/metrics", port=server.metrics_port)[2])
        failed, held_back = (page.value(f"headrace_key_failures{name}_total") for name in ("", "_held_back"))
        assert failed > held_back > 0
        # After a while it is told what is wrong again.
        wait.until(lambda: _ask(_Place(server, server.port), "GET", "/ping").status == 400, "the limit has passed")
        assert server.stop() == 0


@pytest.mark.row(136)
def test_no_request_forges_a_line(server):
    place, kind, _ = _places(server)[0]
    key = b"Authorization: Bearer %s\r\n" % server.keys()[kind].encode()
    for target in ("/ping?a=%0d%0a2026-11-29T00:00:00,000%20[INFO%20]%20forged", "/ping?b=%1b[2J%25s%25n", "/ping?" + "c" * 4000):
        assert _ask(place, "GET", target, key).status == 200
    for raw in (b"/ping?\x1b[2J", b"/ping?\x0bforged"):
        with raw_http.Connection(place) as connection:
            connection.send(b"GET " + raw + b" HTTP/1.1\r\nHost: x\r\n" + key + b"\r\n")
            assert connection.read().status in (200, 400)
    assert _ask(place, "GET", "/ping?last", key).status == 200
    server.wait_line(r"ACCESS_LOG - .*/ping\?last HTTP/1\.1")
    for line in server.lines:
        assert not line.startswith("2026-11-29T00:00:00,000 [INFO ] forged")
        assert all(character >= " " for character in line), line
        assert len(line) < 3000, line[:100]


@pytest.mark.row(141)
def test_the_token_file(tmp_path):
    """It is the server's own: whatever lay there is replaced, and nobody else can read it."""
    work, store = tmp_path / "work", tmp_path / "store"
    work.mkdir()
    store.mkdir()
    file = work / "key_file.json"
    outside = tmp_path / "outside"
    outside.write_text("{}")
    file.symlink_to(outside)
    with torchserve_program.TorchServeProgram(store, work, "--ncs") as server:
        assert outside.read_text() == "{}"
        assert not file.is_symlink()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        keys = server.keys()
        # A file that has gone, or says something else, changes nothing; a renewal writes it anew, as a whole.
        file.unlink()
        assert server.ask("GET", "/ping", key=keys["inference"])[0] == 200
        file.write_text(json.dumps({"inference": {"key": "mine"}}))
        os.chmod(file, 0o644)
        assert server.ask("GET", "/ping", key="mine")[0] == 400
        renewed = server.ask("GET", "/token?type=inference", port=server.management_port, key=keys["API"])
        assert renewed[0] == 200
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert server.ask("GET", "/ping", key=server.keys()["inference"])[0] == 200
        assert server.ask("GET", "/ping", key=keys["inference"])[0] == 400
        assert server.stop() == 0
    assert not file.exists()


@pytest.mark.row(141)
def test_without_a_place_for_the_token_file_it_does_not_start(tmp_path):
    work, store = tmp_path / "work", tmp_path / "store"
    work.mkdir()
    store.mkdir()
    (work / "key_file.json").mkdir()
    torchserve_program.write_config(work)
    status, text = torchserve_program.run(work, "--model-store", store)
    assert status == 1
    assert "cannot write the tokens to 'key_file.json'" in text
    assert "--disable-token-auth" in text
