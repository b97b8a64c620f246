"""`headrace bench suite`: configurations and loads of a file, measured on a server of its own and on a given one."""

import csv
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import urllib.request

import pytest

from harness import archives, models
from harness import server as server_module

LIMIT_S = 240
COLUMNS = (
    "Benchmark,TS failed requests,TS throughput,TS latency P50,TS latency P90,TS latency P99,TS latency mean,"
    "TS error rate,Batch size,Batch delay,Workers,Model,Concurrency,Input,Requests,Model_p50,Model_p90,Model_p99,"
    "Queue time p50,Queue time p90,Queue time p99,predict_mean,handler_time_mean,waiting_time_mean,worker_thread_mean,"
    "cpu_percentage_mean,memory_percentage_mean,gpu_percentage_mean,gpu_memory_percentage_mean,gpu_memory_used_mean"
)


def suite(folder, *arguments):
    """The command, in `folder`. Workers run the PATH's python3, which is to be the one with the tests' packages."""
    path = os.pathsep.join((str(pathlib.Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
    return subprocess.run(
        [server_module.program(), "bench", "suite", *arguments],
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1", "PATH": path},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


@pytest.fixture(name="folder")
def _folder(tmp_path):
    config = models.identity_config([("FP32", [4])], 8, "dynamic_batching { }\n")
    models.add(tmp_path / "repository", "m", config)
    return tmp_path


def write(folder, text, place="{repository: repository}"):
    (folder / "suite.yaml").write_text(
        f"server: {place}\ndefaults: {{warmup: 0, duration: 100ms}}\nmodels:\n" + text, encoding="utf-8"
    )


def test_a_suite_is_measured_resumed_and_reported(folder):
    write(folder, "  - {model: m, batch: [1, 4], instances: [1, 2], concurrency: 2, sla: 10s}\n")
    done = suite(folder, "suite.yaml", "-o", "out")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 points measured, 0 failed" in done.stdout
    result = json.loads((folder / "out/result.json").read_text())
    assert result["kind"] == "suite"
    labels = [level["spec"]["labels"] for level in result["levels"]]
    assert [(one["max_batch"], one["instances"]) for one in labels] == [("1", "1"), ("1", "2"), ("4", "1"), ("4", "2")]
    assert all(level["throughput"] > 0 for level in result["levels"])
    text = (folder / "out/ab_report.csv").read_text()
    assert text.splitlines()[0] == COLUMNS
    rows = list(csv.DictReader(text.splitlines()))
    assert [(row["Batch size"], row["Workers"]) for row in rows] == [("1", "1"), ("1", "2"), ("4", "1"), ("4", "2")]
    assert all(float(row["TS throughput"]) > 0 and row["TS failed requests"] == "0" for row in rows)
    page = (folder / "out/report.html").read_text()
    assert page.count("<svg") > 4 and "http://" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "## m" in (folder / "out/report.md").read_text()
    metrics = json.loads((folder / "out/stats_metrics.json").read_text())
    assert len(metrics) == 4 * 14 and metrics[0]["MetricName"] == "m_throughput"

    # The same command has nothing left to do; a changed file keeps what it still wants.
    again = suite(folder, "suite.yaml", "-o", "out")
    assert again.returncode == 0 and "0 points measured, 0 failed, 4 from before" in again.stdout
    write(folder, "  - {model: m, batch: 4, instances: [1, 2, 3], concurrency: 2, sla: 10s}\n")
    changed = suite(folder, "suite.yaml", "-o", "out")
    assert "1 points measured, 0 failed, 2 from before" in changed.stdout, changed.stdout + changed.stderr
    assert "the suite was changed since: 2 measured points" in changed.stderr


def test_a_configuration_that_cannot_be_loaded_leaves_the_others(folder):
    write(folder, "  - {model: m, concurrency: 1}\n  - {model: missing, concurrency: 1}\n")
    done = suite(folder, "suite.yaml", "-o", "out")
    assert done.returncode == 2
    assert "1 points measured, 1 failed" in done.stdout
    result = json.loads((folder / "out/result.json").read_text())
    (failure,) = result["extension"]["suite"]["failures"]
    assert "missing" in failure["reason"]


def test_a_given_server_gets_its_configuration_back(folder):
    with server_module.Server(
        folder / "repository", "--model-control-mode=explicit", "--load-model=m"
    ) as running:
        write(folder, "  - {model: m, batch: 2, instances: 2, rate: 50}\n", f"{{url: '{running.url}'}}")
        done = suite(folder, "suite.yaml", "-o", "out")
        assert done.returncode == 0, done.stdout + done.stderr
        with urllib.request.urlopen(f"http://{running.url}/v2/models/m/config", timeout=30) as answer:
            config = json.load(answer)
        assert config["max_batch_size"] == 8
        assert config["instance_group"][0]["count"] == 1


def test_gates(folder):
    write(folder, "  - {model: m, concurrency: 1}\n")
    assert suite(folder, "suite.yaml", "--gate", "p99<=60s,failures<=0%").returncode == 0
    missed = suite(folder, "suite.yaml", "--gate", "throughput>=1000000000/s")
    assert missed.returncode == 3 and "missed" in missed.stderr
    against = suite(folder, "suite.yaml", "--gate", "p99<=+0%", "--baseline", "suite.results/result.json")
    assert against.returncode == 0, against.stderr
    assert suite(folder, "suite.yaml", "--gate", "p99<=+0%").returncode == 1


def test_what_is_wrong_is_named(folder):
    write(folder, "  - {model: m, bach: 3}\n")
    wrong = suite(folder, "suite.yaml")
    assert wrong.returncode == 1
    assert re.search(r"suite\.yaml:4: models\[0\]\.bach: there is no such key", wrong.stderr)
    write(folder, "  - {model: m}\n", "{url: '127.0.0.1:1'}")
    assert suite(folder, "suite.yaml").returncode == 2
    assert suite(folder, "none.yaml").returncode == 1
    write(folder, "  - {model: m, batch: [1, 2]}\n")
    plan = suite(folder, "suite.yaml", "--dry-run")
    assert plan.returncode == 0 and "2 points of 2 configurations" in plan.stdout


def test_the_form_of_torchserve(folder):
    (folder / "echo.py").write_text("import time\n\n\ndef handle(rows, context):\n    time.sleep(0.002)\n    return ['yes'] * len(rows or [])\n")
    (folder / "echo.mar").write_bytes(archives.handler_mar("echo", folder / "echo.py"))
    (folder / "input.txt").write_text("hello")
    (folder / "echo.yaml").write_text(
        "echo:\n  eager_mode:\n    benchmark_engine: ab\n    url: echo.mar\n    workers: [1]\n    batch_size: [1, 2]\n"
        "    batch_delay: 1\n    requests: 40\n    concurrency: 2\n    input: input.txt\n    processors: [cpu]\n"
    )
    (folder / "suite.yaml").write_text("models: [echo.yaml]\nhardware: cpu\n")
    done = suite(folder, "suite.yaml", "-o", "out")
    assert done.returncode == 0, done.stdout + done.stderr + (folder / "out/server.log").read_text()
    assert "batch_delay: acts here" in done.stderr
    rows = list(csv.DictReader((folder / "out/ab_report.csv").read_text().splitlines()))
    assert [(row["Benchmark"], row["Batch size"], row["Workers"], row["Requests"]) for row in rows] == [
        ("AB", "1", "1", "40"),
        ("AB", "2", "1", "40"),
    ]
    assert all(row["TS failed requests"] == "0" and float(row["predict_mean"]) >= 1 for row in rows)
    case = (folder / "out/eager_mode_echo_w1_b2/ab_report.csv").read_text().splitlines()
    assert case[0] == COLUMNS and len(case) == 2
    report = (folder / "out/report.md").read_text()
    assert report.startswith("# TorchServe Benchmark on cpu\n") and "## eager_mode_echo" in report


def test_what_is_known_is_kept_when_it_is_interrupted(folder):
    write(folder, "  - {model: m, concurrency: 1}\n  - {model: m, name: long, concurrency: 1, duration: 10m}\n")
    with subprocess.Popen(
        [server_module.program(), "bench", "suite", "suite.yaml", "-o", "out"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as running:
        assert "[1/2] m | closed" in running.stdout.readline()
        running.send_signal(signal.SIGINT)
        rest = running.stdout.read()
        assert running.wait(LIMIT_S) == 130
    assert "1 points measured, 0 failed, 0 from before; interrupted" in rest
    result = json.loads((folder / "out/result.json").read_text())
    assert result["interrupted"] is True and len(result["levels"]) == 1
