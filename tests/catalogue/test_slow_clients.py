"""Catalogue 3.1: clients that are slow, or leave in the middle."""

import json
import resource
import socket
import time

import pytest

from harness import prometheus, raw_http, wait
from harness import server as server_module
from harness.table import verdict

BODY = json.dumps({"inputs": [{"name": "INPUT0", "shape": [4], "datatype": "FP32", "data": [1, 2, 3, 4]}]}).encode()
TICK_S = 0.1


def _descriptors_allowed(wanted):
    """Raises the limit of open files of this process and says how many of `wanted` sockets fit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = hard if hard != resource.RLIM_INFINITY else wanted + 500
    if soft < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    return min(wanted, limit - 200)


def _drip_until_cut(connections, limit_s):
    """Sends one byte on each of `connections` at each tick until the server has answered all of them; the time at
    which each answer came, from now."""
    began = time.monotonic()
    waiting = {connection.socket: connection for connection in connections}
    ended = []
    while waiting:
        assert time.monotonic() - began < limit_s, f"{len(waiting)} connections were not cut"
        for one in wait.readable(waiting, TICK_S):
            del waiting[one]
            ended.append(time.monotonic() - began)
        for connection in waiting.values():
            connection.send_what_goes(b"a")
    return ended


@pytest.mark.row(30)
def test_slow_headers_are_cut(impatient_server):
    count = _descriptors_allowed(2000 if not server_module.is_sanitized() else 500)
    connections = []
    try:
        for _ in range(count):
            connection = raw_http.Connection(impatient_server)
            connections.append(connection)
            connection.send(b"GET /v2/health/live HTTP/1.1\r\nHost: h\r\nX-Slow: ")
        _drip_until_cut(connections, 20)
        for connection in connections:
            answers = connection.read_all()
            # A byte that crosses the answer on its way may reset the connection.
            assert len(answers) <= 1
            for answer in answers:
                verdict(408).check(answer)
    finally:
        for connection in connections:
            connection.close()


@pytest.mark.row(30)
def test_an_idle_connection_is_closed_without_an_answer(impatient_server):
    with raw_http.Connection(impatient_server) as silent, raw_http.Connection(impatient_server) as used:
        used.send(raw_http.request("GET", "/v2/health/live"))
        assert used.read().status == 200
        assert used.read_all() == []
        assert all(answer.status == 408 for answer in silent.read_all())


@pytest.mark.row(31)
def test_a_slow_body_is_cut_and_an_honest_upload_is_not(impatient_server):
    slow = [raw_http.Connection(impatient_server) for _ in range(20)]
    # 64 KiB in a second, for longer than the slow ones live.
    block, blocks = b" " * 6554, 80
    body = BODY + block * blocks
    with raw_http.Connection(impatient_server) as honest:
        try:
            for connection in slow:
                connection.send(raw_http.request("POST", "/v2/models/fixed/infer", BODY)[: -len(BODY)])
            honest.send(raw_http.request("POST", "/v2/models/fixed/infer", body)[: -len(body)] + BODY)
            waiting = {connection.socket: connection for connection in slow}
            began = time.monotonic()
            for i in range(blocks):
                while (left := began + i * TICK_S - time.monotonic()) > 0:
                    for one in wait.readable([*waiting, honest.socket], left):
                        assert one is not honest.socket, honest.read()
                        del waiting[one]
                for connection in waiting.values():
                    connection.send_what_goes(b" ")
                honest.send(block)
            assert honest.read().json()["outputs"][0]["data"] == [1, 2, 3, 4]
            assert not waiting, f"{len(waiting)} slow bodies were not cut in {blocks * TICK_S} s"
            for connection in slow:
                for answer in connection.read_all():
                    verdict(408).check(answer)
        finally:
            for connection in slow:
                connection.close()


@pytest.mark.row(31)
def test_a_body_that_stops_is_cut(impatient_server):
    with raw_http.Connection(impatient_server) as connection:
        connection.send(raw_http.request("POST", "/v2/models/fixed/infer", BODY)[:-1])
        verdict(408).check(connection.read())
        assert connection.closed_by_server()


def _large_request(byte_size):
    head = json.dumps(
        {
            "inputs": [
                {
                    "name": "INPUT0",
                    "shape": [byte_size],
                    "datatype": "UINT8",
                    "parameters": {"binary_data_size": byte_size},
                }
            ],
            "parameters": {"binary_data_output": True},
        }
    ).encode()
    return raw_http.request(
        "POST",
        "/v2/models/identity_uint8/infer",
        head + bytes(byte_size),
        [("Inference-Header-Content-Length", len(head))],
    )


def _in_use(server):
    return prometheus.scrape(server).value("headrace_memory_pool_bytes", state="in_use")


def _timeouts(server):
    return prometheus.scrape(server).total("headrace_http_timeouts_total")


@pytest.mark.row(32)
def test_a_client_that_reads_nothing_of_its_answer_is_cut(impatient_server):
    byte_size = 60 << 20
    # Made first: on a busy machine that takes longer than a head may.
    request = _large_request(byte_size)
    cut_before = _timeouts(impatient_server)
    with raw_http.Connection(impatient_server, receive_buffer=4096) as connection:
        connection.send(request)
        assert wait.readable([connection.socket], 20)
        # The answer is held, unless this process was so slow to look that it has been cut already.
        assert _in_use(impatient_server) >= byte_size or _timeouts(impatient_server) > cut_before
        wait.until(lambda: _in_use(impatient_server) < byte_size // 10, "the answer's memory is freed")
        with pytest.raises((ConnectionError, OSError)):
            connection.read()


@pytest.mark.row(32)
def test_a_client_that_reads_slowly_but_steadily_gets_all(impatient_server):
    byte_size = 8 << 20
    request = _large_request(byte_size)
    with raw_http.Connection(impatient_server, receive_buffer=64 * 1024) as connection:
        connection.send(request)
        received = 0
        # Longer than the write timeout in all.
        for _ in range(16):
            wait.readable([], TICK_S)
            received += len(connection.socket.recv(64 * 1024))
        assert received > 0
        while received < byte_size:
            data = connection.socket.recv(1 << 20)
            assert data, f"cut after {received} bytes"
            received += len(data)


RESETS = 10_000 if not server_module.is_sanitized() else 900


@pytest.mark.row(34)
@pytest.mark.parametrize("where", ["headers", "body", "queued", "response"])
def test_resets_leave_nothing_behind(server, where):
    request = raw_http.request("POST", "/v2/models/fixed/infer", BODY)
    large = _large_request(256 * 1024)
    for _ in range(RESETS // 4):
        connection = raw_http.Connection(server)
        if where == "headers":
            connection.send(request[:30])
        elif where == "body":
            connection.send(request[:-10])
        elif where == "queued":
            connection.send(request)
        else:
            connection.send(large)
            connection.socket.recv(100)
        connection.reset()


@pytest.mark.row(34)
def test_a_reset_behind_many_pipelined_requests_leaves_nothing_behind(server):
    request = raw_http.request("POST", "/v2/models/fixed/infer", BODY)
    for _ in range(50):
        connection = raw_http.Connection(server)
        connection.send(request * 20)
        connection.reset()
    with socket.create_connection((server.host, server.port)) as other:
        other.sendall(b"GET /v2/health/live HTTP/1.1\r\nHost: h\r\n\r\n")
        assert other.recv(12) == b"HTTP/1.1 200"
