"""Workers by load: between the two numbers that a model was given, and from none at all."""

import contextlib
import json
import textwrap
import threading

import pytest
from harness import archives, prometheus, torchserve_program, wait

# An execution that takes a while is what makes a queue: nothing is counted by it.
MODEL = textwrap.dedent(
    """
    import time


    def handle(data, context):
        if data is None:
            return None
        time.sleep(0.2)
        return [bytes(row["body"]) for row in data]
    """
)
LIMIT_S = 120


@contextlib.contextmanager
def _running(folder, **keys):
    store, work = folder / "store", folder / "work"
    store.mkdir()
    work.mkdir()
    (store / "m.mar").write_bytes(archives.mar("m", {"handler.py": MODEL}, "handler.py:handle"))
    server = torchserve_program.TorchServeProgram(
        store, work, "--disable-token-auth", "--enable-model-api", "--ncs", **keys
    )
    with server:
        assert _manage(server, "POST", "/models?url=m.mar")[0] == 200
        yield server
        assert server.stop() == 0, server.output()


def _manage(server, method, path):
    status, _, body = server.ask(method, path, port=server.management_port)
    return status, json.loads(body)


def _describe(server):
    return _manage(server, "GET", "/models/m")[1][0]


def _scale(server, least, most):
    status, body = _manage(server, "PUT", f"/models/m?min_worker={least}&max_worker={most}&synchronous=true")
    assert status == 200, body


def test_a_request_starts_the_first_worker(tmp_path):
    with _running(tmp_path) as server:
        assert server.ask("POST", "/predictions/m", body=b"x")[0] == 503  # nobody has said that there may be one
        _scale(server, 0, 2)
        assert _describe(server)["workers"] == []
        # Taken note of at the next look; until then the answer is the same as before.
        wait.until(
            lambda: server.ask("POST", "/predictions/m", body=b"hello")[::2] == (200, "hello"), "a worker", LIMIT_S
        )
        description = _describe(server)
        assert len(description["workers"]) == 1
        assert (description["minWorkers"], description["maxWorkers"]) == (0, 2)
        assert description["autoscaling"] == {"wantedWorkers": 1, "reason": "requests wait for a first worker"}


def test_a_queue_starts_more_workers_up_to_the_most(tmp_path):
    with _running(tmp_path) as server:
        _scale(server, 1, 2)
        assert len(_describe(server)["workers"]) == 1
        enough = threading.Event()
        statuses = set()

        def send():
            while not enough.is_set():
                statuses.add(server.ask("POST", "/predictions/m", body=b"x")[0])

        senders = [threading.Thread(target=send) for _ in range(12)]
        for sender in senders:
            sender.start()
        try:
            wait.until(lambda: len(_describe(server)["workers"]) == 2, "a second worker", LIMIT_S)
        finally:
            enough.set()
            for sender in senders:
                sender.join()
        assert statuses == {200}
        assert _describe(server)["autoscaling"] == {"wantedWorkers": 2, "reason": "the queue grows"}
        page = prometheus.Page(server.ask("GET", "/metrics", port=server.metrics_port)[2])
        figures = {
            name: page.value(f"headrace_workers_{name}", model="m", version="1.0")
            for name in ("wanted", "min", "max", "queue_depth")
        }
        assert figures == {"wanted": 2, "min": 1, "max": 2, "queue_depth": 0}


@pytest.mark.parametrize("keys", [{"autoscale": "false"}])
def test_the_switch_leaves_all_models_alone(tmp_path, keys):
    with _running(tmp_path, **keys) as server:
        _scale(server, 0, 2)
        assert server.ask("POST", "/predictions/m", body=b"x")[0] == 503
        _scale(server, 1, 2)
        assert server.ask("POST", "/predictions/m", body=b"x")[::2] == (200, "x")
        assert "autoscaling" not in _describe(server)
