"""Catalogue 3.11, row 140: pages that somebody looks at in a browser do nothing to a server that his machine reaches."""

import pytest
from harness import models, raw_http, torchserve_program
from harness import server as server_module

MANAGEMENT = (
    ("GET", "/models"),
    ("POST", "/models?url=any.mar"),
    ("PUT", "/models/any?min_worker=1"),
    ("PUT", "/models/any/1.0/set-default"),
    ("DELETE", "/models/any"),
    ("POST", "/workflows?url=any.war"),
    ("GET", "/nothing"),
)
V2 = (
    ("POST", "/v2/repository/index"),
    ("POST", "/v2/repository/models/m/load"),
    ("POST", "/v2/repository/models/m/unload"),
    ("POST", "/v2/systemsharedmemory/region/r/register"),
    ("POST", "/v2/trace/setting"),
    ("POST", "/v2/logging"),
)
# What a page of another origin sends, and what it sends once its own name means this machine.
HOSTILE = (
    "Host: {address}\r\nOrigin: https://evil.example\r\n",
    "Host: {address}\r\nOrigin: null\r\n",
    "Host: localhost:{port}\r\nOrigin: http://localhost:3000\r\n",
    "Host: evil.example:{port}\r\nOrigin: http://evil.example:{port}\r\n",
    "Host: evil.example\r\n",
    "Host: 127.0.0.1.evil.example:{port}\r\n",
)
OWN = ("Host: {address}\r\n", "Host: localhost:{port}\r\n", "Host: {address}\r\nOrigin: http://{address}\r\n")


class _Place:
    def __init__(self, server, port):
        self.host, self.port = server.host, port

    def ask(self, method, target, headers, body=b"{}"):
        """A simple request of a page: its type is none that a browser would ask for first."""
        head = headers.format(address=f"{self.host}:{self.port}", port=self.port)
        with raw_http.Connection(self) as connection:
            connection.send(
                f"{method} {target} HTTP/1.1\r\n{head}Content-Type: text/plain\r\n"
                f"Content-Length: {len(body)}\r\n\r\n".encode() + body
            )
            return connection.read()


@pytest.fixture(name="program", scope="module")
def _program(tmp_path_factory):
    """Without tokens: nothing but this keeps pages out."""
    work, store = tmp_path_factory.mktemp("origins"), tmp_path_factory.mktemp("store")
    with torchserve_program.TorchServeProgram(
        store,
        work,
        "--ncs",
        "--enable-model-api",
        "--disable-token-auth",
        management_allowed_hosts="models.example, other.example",
        cors_allowed_origin="https://desk.example",
    ) as running:
        yield running
        assert running.alive(), running.output()
        assert running.stop() == 0, running.output()


@pytest.mark.row(140)
def test_management_takes_nothing_from_other_pages(program):
    place = _Place(program, program.management_port)
    for method, target in MANAGEMENT:
        for headers in HOSTILE:
            response = place.ask(method, target, headers)
            assert response.status == 403, (method, target, headers)
            assert response.json()["type"] == "ForbiddenException"
        assert place.ask(method, target, HOSTILE[0], b"x" * 100_000).status == 403
        for headers in (*OWN, "Host: models.example\r\n", "Host: {address}\r\nOrigin: https://desk.example\r\n"):
            assert place.ask(method, target, headers).status != 403, (method, target, headers)
    assert place.ask("GET", "/models", OWN[0]).json()["models"] == []


@pytest.mark.row(140)
def test_predictions_are_for_pages_too(program):
    place = _Place(program, program.port)
    for headers in HOSTILE:
        assert place.ask("POST", "/predictions/any", headers).status == 404


@pytest.mark.row(140)
def test_what_changes_a_v2_server_takes_nothing_from_other_pages(tmp_path):
    models.add(tmp_path, "m", models.identity_config([("FP32", [-1])]))
    with server_module.Server(tmp_path, "--model-control-mode=explicit", "--load-model=m") as server:
        place = _Place(server, server.port)
        for method, target in V2:
            for headers in HOSTILE:
                assert place.ask(method, target, headers).status == 403, (method, target, headers)
            for headers in OWN:
                assert place.ask(method, target, headers).status != 403, (method, target, headers)
        place.ask("POST", "/v2/repository/models/m/load", OWN[0])
        for headers in HOSTILE:
            assert place.ask("GET", "/v2/health/ready", headers, b"").status == 200
            assert place.ask("GET", "/v2/models/m", headers, b"").status == 200
        assert server.stop() == 0
