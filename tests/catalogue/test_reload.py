"""Catalogue 3.12: models change under load and no client notices.

The long form (50 reloads at 500 requests a second, 60 s of them) runs with --full:
    python -m pytest tests/catalogue/test_reload.py --full -s
"""

import dataclasses
import json
import threading
import time

import pytest

from harness import control, marked_model, models, open_loop, prometheus, raw_http, resources, wait
from harness import server as server_module

# A sanitized server is slower by an order of magnitude.
RATE = 60 if server_module.is_sanitized() else 200
FULL_RATE = 500


@dataclasses.dataclass(frozen=True)
class Size:
    """How much of everything a test does."""

    rate: int
    rounds: int
    round_s: float

    def pause(self, client):
        """Until the client has sent what a round takes."""
        goal = client.report.sent + int(self.rate * self.round_s)
        wait.until(lambda: client.report.sent >= goal, "the client goes on", limit_s=60)


@pytest.fixture
def size(full):
    return Size(FULL_RATE, 50, 1.2) if full else Size(RATE, 6, 0.15)


@pytest.fixture
def load(controlled, size):
    """Starts open-loop clients of a model; all that were started must have had right answers only."""
    clients = []

    def start(name, version=""):
        clients.append(
            open_loop.OpenLoop(
                controlled.server,
                size.rate,
                lambda number: marked_model.request(name, number, 1 + number % 3, version),
                marked_model.check,
            )
        )
        return clients[-1].start()

    yield start
    for client in clients:
        client.finish()


def counted(server, model):
    """(received, ok, failed) over all versions that serve, by the server's own books."""
    page = prometheus.scrape(server)
    return (
        page.total("headrace_requests_received_total", model=model),
        page.total("nv_inference_request_success", model=model),
        page.total("nv_inference_request_failure", model=model),
    )


def book_of(server, model):
    received, ok, failed = counted(server, model)
    assert failed == 0 and received == ok, (received, ok, failed)
    return ok


def report(title, client, started):
    outcome = client.finish()
    print(f"\n{title}: {time.monotonic() - started:.1f} s, {outcome.summary()}, editions {dict(outcome.seen)}")
    outcome.must_be_clean()
    return outcome


@pytest.mark.row(191)
def test_reloads_of_the_same_a_better_a_broken_and_a_slow_model(controlled, size, load, full):
    server, directory = controlled.server, controlled.repository / "reloaded"
    marked_model.add(controlled.repository, "reloaded", {1: 1})
    control.must_load(server, "reloaded")
    file = directory / "1" / "model.onnx"
    editions = {mark: marked_model.encode(mark) for mark in (1, 2)}
    # Ten times as much to read as the others.
    editions[3] = marked_model.encode(3, filler=64)
    client = load("reloaded")
    started = time.monotonic()
    resident = 0
    marks = [1]
    for round_number in range(size.rounds):
        what = ("better", "same", "broken", "slow", "better")[round_number % 5]
        if what == "broken":
            marked_model.write(file, b"this is no model")
            answer = control.load(server, "reloaded")
            assert answer.status == 400 and "version 1 is at UNAVAILABLE state" in answer.error, answer
            assert control.ready_versions(server, "reloaded") == {"1"}
        else:
            mark = {"same": marks[-1], "slow": 3}.get(what) or (2 if marks[-1] != 2 else 1)
            marks.append(mark)
            marked_model.write(file, editions[mark])
            control.must_load(server, "reloaded")
            # From the answer on nobody gets the old edition, and it goes when its last request is over.
            assert marked_model.ask(server, "reloaded") == mark
        size.pause(client)
        if round_number == 9:
            resident = resources.read(server.pid).resident_bytes
    outcome = report(f"{size.rounds} reloads at {size.rate}/s", client, started)
    assert set(outcome.seen) == set(marks)
    print(f"  resident after 10 reloads {resident >> 20} MiB, now {resources.read(server.pid).resident_bytes >> 20} MiB")
    if full and not server_module.is_sanitized():
        assert resources.read(server.pid).resident_bytes - resident < 64 << 20, "one copy of the model stays"
    book_of(server, "reloaded")  # the last edition's; those of the others went with them


@pytest.mark.row(191)
def test_a_load_that_takes_long_disturbs_nobody(controlled, size, full):
    server, name = controlled.server, "loads_long"
    seconds = 10 if full else 1
    controlled.add(name, models.identity_config([("FP32", [1])]))
    control.must_load(server, name)
    request = raw_http.request(
        "POST",
        f"/v2/models/{name}/infer",
        b'{"inputs":[{"name":"INPUT0","shape":[1],"datatype":"FP32","data":[1]}]}',
    )

    def check(_, __, body):
        assert json.loads(body)["outputs"][0]["data"] == [1], body
        return "answered"

    client = open_loop.OpenLoop(server, size.rate, lambda number: (request, number), check).start()
    started = time.monotonic()
    slow = models.identity_config([("FP32", [-1])], extra=models.parameter("creation_delay_sec", seconds))
    controlled.add(name, slow)
    control.must_load(server, name)
    took = time.monotonic() - started
    assert took >= seconds
    assert prometheus.scrape(server).value("nv_model_load_duration_secs", model=name) >= seconds
    outcome = report(f"a load of {took:.1f} s", client, started)
    assert outcome.ok > size.rate * seconds * 0.5


@pytest.mark.row(191)
def test_the_books_balance_over_every_edition(controlled, size, load):
    """Counters go with their version, so that each edition is a version of its own here, and all of them stay."""
    server = controlled.server
    marked_model.add(controlled.repository, "editions", {1: 1}, marked_model.config(policy="all { }"))
    control.must_load(server, "editions")
    client = load("editions")
    started = time.monotonic()
    for version in range(2, 2 + min(size.rounds, 12)):
        marked_model.write(
            controlled.repository / "editions" / str(version) / "model.onnx", marked_model.encode(version)
        )
        control.must_load(server, "editions")
        assert marked_model.ask(server, "editions") == version
        size.pause(client)
    outcome = report("new versions", client, started)
    assert book_of(server, "editions") == outcome.sent + min(size.rounds, 12)
    assert len(outcome.seen) >= min(size.rounds, 12)


@pytest.mark.row(193)
def test_instances_come_and_go_in_the_running_version(controlled, size, load):
    server = controlled.server
    marked_model.add(controlled.repository, "instances", {1: 5})
    control.must_load(server, "instances")
    threads = resources.read(server.pid).threads
    loaded = prometheus.scrape(server).value("nv_model_load_duration_secs", model="instances")
    assert loaded > 0
    client = load("instances")
    started = time.monotonic()
    for count in [4, 1] * max(2, size.rounds // 4):
        marked_model.write(controlled.repository / "instances" / "config.pbtxt", marked_model.config(count))
        control.must_load(server, "instances")
        wait.until(lambda: resources.read(server.pid).threads == threads - 1 + count, f"{count} instances")
        config = raw_http.call(server, "GET", "/v2/models/instances/config").json()
        assert config["instance_group"][0]["count"] == count
        size.pause(client)
    outcome = report(f"instances 1 -> 4 -> 1 at {size.rate}/s", client, started)
    # The version was never loaded again, so that its books have all requests.
    assert book_of(server, "instances") == outcome.sent
    assert prometheus.scrape(server).value("nv_model_load_duration_secs", model="instances") == loaded


@pytest.mark.row(193)
def test_versions_come_and_go_beside_one_that_stays(controlled, size, load):
    server, name = controlled.server, "policy"
    marked_model.add(controlled.repository, name, {1: 1, 2: 2, 3: 3}, marked_model.config())
    control.must_load(server, name)
    assert control.ready_versions(server, name) == {"3"}
    pinned = load(name, "3")
    newest = load(name)
    started = time.monotonic()
    policies = {
        "all { }": {"1", "2", "3"},
        "specific { versions: [ 1, 3 ] }": {"1", "3"},
        "latest { num_versions: 2 }": {"2", "3"},
        "latest { num_versions: 1 }": {"3"},
    }
    for _ in range(max(1, size.rounds // 6)):
        for policy, versions in policies.items():
            marked_model.write(controlled.repository / name / "config.pbtxt", marked_model.config(policy=policy))
            control.must_load(server, name)
            assert control.ready_versions(server, name) == versions
            for version in versions:
                assert marked_model.ask(server, name, version=version) == int(version)
            size.pause(newest)
    for title, client in (("pinned", pinned), ("newest", newest)):
        assert set(report(f"policies, {title}", client, started).seen) == {3}
    asked = max(1, size.rounds // 6) * len(policies)
    page = prometheus.scrape(server)
    assert page.value("nv_inference_request_success", model=name, version="3") == (
        pinned.report.sent + newest.report.sent + asked
    )


@pytest.mark.row(192)
def test_an_unload_under_load_answers_everybody(controlled, size):
    server, name = controlled.server, "leaving"
    config = models.identity_config(
        [("FP32", [-1])], max_batch_size=8, extra="dynamic_batching { }\n" + models.parameter("execute_delay_ms", 20)
    )
    controlled.add(name, config)
    control.must_load(server, name)
    request = raw_http.request(
        "POST",
        f"/v2/models/{name}/infer",
        b'{"inputs":[{"name":"INPUT0","shape":[1,1],"datatype":"FP32","data":[1]}]}',
    )
    client = open_loop.OpenLoop(server, size.rate, lambda number: (request, number), lambda *_: "answered").start()
    wait.until(lambda: client.report.ok > 50, "the load runs")
    control.must_unload(server, name)
    sent_until_now = client.report.sent
    wait.until(lambda: client.report.sent > sent_until_now + 50, "requests behind the unload")
    outcome = client.finish()
    assert not outcome.wrong and not outcome.dropped, outcome.summary()
    assert outcome.ok > 50
    # Refused are the later ones only, as unknown or not ready.
    assert sum(outcome.refused.values()) + outcome.ok == outcome.sent
    assert {text.split(" ")[0] for text in outcome.refused} <= {"404", "503"}, outcome.summary()
    assert prometheus.scrape(server).find("nv_inference_request_success", model=name) == []
    assert prometheus.scrape(server).find("nv_model_load_duration_secs", model=name) == []


@pytest.mark.row(192)
def test_an_unload_gives_the_memory_back(controlled):
    server, name = controlled.server, "large"
    megabytes = 96
    path = controlled.repository / name / "1" / "model.onnx"
    marked_model.write(path, marked_model.encode(1, filler=megabytes))
    marked_model.write(controlled.repository / name / "config.pbtxt", marked_model.config())
    control.must_load(server, name)  # once before, so that what the runtime keeps is there
    control.must_unload(server, name)
    before = resources.read(server.pid).resident_bytes
    for _ in range(3):
        control.must_load(server, name)
        assert marked_model.ask(server, name, rows=4) == 1
        loaded = resources.read(server.pid).resident_bytes
        control.must_unload(server, name)
        after = resources.read(server.pid).resident_bytes
    print(f"\nresident MiB: before {before >> 20}, loaded {loaded >> 20}, unloaded {after >> 20}")
    if not server_module.is_sanitized():
        assert loaded - before > megabytes << 19, "it was loaded"
        assert after - before < 8 << 20, (before, loaded, after)


@pytest.mark.row(139)
def test_loads_and_unloads_of_one_model_from_32_threads(controlled, full):
    server, name = controlled.server, "raced"
    controlled.add(name, models.identity_config([("FP32", [-1])]))
    control.must_load(server, name)
    rounds = 1024 if full else 12
    verdicts = set()

    def race(number):
        for i in range(rounds):
            answer = (control.load if (number + i) % 2 else control.unload)(server, name)
            verdicts.add((answer.status, answer.body[:100]))

    threads = [threading.Thread(target=race, args=(number,)) for number in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert verdicts == {(200, b"")}, verdicts
    control.must_load(server, name)
    assert control.states(server, name) == {"1": "READY"}
    assert raw_http.call(server, "GET", f"/v2/models/{name}/ready").status == 200
