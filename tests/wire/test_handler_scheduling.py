"""How requests to handlers wait and run: job tickets, time-outs, priorities, sequences, continuous batching."""

import concurrent.futures
import pathlib
import socket
import sys

import pytest
import requests

from harness import archives, under_way, wait
from harness import server as server_module

_HANDLERS = pathlib.Path(__file__).parent / "handlers"
_LIMIT_S = 60
_MODELS = {
    "tickets": ("gate", "useJobTicket: true\n"),
    "patient": ("gate", "clientTimeoutInMills: 50\n"),
    "levels": ("gate", "priorityLevels: 2\ndefaultPriority: 2\n"),
    "meet": ("meet", "asyncCommunication: true\n"),
    "count": ("count", "continuousBatching: true\nbatchSize: 2\nmaxBatchDelay: 10000\n"),
    "remember": (
        "remember",
        "minWorkers: 2\nmaxWorkers: 2\nbatchSize: 2\nmaxBatchDelay: 1\nsequenceBatching: true\n"
        "sequenceMaxIdleMSec: 60000\nmaxNumSequence: 8\nmaxSequenceJobQueueSize: 100\n",
    ),
}


@pytest.fixture(scope="module", name="server")
def _server(tmp_path_factory):
    repository = tmp_path_factory.mktemp("scheduling")
    for model, (handler, settings) in _MODELS.items():
        archives.add(repository, model, archives.handler_mar(model, _HANDLERS / f"{handler}.py", settings))
    with server_module.running(repository, f"--backend-config=handler,interpreter={sys.executable}") as running:
        yield running


def _post(server, model, **more):
    return requests.post(f"http://{server.url}/predictions/{model}", timeout=_LIMIT_S, **more)


def _wait_under_way(server, model, count):
    wait.until(
        lambda: under_way.metric(server, "headrace_requests_in_flight", model) == count, f"{count} requests of {model}"
    )


class _Busy:
    """One request that occupies the worker of a model until `open` is called."""

    def __init__(self, server, model, directory, pool):
        self._gate = directory / "gate"
        self.answer = pool.submit(_post, server, model, data=str(self._gate).encode())
        wait.until((directory / "gate.entered").exists, "the handler to have the request", _LIMIT_S)

    def open(self):
        self._gate.touch()
        assert self.answer.result(_LIMIT_S).status_code == 200


def _unavailable(answer, text):
    assert answer.status_code == 503, answer.text
    assert answer.json()["type"] == "ServiceUnavailableException"
    assert text in answer.json()["message"]
    assert answer.headers["Retry-After"]


def test_job_ticket_is_for_an_idle_worker(server, tmp_path):
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        busy = _Busy(server, "tickets", tmp_path, pool)
        _unavailable(_post(server, "tickets"), "takes a request only while a worker is idle (useJobTicket)")
        busy.open()
    for _ in range(20):
        assert _post(server, "tickets").status_code == 200


def test_client_timeout_is_answered_while_the_worker_is_busy(server, tmp_path):
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        busy = _Busy(server, "patient", tmp_path, pool)
        _unavailable(_post(server, "patient"), "clientTimeoutInMills")
        busy.open()


def test_priority_of_a_header_goes_first(server, tmp_path):
    def ask(priority):
        headers = {"ts_request_priority": str(priority)} if priority else {}
        return int(_post(server, "levels", headers=headers).text)

    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        busy = _Busy(server, "levels", tmp_path, pool)
        asked = []
        for number, priority in enumerate([None, None, 2, 1], start=1):
            asked.append(pool.submit(ask, priority))
            _wait_under_way(server, "levels", number + 1)
        busy.open()
        _, default, low, high = (one.result(_LIMIT_S) for one in asked)
    assert high < default < low
    wrong = _post(server, "levels", headers={"ts_request_priority": "first"})
    assert wrong.status_code == 400 and "ts_request_priority" in wrong.json()["message"]


# --- Continuous batching ---


def _count(server, count, **more):
    return _post(server, "count", json={"count": count, **more})


def test_each_step_is_a_chunk(server):
    with requests.post(
        f"http://{server.url}/predictions/count", json={"count": 3}, stream=True, timeout=_LIMIT_S
    ) as answer:
        assert answer.headers["Transfer-Encoding"] == "chunked"
        assert answer.headers["Content-Type"] == "text/plain"
        assert list(answer.iter_content(None)) == [b"2 of 1 known 1\n", b"1 of 1 known 1\n", b"0 of 1 known 1\n"]


def test_request_that_stops_at_its_first_step_has_a_whole_answer(server):
    answer = _count(server, 1)
    assert (answer.status_code, answer.text) == (200, "0 of 1 known 1\n")
    assert "Transfer-Encoding" not in answer.headers


def test_requests_join_and_leave_the_running_batch(server, tmp_path):
    gate = tmp_path / "second"
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        long_one = pool.submit(_count, server, 50, gate=str(gate))
        _wait_under_way(server, "count", 1)
        # It joins at the second step of the other, which waits in its first one for it to be queued.
        short_one = pool.submit(_count, server, 2)
        _wait_under_way(server, "count", 2)
        gate.touch()
        assert short_one.result(_LIMIT_S).text == "1 of 2 known 2\n0 of 2 known 2\n"
        pieces = long_one.result(_LIMIT_S).text.splitlines()
    assert len(pieces) == 50
    assert pieces[:4] == ["49 of 1 known 1", "48 of 2 known 2", "47 of 2 known 2", "46 of 1 known 1"]


def test_client_that_goes_leaves_the_running_batch(server):
    with requests.post(
        f"http://{server.url}/predictions/count", json={"count": 1_000_000_000}, stream=True, timeout=_LIMIT_S
    ) as gone:
        assert next(gone.iter_content(16)) == b"999999999 of 1 k"
    wait.until(lambda: _count(server, 1).text == "0 of 1 known 1\n", "the request whose client has gone to leave")


def test_failure_breaks_what_has_begun_and_nothing_else(server):
    answer = _count(server, 1, fail=True)
    assert answer.status_code == 503 and answer.json()["message"] == "Prediction failed"
    assert _count(server, 2).text == "1 of 1 known 1\n0 of 1 known 1\n"


# --- Sequences ---


def _say(server, text, name=None):
    headers = {"ts_request_sequence_id": name} if name else {}
    answer = _post(server, "remember", data=text.encode(), headers=headers)
    assert answer.status_code == 200, answer.text
    return answer


def test_requests_of_a_sequence_meet_one_worker_in_order(server):
    def talk(name):
        found = [_say(server, text, name).json() for text in ("a", "b", "c")]
        assert [one["seen"] for one in found] == ["a", "ab", "abc"]
        assert len({one["worker"] for one in found}) == 1
        assert _say(server, "end", name).headers["ts_request_sequence_end"] == name
        # Over: the next request begins anew.
        assert _say(server, "x", name).json()["seen"] == "x"
        _say(server, "end", name)
        return found[0]["worker"]

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        workers = set(pool.map(talk, ("one", "two", "three", "four")))
    assert 1 <= len(workers) <= 2


def test_server_names_a_sequence_that_has_no_name(server):
    first = _say(server, "a")
    name = first.headers["ts_request_sequence_id"]
    assert name.startswith("ts-seq-") and first.json()["started"] == "true"
    second = _say(server, "b", name).json()
    assert (second["seen"], second["started"]) == ("ab", None)
    _say(server, "end", name)


def test_too_many_sequences_are_refused(server):
    names = [f"many{number}" for number in range(8)]
    for name in names:
        _say(server, "a", name)
    _unavailable(_post(server, "remember", data=b"a", headers={"ts_request_sequence_id": "ninth"}), "8 sequences already")
    for name in names:
        _say(server, "end", name)
    assert _say(server, "a", "ninth").json()["seen"] == "a"
    _say(server, "end", "ninth")


def test_asynchronous_requests_end_in_any_order(server):
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        first = pool.submit(_post, server, "meet", data=b"wait a")
        second = pool.submit(_post, server, "meet", data=b"wait b")
        _wait_under_way(server, "meet", 2)
        assert _post(server, "meet", data=b"open b").status_code == 201
        answer = second.result(_LIMIT_S)
        assert (answer.status_code, answer.reason, answer.text) == (201, "met", "b")
        assert not first.done()
        assert _post(server, "meet", data=b"open a").status_code == 201
        assert first.result(_LIMIT_S).text == "a"


def test_an_asynchronous_request_ends_when_its_client_goes(server):
    with socket.create_connection((server.host, server.port), timeout=_LIMIT_S) as client:
        client.sendall(b"POST /predictions/meet HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\nwait nothing")
        _wait_under_way(server, "meet", 1)
    assert _post(server, "meet", data=b"wait cancelled").status_code == 201
    _wait_under_way(server, "meet", 0)


def test_an_asynchronous_worker_that_exits_takes_its_requests_with_it(server):
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(_post, server, "meet", data=b"wait c")
        _wait_under_way(server, "meet", 1)
        assert _post(server, "meet", data=b"exit").status_code == 500
        assert waiting.result(_LIMIT_S).status_code == 500
    assert _post(server, "meet", data=b"open c").status_code == 201
