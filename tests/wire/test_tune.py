"""`headrace tune` on a model whose best configuration is known: each execution takes the same time, whatever its batch."""

import json
import re
import signal
import subprocess
import threading

import pytest

from harness import models, raw_http
from harness import server as server_module

LIMIT_S = 240
INPUT = [{"name": "INPUT0", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}]


def command(*arguments):
    return [server_module.program(), "tune", *arguments]


def tune(*arguments):
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=LIMIT_S, check=False)


def add(directory, name, delay_ms):
    config = models.identity_config([("FP32", [4])], 8, models.parameter("execute_delay_ms", delay_ms))
    return models.add(directory, name, config)


@pytest.fixture
def repository(tmp_path):
    add(tmp_path / "models", "constant", 20)
    return tmp_path / "models"


def explicit(repository):
    return server_module.Server(repository, "--model-control-mode=explicit", "--load-model=constant")


def address(server):
    return ["-u", f"127.0.0.1:{server.port}", "--metrics-url", f"http://127.0.0.1:{server.metrics_port}/metrics"]


def config_of(server):
    return raw_http.call(server, "GET", "/v2/models/constant/config").json()


def service_rates(report, configuration):
    """Of the configuration's instances and threads, in a closed loop: {batch: inferences per second}."""
    (column,) = (
        column
        for column in report["service_times"]
        if all(column[key] == configuration[key] for key in ("variant", "instances", "threads"))
    )
    return {entry["batch"]: entry["sample"]["rate"] for entry in column["batches"]}


def test_batches_win_and_are_written(repository, tmp_path):
    before = (repository / "constant" / "config.pbtxt").read_text(encoding="utf-8")
    result_file, page = tmp_path / "result.json", tmp_path / "page.html"
    result = tune(
        "constant", "--sla", "p99=200ms", "--model-repository", str(repository), "--budget", "12s", "--cores", "2",
        "--apply", "--online", "--json", str(result_file), "--html", str(page),
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    document = json.loads(result_file.read_text(encoding="utf-8"))
    assert document["kind"] == "tune"
    report = document["extension"]
    winner = report["winner"]
    # One execution of 20 ms for each request is 50 a second; eight share one for the same price.
    assert winner["configuration"]["max_batch_size"] >= 4, report
    # How high rates are depends on what else the machine does. These are of one time, and what is simulated comes of them;
    # alone on a machine, and with three busy programs on each core, the rate in the end is 350 to 390/s against 45 to 110/s.
    rates = service_rates(report, winner["configuration"])
    assert rates[winner["configuration"]["max_batch_size"]] >= 2 * rates[1], report
    assert winner["predicted_rate"] >= 2 * rates[1], report
    assert winner["rate"] > 0, report
    assert report["binds"] in ("sla", "compute", "client", "queue"), report
    assert document["levels"], "what was measured belongs to the result"
    assert {cut["rule"] for cut in report["cuts"]}, "nothing was ruled out"
    assert "what binds" in result.stdout and "next:" in result.stderr
    assert "<svg" in page.read_text(encoding="utf-8")

    written = (repository / "constant" / "config.pbtxt").read_text(encoding="utf-8")
    assert f"max_batch_size: {winner['configuration']['max_batch_size']}\n" in written
    assert "dynamic_batching" in written and "execute_delay_ms" in written
    assert (repository / "constant" / "config.pbtxt.before-tune").read_text(encoding="utf-8") == before
    # Bounds are written where something else than the winner held the SLA, too.
    assert ("online_sla" in written) == any(note.startswith("online: p99") for note in report["notes"]), report
    with explicit(repository) as server:  # it loads
        shown = config_of(server)
        assert shown["max_batch_size"] == winner["configuration"]["max_batch_size"]
        assert shown["instance_group"][0]["count"] == winner["configuration"]["instances"]


def test_two_models_divide_the_machine_over_grpc(tmp_path):
    for name, delay_ms in (("quick", 20), ("slow", 60)):
        add(tmp_path / "models", name, delay_ms)
    result_file, journal, page = tmp_path / "result.json", tmp_path / "journal", tmp_path / "page.html"
    arguments = (
        "quick", "slow", "--sla", "quick:p90=900ms", "--sla", "slow:p90=1s", "--share", "quick=3,slow=1", "-i", "grpc",
        "--model-repository", str(tmp_path / "models"), "--cores", "2", "--batch-max", "4", "--delays", "0",
        "--resume", str(journal), "--html", str(page),
    )  # fmt: skip
    result = tune(*arguments, "--budget", "20s", "--apply", "--json", str(result_file))
    assert result.returncode == 0, result.stdout + result.stderr
    report = json.loads(result_file.read_text(encoding="utf-8"))["extension"]
    assert [model["share"] for model in report["models"]] == [0.75, 0.25]
    winner = report["divisions"][0]
    assert winner["rate"] > 0, report
    for part in winner["models"]:
        # Which division wins is the unit tests' matter: here the machine may be busy otherwise.
        written = (tmp_path / "models" / part["model"] / "config.pbtxt").read_text(encoding="utf-8")
        assert f"max_batch_size: {part['max_batch_size']}\n" in written
    assert "within every SLA" in result.stdout and "slow/config.pbtxt" in result.stdout
    html = page.read_text(encoding="utf-8")
    assert html.count("<svg") >= 5 and "chosen" in html  # the divisions; choices and times of each model
    keys = [json.loads(line).get("key", "") for line in journal.read_text(encoding="utf-8").splitlines()]
    assert {key.split(" ")[0] for key in keys[1:]} == {"quick:", "slow:", "mix"}
    # What the file has takes no time.
    again = tune(*arguments, "--budget", "1s")
    assert re.search(r"note: \d+ samples are from", again.stdout), again.stdout + again.stderr


def test_an_sla_that_nothing_meets(tmp_path):
    add(tmp_path / "models", "slow", 300)
    result = tune("slow", "--sla", "p99=50ms", "--model-repository", str(tmp_path / "models"), "--budget", "10s")
    assert result.returncode == 3, result.stdout + result.stderr
    assert "nothing meets p99" in result.stdout
    assert "times the SLA" in result.stdout and "headrace optimize" in result.stdout


def test_an_interrupted_run_keeps_what_it_has_and_puts_the_configuration_back(repository, tmp_path):
    journal = tmp_path / "journal"
    with explicit(repository) as server:
        before = config_of(server)
        arguments = command(
            "constant", "--sla", "p99=400ms", *address(server), "--budget", "60s", "--resume", str(journal)
        )  # fmt: skip
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            watchdog = threading.Timer(LIMIT_S, process.kill)
            watchdog.start()
            errors = ""
            for line in process.stderr:
                errors += line
                if line.startswith("service times: 1 instance, batch 4"):
                    process.send_signal(signal.SIGINT)
                    break
            output = process.stdout.read()
            errors += process.stderr.read()
            assert process.wait(LIMIT_S) == 130, output + errors
            watchdog.cancel()
        assert "interrupted; this is what was known" in output
        assert config_of(server) == before
    lines = [json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines()]
    assert "tuned" in lines[0]
    assert any(line["key"].startswith("service ") for line in lines[1:])


def test_a_server_that_others_use_is_left_alone(repository):
    with explicit(repository) as server:
        over = threading.Event()

        def use():
            while not over.is_set():
                raw_http.infer_json(server, "constant", {"inputs": INPUT})

        user = threading.Thread(target=use)
        user.start()
        try:
            result = tune("constant", "--sla", "p99=400ms", *address(server), "--budget", "5s")
        finally:
            over.set()
            user.join()
        assert result.returncode == 2, result.stdout + result.stderr
        assert "in use" in result.stderr and "--force" in result.stderr


def test_a_server_that_takes_no_loads_is_named(repository):
    with server_module.Server(repository) as server:
        result = tune("constant", "--sla", "p99=400ms", *address(server), "--budget", "5s")
        assert result.returncode == 2, result.stdout + result.stderr
        assert "load" in result.stdout + result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 1, "which model"),
        (["constant", "--model-repository", "."], 1, "--sla"),
        (["constant", "--sla", "soon", "--model-repository", "."], 1, "--sla"),
        (["constant", "--sla", "p99=10ms"], 1, "where is the model"),
        (["constant", "other", "--sla", "constant:p99=10ms"], 1, "--sla other:p99=100ms"),
        (["none.mar", "--sla", "p99=10ms"], 1, "is no file"),
        (["constant", "--sla", "p99=10ms", "-u", "127.0.0.1:1"], 2, "127.0.0.1"),
        (["--help"], 0, ""),
    ],
)
def test_bad_arguments_are_named(arguments, code, words):
    result = tune(*arguments)
    assert result.returncode == code, result.stdout + result.stderr
    assert words in result.stderr
