"""Catalogue 3.13: signals and the end of the process."""

import json
import signal
import socket
import threading
import time

import pytest

from harness import models, prometheus, raw_http, wait
from harness import server as server_module

BODY = json.dumps({"inputs": [{"name": "INPUT0", "shape": [4], "datatype": "FP32", "data": [1, 2, 3, 4]}]}).encode()
# What a sanitizer or a loaded machine may add to a time.
SLACK_S = 2 if not server_module.is_sanitized() else 8


def infer(model):
    return raw_http.request("POST", f"/v2/models/{model}/infer", BODY)


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    directory = models.standard(tmp_path_factory.mktemp("signals"))
    endless = models.parameter("execute_delay_ms", 60_000)
    models.add(directory, "endless", models.identity_config([("FP32", [-1])], extra=endless))
    return directory


@pytest.fixture
def running(repository):
    with server_module.Server(repository, "--exit-timeout-secs=30") as server:
        yield server


@pytest.fixture
def hasty(repository):
    """A server that waits for a second at its end."""
    with server_module.Server(repository, "--exit-timeout-secs=1") as server:
        yield server


def in_flight(server, model):
    return prometheus.scrape(server).value("headrace_requests_in_flight", model=model)


def refuses_connections(server):
    try:
        socket.create_connection((server.host, server.port), timeout=5).close()
    except OSError:
        return True
    return False


@pytest.mark.row(197)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_is_in_flight_and_queued_finishes(running, number):
    count = 6
    working = [raw_http.Connection(running) for _ in range(count)]
    idle = [raw_http.Connection(running) for _ in range(3)]
    for connection in idle[1:]:
        connection.send(raw_http.request("GET", "/v2/health/ready"))
        assert connection.read().status == 200
    for connection in working:
        connection.send(infer("slow"))
    wait.until(lambda: in_flight(running, "slow") == count, "all requests are accepted")
    running.signal(number)
    for connection in idle:
        assert connection.read_all() == []
    wait.until(lambda: refuses_connections(running), "the listener is closed")
    for connection in working:
        answers = connection.read_all()
        assert [answer.status for answer in answers] == [200]
        assert answers[0].json()["outputs"][0]["data"] == [1, 2, 3, 4]
        assert answers[0].headers["connection"] == "close"
    for connection in working + idle:
        connection.close()
    assert running.wait() == 0, running.output()


@pytest.mark.row(197)
def test_a_body_on_its_way_is_still_taken(running):
    with raw_http.Connection(running) as sending, raw_http.Connection(running) as other:
        request = infer("fixed")
        sending.send(request[:-5])
        other.send(raw_http.request("GET", "/v2/health/live"))
        assert other.read().status == 200
        running.signal()
        wait.until(lambda: refuses_connections(running), "the listener is closed")
        sending.send(request[-5:])
        answers = sending.read_all()
        assert [answer.status for answer in answers] == [200]
        assert answers[0].headers["connection"] == "close"
    assert running.wait() == 0, running.output()


class _Load(threading.Thread):
    """One client of a paced load: asks on one connection until it is closed."""

    def __init__(self, server, interval_s):
        super().__init__(daemon=True)
        self._server = server
        self._interval_s = interval_s
        self.asked = threading.Event()
        self.ok = 0
        self.wrong = []
        self.unanswered_at = None

    def run(self):
        with raw_http.Connection(self._server) as connection:
            due = time.monotonic()
            while True:
                due += self._interval_s
                # Between two requests the server may close; anything else is not ours.
                if wait.readable([connection.socket], due - time.monotonic()):
                    self._expect_end(connection)
                    return
                try:
                    connection.send(infer("fixed"))
                    answer = connection.read()
                except OSError as error:
                    self._on_error(connection, error)
                    return
                if answer.status != 200 or answer.json()["outputs"][0]["data"] != [1, 2, 3, 4]:
                    self.wrong.append(answer)
                self.ok += 1
                self.asked.set()

    def _expect_end(self, connection):
        if answers := connection.read_all():
            self.wrong.append(answers)

    def _on_error(self, connection, error):
        # The server closed the idle connection while the request was on its way: never read, never executed.
        self.unanswered_at = time.monotonic()
        if connection.received_some():
            self.wrong.append(error)


@pytest.mark.row(197)
def test_nothing_is_lost_under_load(running):
    clients = [_Load(running, 8 / 500) for _ in range(8)]
    for client in clients:
        client.start()
    wait.until(lambda: sum(client.ok for client in clients) > 400, "the load runs")
    told = time.monotonic()
    running.signal()
    for client in clients:
        client.join(30)
        assert not client.is_alive()
    assert [client.wrong for client in clients if client.wrong] == []
    assert all(client.unanswered_at is None or client.unanswered_at >= told for client in clients)
    assert running.wait() == 0, running.output()


def exit_within(server, limit_s):
    began = time.monotonic()
    status = server.wait(limit_s + 20)
    assert time.monotonic() - began < limit_s, server.output()
    return status


@pytest.mark.row(198)
class TestEndsInTime:
    TIMEOUT_S = 1

    def test_while_loading(self, tmp_path):
        slow_start = models.parameter("creation_delay_sec", 20)
        models.add(tmp_path, "fixed", models.identity_config([("FP32", [4])]))
        models.add(tmp_path, "slow_start", models.identity_config([("FP32", [4])], extra=slow_start))
        with server_module.Server(tmp_path, "--exit-timeout-secs=1", wait=False) as server:
            server.wait_line("loading.*slow_start")
            server.signal()
            exit_within(server, self.TIMEOUT_S + SLACK_S)

    def test_while_loading_by_request(self, tmp_path):
        slow_start = models.parameter("creation_delay_sec", 20)
        models.add(tmp_path, "slow_start", models.identity_config([("FP32", [4])], extra=slow_start))
        options = ("--exit-timeout-secs=1", "--model-control-mode=explicit")
        with server_module.Server(tmp_path, *options) as server, raw_http.Connection(server) as connection:
            connection.send(raw_http.request("POST", "/v2/repository/models/slow_start/load"))
            server.wait_line("loading.*slow_start")
            server.signal()
            exit_within(server, self.TIMEOUT_S + SLACK_S)

    def test_while_unloading(self, repository):
        options = ("--exit-timeout-secs=1", "--model-control-mode=explicit", "--load-model=endless")
        with server_module.Server(repository, *options) as server, raw_http.Connection(server) as connection:
            connection.send(infer("endless"))
            wait.until(lambda: in_flight(server, "endless"), "the request is in work")
            assert raw_http.call(server, "POST", "/v2/repository/models/endless/unload").status == 200
            server.signal()
            exit_within(server, self.TIMEOUT_S + SLACK_S)

    def test_with_a_hung_model(self, hasty):
        with raw_http.Connection(hasty) as connection:
            connection.send(infer("endless"))
            wait.until(lambda: in_flight(hasty, "endless"), "the request is in work")
            hasty.signal()
            assert exit_within(hasty, self.TIMEOUT_S + SLACK_S) != 0
        assert "timeout" in hasty.output().lower()

    def test_with_a_client_that_stops_in_its_body(self, hasty):
        with raw_http.Connection(hasty) as connection, raw_http.Connection(hasty) as other:
            connection.send(infer("fixed")[:-5])
            other.send(raw_http.request("GET", "/v2/health/live"))
            assert other.read().status == 200
            hasty.signal()
            exit_within(hasty, self.TIMEOUT_S + SLACK_S)

    def test_with_a_client_that_reads_nothing(self, hasty):
        size = 32 << 20
        head = json.dumps(
            {
                "inputs": [
                    {
                        "name": "INPUT0",
                        "shape": [size],
                        "datatype": "UINT8",
                        "parameters": {"binary_data_size": size},
                    }
                ],
                "parameters": {"binary_data_output": True},
            }
        ).encode()
        headers = [("Inference-Header-Content-Length", len(head))]
        request = raw_http.request("POST", "/v2/models/identity_uint8/infer", head + bytes(size), headers)
        with raw_http.Connection(hasty, receive_buffer=4096) as connection:
            connection.send(request)
            assert wait.readable([connection.socket], 30)
            hasty.signal()
            exit_within(hasty, self.TIMEOUT_S + SLACK_S)

    def test_without_any_work(self, hasty):
        hasty.signal()
        assert exit_within(hasty, SLACK_S) == 0


@pytest.mark.row(199)
class TestOtherSignals:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_a_second_one_ends_at_once(self, running, number):
        with raw_http.Connection(running) as connection:
            connection.send(infer("endless"))
            wait.until(lambda: in_flight(running, "endless"), "the request is in work")
            running.signal(signal.SIGTERM)
            wait.until(lambda: refuses_connections(running), "the first signal is seen")
            running.signal(number)
            assert exit_within(running, SLACK_S) != 0

    @pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGPIPE])
    def test_others_do_not_end_it(self, running, number):
        with raw_http.Connection(running) as connection:
            connection.send(infer("slow"))
            running.signal(number)
            assert connection.read().status == 200
        assert raw_http.exchange(running, infer("fixed")).status == 200
        assert running.stop() == 0, running.output()

    def test_broken_pipes_are_ignored_by_the_process(self, running):
        with open(f"/proc/{running.pid}/status", encoding="ascii") as status:
            ignored = next(line for line in status if line.startswith("SigIgn:")).split()[1]
        assert int(ignored, 16) >> (signal.SIGPIPE - 1) & 1
