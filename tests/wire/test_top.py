"""`headrace top --once` beside a running server."""

import json
import subprocess

from harness import server as server_module


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


def test_what_cannot_be(server):
    gone = top("127.0.0.1:1", "--once")
    assert gone.returncode == 2 and "127.0.0.1:1" in gone.stderr
    assert top(server.url).returncode == 1  # no terminal
    assert top("--sort", "size", "--once").returncode == 1
    assert top("x:y", "--once").returncode == 1
