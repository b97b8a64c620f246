"""`headrace top --once` beside a running server."""

import concurrent.futures
import json
import subprocess
import threading

from harness import raw_http
from harness import server as server_module

SLOW_MS = 300  # what the model "slow" takes
SLOW_REQUEST = {"inputs": [{"name": "INPUT0", "shape": [1], "datatype": "FP32", "data": [1]}]}


def top(*arguments):
    return subprocess.run(
        [server_module.program(), "top", *arguments], capture_output=True, text=True, timeout=120, check=False
    )


def test_once_prints_every_model(server):
    metrics = f"http://127.0.0.1:{server.metrics_port}/metrics"
    table = top(server.url, "--metrics-url", metrics, "--once", "--interval", "0.1", "--sort", "name")
    assert table.returncode == 0, table.stderr
    assert "MODEL" in table.stdout and "identity_fp32" in table.stdout
    done = top(server.url, "--metrics-url", metrics, "--once", "--json", "--interval", "0.1")
    document = json.loads(done.stdout)
    assert document["server"].strip()
    fixed = next(row for row in document["models"] if row["model"] == "fixed")
    assert fixed["state"] == "READY" and fixed["instances"] == 1 and fixed["busy_estimated"] is False


def test_percentiles_are_of_whole_requests(server):
    metrics = f"http://127.0.0.1:{server.metrics_port}/metrics"
    done = threading.Event()

    def load():
        while not done.is_set():
            assert raw_http.infer_json(server, "slow", json.dumps(SLOW_REQUEST).encode()).status == 200

    with concurrent.futures.ThreadPoolExecutor() as pool:
        # One instance: the second of two requests waits for the first, and takes twice as long.
        clients = [pool.submit(load) for _ in range(2)]
        try:
            seen = top(server.url, "--metrics-url", metrics, "--once", "--json", "--interval", "1.5")
        finally:
            done.set()
        for client in clients:
            client.result()
    slow = next(row for row in json.loads(seen.stdout)["models"] if row["model"] == "slow")
    assert SLOW_MS <= slow["execute_p50_ms"] and SLOW_MS <= slow["latency_p50_ms"] <= slow["latency_p99_ms"]
    assert slow["latency_p99_ms"] > slow["execute_p50_ms"]


def test_what_cannot_be(server):
    gone = top("127.0.0.1:1", "--once")
    assert gone.returncode == 2 and "127.0.0.1:1" in gone.stderr
    assert top(server.url).returncode == 1  # no terminal
    assert top("--sort", "size", "--once").returncode == 1
    assert top("x:y", "--once").returncode == 1
