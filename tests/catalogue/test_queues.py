"""Catalogue: queues under overload, timeouts, priorities, cancellation, sequences, and the clock."""

import collections
import concurrent.futures
import re
import threading
import time

import pytest

from catalogue.conftest import running_server, unharmed
from harness import clock_jump, models, prometheus, raw_http, wait
from harness.under_way import Asked, metric, occupy, request, wait_queued

EXECUTE_S = 1.0
SEQUENCE = "sequence_batching { %s max_sequence_idle_microseconds: %d }\n"


def _policy(**fields):
    return "default_queue_policy { " + " ".join(f"{name}: {value}" for name, value in fields.items()) + " }"


def _add(repository, name, batching, execute_ms=int(EXECUTE_S * 1000), max_batch_size=1):
    extra = "dynamic_batching { " + batching + " }\n" + models.parameter("execute_delay_ms", execute_ms)
    models.add(repository, name, models.identity_config([("FP32", [-1])], max_batch_size, extra))


@pytest.fixture(scope="module")
def _queue_server(tmp_path_factory):
    repository = models.standard(tmp_path_factory.mktemp("queues"))
    _add(repository, "full", _policy(max_queue_size=3))
    _add(repository, "rejecting", _policy(default_timeout_microseconds=100_000))
    _add(repository, "delaying", _policy(default_timeout_microseconds=20_000, timeout_action="DELAY"), execute_ms=100)
    override = _policy(default_timeout_microseconds=300_000, allow_timeout_override="true")
    _add(repository, "override", override)
    _add(repository, "no_override", _policy(default_timeout_microseconds=300_000))
    _add(repository, "no_timeout", _policy(allow_timeout_override="true"))
    _add(repository, "levels", "priority_levels: 3 default_priority_level: 3")
    _add(repository, "flooded", "priority_levels: 2 default_priority_level: 2", execute_ms=4)
    _add(repository, "plain", "")
    sequences = models.identity_config([("FP32", [-1])], 8, SEQUENCE % ("oldest { max_candidate_sequences: 10000 }", 2_000_000))
    models.add(repository, "sequences", sequences)
    slow = SEQUENCE % ("direct { }", 60_000_000) + models.parameter("execute_delay_ms", 200)
    models.add(repository, "slow_sequences", models.identity_config([("FP32", [-1])], 1, slow))
    with running_server(repository) as pair:
        yield pair


@pytest.fixture(name="queue_server")
def _queue_server_of_test(_queue_server):
    """A server whose models have queue policies, levels and sequences."""
    with unharmed(*_queue_server) as running:
        yield running


def _rejected(server, model):
    return metric(server, "nv_inference_request_failure", model, reason="REJECTED")


def _cancelled(server, model):
    return metric(server, "nv_inference_request_failure", model, reason="CANCELED")


@pytest.mark.row(157)
def test_a_full_queue_refuses_at_once(queue_server):
    before = _rejected(queue_server, "full")
    with occupy(queue_server, "full"), Asked(queue_server, [request("full", [1.0])] * 3) as queued:
        wait_queued(queue_server, "full", 3)
        times = []
        with raw_http.Connection(queue_server) as connection:
            for _ in range(20):
                began = time.monotonic()
                connection.send(request("full", [2.0]))
                refused = connection.read()
                times.append(time.monotonic() - began)
                assert refused.status == 503
                assert refused.headers["retry-after"] == "1"
                assert refused.error == "[request id: <id_unknown>] Exceeds maximum queue size"
        # The fastest: other work of the machine is not the server's.
        assert min(times) < 0.005
        assert metric(queue_server, "nv_inference_pending_request_count", "full") == 3
        assert [answer.status for answer in queued.answers()] == [200] * 3
    assert _rejected(queue_server, "full") == before + 20


@pytest.mark.row(158)
def test_a_request_is_rejected_when_it_expires_and_not_when_a_slot_gets_free(queue_server):
    before = _rejected(queue_server, "rejecting")
    with occupy(queue_server, "rejecting") as running:
        began = time.monotonic()
        with Asked(queue_server, [request("rejecting", [1.0])]) as late:
            (answer,) = late.answers()
            waited = time.monotonic() - began
            assert (answer.status, answer.error) == (503, "Request timeout expired")
            # The instance is still busy: its request has no answer.
            assert not wait.readable([running.connections[0].socket], 0)
            assert 0.1 <= waited < EXECUTE_S
        assert running.answers()[0].status == 200
    assert _rejected(queue_server, "rejecting") == before + 1
    assert metric(queue_server, "nv_inference_pending_request_count", "rejecting") == 0


@pytest.mark.row(158)
def test_a_delayed_request_runs_last(queue_server):
    with occupy(queue_server, "delaying"), Asked(queue_server, [request("delaying", [0.0])]) as asked:
        # Each execution takes longer than the timeout, so that whatever waits for a second one has expired. Those that
        # come later are in time when the first is done.
        began = time.monotonic()
        wait.until(lambda: time.monotonic() - began > 0.03, "the first has expired")
        asked.ask(request("delaying", [1.0], {"timeout": 10**9}))
        asked.ask(request("delaying", [2.0]))
        order = asked.order()
        assert sorted(order) == [0, 1, 2]
        assert order.index(1) < order.index(0) or order.index(1) < order.index(2)
        assert [answer.status for answer in asked.answers()] == [200] * 3


@pytest.mark.row(159)
def test_a_request_may_shorten_its_timeout_where_the_model_lets_it(queue_server):
    for model, timeout_us, expected_s in (
        ("override", 100_000, 0.1),
        ("override", 5_000_000, 0.3),
        ("override", 0, 0.3),
        ("no_override", 100_000, 0.3),
        ("no_timeout", 100_000, None),  # without a default there is nothing to override
    ):
        with occupy(queue_server, model) as running:
            began = time.monotonic()
            with Asked(queue_server, [request(model, [1.0], {"timeout": timeout_us})]) as asked:
                (answer,) = asked.answers()
                waited = time.monotonic() - began
            if expected_s is None:
                assert answer.status == 200
            else:
                assert answer.error == "Request timeout expired", model
                assert expected_s <= waited, (model, timeout_us)
                if expected_s < 0.3:
                    assert waited < 0.3, (model, timeout_us)
            assert running.answers()[0].status == 200


def test_levels_are_served_in_order(queue_server):
    with occupy(queue_server, "levels"), Asked(queue_server) as asked:
        for count, priority in enumerate((0, 2, 9, 1), 1):
            asked.ask(request("levels", [1.0], {"priority": priority}))
            wait_queued(queue_server, "levels", count)
        assert asked.order() == [3, 1, 0, 2]


@pytest.mark.row(160)
def test_a_flood_of_a_higher_level_leaves_the_lower_one_a_tenth(queue_server):
    answered = collections.Counter()
    stop = threading.Event()

    def flood(priority):
        with raw_http.Connection(queue_server) as connection:
            while not stop.is_set():
                connection.send(request("flooded", [1.0], {"priority": priority}))
                assert connection.read().status == 200
                answered[priority] += 1

    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        clients = [pool.submit(flood, 1 if i % 3 else 2) for i in range(24)]
        wait.until(lambda: sum(answered.values()) >= 400 or any(client.done() for client in clients), "400 are answered")
        stop.set()
        for client in clients:
            client.result()
    share = answered[2] / sum(answered.values())
    # Those that wait at the end are answered without a flood.
    assert 0.09 <= share <= 0.2, answered


@pytest.mark.row(162)
def test_a_client_that_leaves_the_queue_is_not_executed(queue_server):
    cancelled, inferences = _cancelled(queue_server, "plain"), metric(queue_server, "nv_inference_count", "plain")
    with occupy(queue_server, "plain") as running:
        with Asked(queue_server, [request("plain", [1.0])] * 2):
            wait_queued(queue_server, "plain", 2)
        assert running.answers()[0].status == 200
    wait.until(lambda: _cancelled(queue_server, "plain") == cancelled + 2, "both are counted as cancelled")
    assert metric(queue_server, "nv_inference_count", "plain") == inferences + 1


@pytest.mark.row(163)
def test_a_client_that_leaves_while_its_request_runs_harms_nobody(queue_server):
    for _ in range(3):
        occupy(queue_server, "plain").__exit__()
        # Its descriptor's number may be the next connection's.
        with Asked(queue_server, [request("plain", [float(i)]) for i in range(3)]) as others:
            assert [a.json()["outputs"][0]["data"] for a in others.answers()] == [[0.0], [1.0], [2.0]]
    wait.until(lambda: metric(queue_server, "headrace_requests_in_flight", "plain") == 0, "nothing is left")


def _sequence(model, sequence, start=False, end=False):
    return request(model, [1.0], {"sequence_id": sequence, "sequence_start": start, "sequence_end": end})


@pytest.mark.row(165)
@pytest.mark.parametrize(
    "steps",
    [
        "7:400:must specify the START flag on the first request of the sequence",
        "0s:400:must specify a non-zero or non-empty correlation ID",
        "1s:200 1s:200 1e:200",
        "2s:200 2e:200 2:400:must specify the START flag 2s:200 2e:200",
        "3se:200 3e:400:must specify the START flag",
    ],
)
def test_steps_of_sequences(queue_server, steps):
    with raw_http.Connection(queue_server) as connection:
        for step in re.split(r" (?=\d+[se]*:)", steps):
            which, status, *text = step.split(":", 2)
            number, flags = re.fullmatch(r"(\d+)([se]*)", which).groups()
            connection.send(_sequence("sequences", int(number), "s" in flags, "e" in flags))
            answer = connection.read()
            assert answer.status == int(status), answer.body
            assert not text or text[0] in answer.error
    wait.until(lambda: metric(queue_server, "headrace_sequences_live", "sequences") == 0, "no slot is held")


@pytest.mark.row(165)
def test_ten_thousand_open_sequences_go_idle(queue_server):
    idled = metric(queue_server, "headrace_sequences_ended_total", "sequences", reason="IDLE")
    with Asked(queue_server, [_sequence("sequences", 10**6, True)]) as first:
        assert first.answers()[0].status == 200
        for begin in range(0, 10_000, 500):  # a connection serves a thousand requests
            with raw_http.Connection(queue_server) as connection:
                for i in range(begin, begin + 500):
                    connection.send(_sequence("sequences", 100 + i, True))
                    assert connection.read().status == 200
    page = prometheus.scrape(queue_server)
    assert page.value("headrace_sequences_live", model="sequences") <= 10_000
    wait.until(
        lambda: metric(queue_server, "headrace_sequences_ended_total", "sequences", reason="IDLE") == idled + 10_001,
        "all were idle for too long",
    )
    assert metric(queue_server, "headrace_sequences_live", "sequences") == 0


@pytest.mark.row(165)
def test_a_cancelled_step_ends_its_sequence_and_frees_the_slot(queue_server):
    before = metric(queue_server, "headrace_sequences_ended_total", "slow_sequences", reason="CANCELED")
    with Asked(queue_server, [_sequence("slow_sequences", 1, True)]) as first:
        wait.until(lambda: metric(queue_server, "headrace_requests_in_flight", "slow_sequences") == 1, "it runs")
        with Asked(queue_server, [_sequence("slow_sequences", 1)]):
            wait_queued(queue_server, "slow_sequences", 1)
        assert first.answers()[0].status == 200
        # The only slot is free for another.
        with Asked(queue_server, [_sequence("slow_sequences", 2, True, True)]) as other:
            assert other.answers()[0].status == 200
        with Asked(queue_server, [_sequence("slow_sequences", 1)]) as again:
            assert "must specify the START flag" in again.answers()[0].error
    after = metric(queue_server, "headrace_sequences_ended_total", "slow_sequences", reason="CANCELED")
    assert after == before + 1


@pytest.mark.row(168)
def test_jumps_of_the_wall_clock_move_no_timeout(tmp_path, monkeypatch):
    repository = models.standard(tmp_path / "repository")
    _add(repository, "rejecting", _policy(default_timeout_microseconds=200_000))
    jump = clock_jump.ClockJump(tmp_path)
    with monkeypatch.context() as patch:
        for name, value in jump.environment().items():
            patch.setenv(name, value)
        context = running_server(repository)
        server, _, _ = context.__enter__()  # pylint: disable=unnecessary-dunder-call
    try:
        for seconds in (3600, -3600, 1, 0):
            with occupy(server, "rejecting") as running, Asked(server, [request("rejecting", [1.0])]) as late:
                began = time.monotonic()
                jump.jump(seconds)
                assert late.answers()[0].error == "Request timeout expired"
                assert 0.1 < time.monotonic() - began < EXECUTE_S
                assert running.answers()[0].status == 200
            if seconds > 1000:
                # The jump is felt where the wall clock is shown; statistics come after the answer.
                def last_inference():
                    stats = raw_http.call(server, "GET", "/v2/models/rejecting/stats").json()
                    return stats["model_stats"][0]["last_inference"]

                wait.until(last_inference, "the inference in the statistics")
                assert last_inference() > (time.time() + seconds - 600) * 1000
    finally:
        context.__exit__(None, None, None)
