"""Rows 200 to 203: ends without warning, ports that are taken, servers that take each other's place, stopped processes.

The long form of the kills (100 of them) runs with --full:
    python -m pytest tests/catalogue/test_restarts.py --full -s
"""

import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import threading
import time

import pytest

from harness import control, models, raw_http, wait
from harness import server as server_module

BODY = json.dumps({"inputs": [{"name": "INPUT0", "shape": [4], "datatype": "FP32", "data": [1, 2, 3, 4]}]}).encode()
INFER = raw_http.request("POST", "/v2/models/fixed/infer", BODY)
KILLS = 12 if not server_module.is_sanitized() else 4
KILLS_FULL = 100


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    return models.standard(tmp_path_factory.mktemp("restarts"))


def _answers_right(server):
    answer = raw_http.exchange(server, INFER)
    assert answer.status == 200 and answer.json()["outputs"][0]["data"] == [1, 2, 3, 4]


@pytest.mark.row(200)
def test_a_kill_at_any_moment_leaves_nothing_that_disturbs_the_next_server(repository, tmp_path, full):
    """While it starts, serves, loads models whose files come with the request, and unloads them."""
    rng = random.Random(200)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    config = {
        "backend": "identity",
        "input": [{"name": "INPUT0", "data_type": "TYPE_FP32", "dims": [-1]}],
        "output": [{"name": "OUTPUT0", "data_type": "TYPE_FP32", "dims": [-1]}],
    }
    options = ("--model-control-mode=explicit", "--load-model=*")
    environment = {"TMPDIR": str(temporary)}
    before = set(os.listdir("/dev/shm"))

    def work(server):
        try:
            while True:
                control.load(server, "brought", config=config, files={"1/weights": rng.randbytes(100_000)})
                raw_http.exchange(server, INFER)
                control.unload(server, "brought")
        except (OSError, ConnectionError, ValueError):
            pass  # it was killed

    for kill in range(KILLS_FULL if full else KILLS):
        starting = kill % 4 == 3
        with server_module.Server(repository, *options, wait=not starting, environment=environment) as server:
            worker = threading.Thread(target=work, args=[server]) if not starting else None
            if worker:
                worker.start()
            killed_at = time.monotonic() + rng.random() * 0.3
            wait.until(lambda: time.monotonic() >= killed_at, "the moment of the kill")
            server.signal(signal.SIGKILL)
            assert server.wait() == -signal.SIGKILL
            if worker:
                worker.join(20)
    with server_module.Server(repository, *options, environment=environment) as server:
        _answers_right(server)
        assert control.index(server).get("brought", {}) == {}
        assert server.stop() == 0, server.output()
    assert set(os.listdir("/dev/shm")) <= before
    assert not any(temporary.rglob("weights")), "files of a server that is gone"


def _start(repository, *ports):
    options = ["--model-repository=" + str(repository), "--http-address=127.0.0.1", *ports]
    return subprocess.run(
        [server_module.program(), "serve", *options], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.row(201)
@pytest.mark.parametrize("taken", ["http", "grpc", "metrics"])
def test_a_port_that_is_taken_is_said_in_one_line(repository, taken):
    with socket.socket() as other, socket.socket() as probe:
        other.bind(("127.0.0.1", 0))
        other.listen()
        # The others are known, to be looked at.
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
        probe.close()
        ports = {name: 0 for name in ("http", "grpc", "metrics")}
        ports["grpc" if taken == "http" else "http"] = free
        ports[taken] = other.getsockname()[1]
        done = _start(repository, *(f"--{name}-port={port}" for name, port in ports.items()))
        assert done.returncode == 1, done.stdout + done.stderr
        lines = [line for line in (done.stdout + done.stderr).splitlines() if str(ports[taken]) in line]
        failures = [line for line in lines if "ddress already in use" in line]
        assert len(failures) == 1, done.stdout + done.stderr
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", free), 5)


class _Retrying(threading.Thread):
    """A client that asks all the time, and again when a connection ends without an answer."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.stop = server, threading.Event()
        self.answered, self.wrong = 0, []

    def run(self):
        connection = None
        while not self.stop.is_set():
            try:
                connection = connection or raw_http.Connection(self.server)
                connection.send(INFER)
                answer = connection.read()
            except OSError:
                connection = connection and connection.socket.close()
                continue
            self.answered += 1
            if answer.status != 200 or answer.json()["outputs"][0]["data"] != [1, 2, 3, 4]:
                self.wrong.append(answer)
            if answer.headers.get("connection") == "close":
                connection = connection.socket.close()


@pytest.mark.row(202)
def test_servers_that_share_a_port_take_each_other_s_place(repository):
    with socket.socket() as holder:
        # Keeps the port for them without listening on it.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(("127.0.0.1", 0))
        options = (f"--http-port={holder.getsockname()[1]}", "--reuse-http-port=true")
        server = server_module.Server(repository, *options)
        clients = [_Retrying(server) for _ in range(4)]
        for client in clients:
            client.start()
        try:
            for _ in range(3):
                following = server_module.Server(repository, *options)
                answered = [client.answered for client in clients]
                wait.until(
                    lambda: all(c.answered > count + 20 for c, count in zip(clients, answered)), "all are answered"
                )
                assert server.stop() == 0, server.output()
                server = following
            answered = [client.answered for client in clients]
            wait.until(lambda: all(c.answered > count for c, count in zip(clients, answered)), "all are answered")
        finally:
            for client in clients:
                client.stop.set()
            for client in clients:
                client.join(30)
            code = server.stop()
        assert code == 0, server.output()
        assert [client.wrong for client in clients] == [[]] * len(clients)


@pytest.mark.row(203)
def test_a_process_that_was_stopped_forgives_what_came_meanwhile(repository):
    options = (
        "--http-header-timeout-ms=3000",
        "--http-body-idle-timeout-ms=3000",
        "--http-keep-alive-timeout-ms=3000",
        "--http-thread-count=1",
    )
    with server_module.Server(repository, *options) as server:
        kept = [raw_http.Connection(server) for _ in range(300)]
        for connection in kept:
            connection.send(raw_http.request("GET", "/v2/health/live"))
            assert connection.read().status == 200
        half = [raw_http.Connection(server) for _ in range(50)]
        for connection in half:
            connection.send(INFER[:60])
        slow = raw_http.Connection(server)
        slow.send(raw_http.request("POST", "/v2/models/slow/infer", BODY))
        server.signal(signal.SIGSTOP)
        state = pathlib.Path(f"/proc/{server.pid}/stat")
        wait.until(lambda: state.read_text(encoding="ascii").rsplit(") ", 1)[1][0] == "T", "it is stopped")
        for connection in kept:
            connection.send(INFER)
        for connection in half:
            connection.send(INFER[60:])
        # Longer than every timeout.
        until = time.monotonic() + 3.5
        wait.until(lambda: time.monotonic() >= until, "the timeouts have passed")
        server.signal(signal.SIGCONT)
        statuses = [connection.read().status for connection in kept + half + [slow]]
        assert statuses == [200] * len(statuses)
        for connection in kept + half + [slow]:
            connection.close()
        assert server.stop() == 0, server.output()
