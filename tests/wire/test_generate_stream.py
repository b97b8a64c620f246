"""generate_stream with ordinary HTTP clients: http.client, requests, and curl over both versions of HTTP."""

import http.client
import json
import socket
import subprocess

import pytest
import requests

from harness import models, prometheus, raw_http, repeat_model, wait
from harness import server as server_module

UNSENT_MAX = 1 << 20
EVENT_STREAM = "text/event-stream; charset=utf-8"


@pytest.fixture(scope="module", name="running")
def _running(tmp_path_factory):
    repository = models.standard(tmp_path_factory.mktemp("generate_stream"))
    repeat_model.add(repository)
    with server_module.Server(repository, f"--http-stream-unsent-bytes-max={UNSENT_MAX}") as server:
        yield server
        assert server.alive() and server.stop() == 0, server.output()


def post(connection, model, body):
    connection.request("POST", f"/v2/models/{model}/generate_stream", json.dumps(body))
    return connection.getresponse()


def events(text):
    """The objects in the events of a whole stream."""
    assert text == "" or text.endswith("\n\n"), text[-200:]
    found = text.split("\n\n")[:-1]
    assert all(event.startswith("data: ") for event in found), text[:200]
    return [json.loads(event.removeprefix("data: ")) for event in found]


def raw_request(model, body, version="1.1"):
    data = json.dumps(body).encode()
    return (
        f"POST /v2/models/{model}/generate_stream HTTP/{version}\r\nHost: h\r\nContent-Length: {len(data)}\r\n\r\n"
    ).encode() + data


def streams(server):
    return prometheus.scrape(server).value("headrace_http_streams")


@pytest.mark.parametrize("model", ["repeat", "repeat_final"])
def test_each_response_is_an_event_and_the_connection_is_kept(running, model):
    connection = http.client.HTTPConnection(running.host, running.port, timeout=20)
    for values in ([1, 2, 3], [], list(range(1000))):
        answer = post(connection, model, {"IN": values, "id": "x"})
        assert answer.status == 200 and answer.headers["Content-Type"] == EVENT_STREAM
        assert answer.headers["Transfer-Encoding"] == "chunked" and "Content-Length" not in answer.headers
        got = events(answer.read().decode())
        assert [(event["OUT"], event["IDX"]) for event in got] == [(v, i) for i, v in enumerate(values)]
        assert all(event["id"] == "x" and event["model_name"] == model for event in got)
        finals = [event["triton_final_response"] for event in got]
        assert finals == [model == "repeat_final" and i == len(values) - 1 for i in range(len(values))]
        socket_kept = connection.sock
        assert socket_kept is not None
    connection.close()


def test_an_ordinary_model_answers_once(running):
    answer = requests.post(
        f"http://{running.url}/v2/models/identity_bytes/versions/1/generate_stream",
        json={"INPUT0": ["a\n\nb", "ü"]},
        timeout=20,
    )
    assert answer.status_code == 200
    (event,) = events(answer.content.decode())
    assert event["OUTPUT0"] == ["a\n\nb", "ü"] and event["triton_final_response"] is True


def test_events_come_as_the_model_makes_them(running):
    connection = http.client.HTTPConnection(running.host, running.port, timeout=20)
    answer = post(connection, "repeat_slowly", {"IN": [5, 6, 7]})
    first = answer.readline()
    # The model sleeps between two responses: its request is still under way.
    assert json.loads(first.removeprefix(b"data: "))["OUT"] == 5
    assert streams(running) == 1
    assert [event["OUT"] for event in events((first + answer.read()).decode())] == [5, 6, 7]
    wait.until(lambda: streams(running) == 0, "the request ends")
    connection.close()


@pytest.mark.parametrize("version", ["--http1.1", "--http2-prior-knowledge", "--http1.0"])
def test_curl(running, version):
    done = subprocess.run(
        ["curl", "-N", "--silent", version, "--write-out", "%{http_code} %{content_type}", "--data", '{"IN":[3,-1,4]}']
        + [f"http://{running.url}/v2/models/repeat/generate_stream"],
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.stdout.endswith(f"200 {EVENT_STREAM}"), done.stdout
    got = events(done.stdout.removesuffix(f"200 {EVENT_STREAM}"))
    assert [event.get("OUT") for event in got] == [3, None, 4]
    assert list(got[1]) == ["error"]


def test_an_error_that_comes_first_is_the_status(running):
    answer = requests.post(
        f"http://{running.url}/v2/models/repeat/generate_stream", json={"IN": [-1, 2]}, timeout=20
    )
    assert answer.status_code >= 400 and answer.headers["Content-Type"] == EVENT_STREAM
    got = events(answer.text)
    assert list(got[0]) == ["error"] and got[1]["OUT"] == 2


@pytest.mark.parametrize(
    "model, body, status, text",
    [
        ("nothing", {}, 404, "unknown model"),
        ("repeat", {}, 400, "expected 1 inputs but got 0"),
        ("repeat", {"IN": "a"}, 400, "IN"),
        ("repeat", {"IN": [[1]]}, 400, "IN"),
        ("repeat", {"IN": 1, "free": [1]}, 400, "free"),
        ("identity_uint8", {"INPUT0": 256}, 400, "out of range"),
        ("fixed", {"INPUT0": [1, 2, 3]}, 400, "can not convert input 'INPUT0' to tensor with proper shape"),
    ],
)
def test_refusals_are_ordinary_answers(running, model, body, status, text):
    with raw_http.Connection(running) as connection:
        connection.send(raw_request(model, body))
        answer = connection.read()
        assert answer.status == status and text in answer.error
        assert answer.headers["content-type"] == "application/json"
        connection.send(raw_request("repeat", {}))
        assert connection.read().status == 400


def test_a_client_that_leaves_cancels_the_request(running):
    for half in (False, True):
        with raw_http.Connection(running) as connection:
            connection.send(raw_request("repeat_slowly", {"IN": list(range(400))}))  # 20 s of it
            wait.readable([connection.socket], 20)
            assert streams(running) == 1
            if half:
                connection.socket.shutdown(socket.SHUT_WR)
        wait.until(lambda: streams(running) == 0, "the request is cancelled", 10)


def test_a_client_that_does_not_read_is_given_up(running):
    before = prometheus.scrape(running).value("headrace_http_stream_given_up_total")
    with raw_http.Connection(running, receive_buffer=4096) as connection:
        connection.send(raw_request("repeat", {"IN": list(range(300_000))}))
        wait.until(
            lambda: prometheus.scrape(running).value("headrace_http_stream_given_up_total") == before + 1,
            "the request is given up",
        )
        assert streams(running) == 0
        assert requests.get(f"http://{running.url}/v2/health/ready", timeout=20).status_code == 200
        # What waited is still there for whoever reads late, and the last event says why it ends.
        tail = b""
        while not tail.endswith(b"0\r\n\r\n"):
            tail = (tail + connection.socket.recv(1 << 20))[-1000:]
    assert b"--http-stream-unsent-bytes-max" in tail


def test_the_end_of_the_server_finishes_a_stream(tmp_path):
    repository = models.standard(tmp_path)
    repeat_model.add(repository)
    with server_module.Server(repository) as server:
        connection = http.client.HTTPConnection(server.host, server.port, timeout=20)
        answer = post(connection, "repeat_slowly", {"IN": list(range(20))})
        assert answer.readline().startswith(b"data: ")
        server.signal()
        assert answer.read().count(b"data: ") == 19  # behind the first
        connection.close()
        assert server.wait() == 0, server.output()
