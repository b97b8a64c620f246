"""`headrace tune` on archives of TorchServe's form, and on a TorchServe: each execution takes the same time, whatever its batch."""

import json
import subprocess
import textwrap
import zipfile

import pytest
from harness import archives, raw_http, torchserve_program
from harness import server as server_module

LIMIT_S = 240
HANDLER = textwrap.dedent(
    """
    import time


    def handle(data, context):
        if data is None:
            return None
        time.sleep(0.02)
        return ["ok"] * len(data)
    """
)
SETTINGS = "# mine\nminWorkers: 1\nmaxWorkers: 1\nbatchSize: 8\nresponseTimeout: 77\nhandler:\n  batchSize: theirs\n"


def tune(*arguments):
    """A small search: what it finds is for other tests, and here what becomes of it."""
    own = ["--sla", "p99=200ms", "--cores", "1", "--delays", "0"]
    command = [server_module.program(), "tune", *map(str, arguments), *own]
    return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)


def configuration(result_file):
    return json.loads(result_file.read_text(encoding="utf-8"))["extension"]["winner"]["configuration"]


def archive_with(make, settings=None):
    files = {"handler.py": HANDLER}
    if settings is None:
        return make("tiny", files, "handler.py:handle")
    return make("tiny", {**files, "own.yaml": settings}, "handler.py:handle", configFile="own.yaml")


def test_an_archive_gets_the_answer_and_serves_by_it(tmp_path):
    archive, result_file = tmp_path / "tiny.mar", tmp_path / "result.json"
    before = archive_with(archives.mar, SETTINGS)
    archive.write_bytes(before)
    result = tune(archive, "--string-data", "x", "--budget", "6s", "--batch-max", "4", "--apply", "--json", result_file)
    assert result.returncode == 0, result.stdout + result.stderr
    assert (tmp_path / "tiny.mar.before-tune").read_bytes() == before
    assert f"applied to {archive} (as it was: tiny.mar.before-tune)" in result.stdout
    chosen = configuration(result_file)
    with zipfile.ZipFile(archive) as written:
        assert written.testzip() is None
        assert written.namelist().count("own.yaml") == 1
        yaml = written.read("own.yaml").decode()
        assert written.read("handler.py").decode() == HANDLER
    assert f"batchSize: {chosen['max_batch_size']}\n" in yaml.splitlines(keepends=True)
    assert "# mine\nresponseTimeout: 77\nhandler:\n  batchSize: theirs\n" in yaml
    archives.add(tmp_path / "models", "tiny", archive.read_bytes())
    with server_module.Server(tmp_path / "models", "--model-control-mode=explicit", "--load-model=tiny") as server:
        shown = raw_http.call(server, "GET", "/v2/models/tiny/config").json()
    assert shown["max_batch_size"] == chosen["max_batch_size"]
    assert shown["instance_group"][0]["count"] == chosen["instances"]
    if chosen["max_batch_size"] > 1:  # 0 would mean 100 ms, to TorchServe
        assert int(shown["dynamic_batching"]["max_queue_delay_microseconds"]) == 1000
    assert shown["parameters"]["INTRA_OP_THREAD_COUNT"]["string_value"] == str(chosen["threads"])


def test_a_tar_gets_a_file_beside_it(tmp_path):
    archive = tmp_path / "tiny.tgz"
    archive.write_bytes(archive_with(archives.tgz))
    before = archive.read_bytes()
    result = tune(archive, "--string-data", "x", "--budget", "3s", "--batch-max", "1", "--apply")
    assert result.returncode == 0, result.stdout + result.stderr
    assert archive.read_bytes() == before
    assert "batchSize: 1\n" in (tmp_path / "tiny.model-config.yaml").read_text(encoding="utf-8")
    assert "nothing reads tiny.model-config.yaml until" in result.stdout


@pytest.fixture(scope="module")
def torchserve(tmp_path_factory):
    store, work = tmp_path_factory.mktemp("store"), tmp_path_factory.mktemp("work")
    (store / "tiny.mar").write_bytes(archive_with(archives.mar))
    with torchserve_program.TorchServeProgram(store, work, "--disable-token-auth", "--enable-model-api", "--ncs") as server:
        status, _, body = server.ask(
            "POST", "/models?url=tiny.mar&batch_size=2&max_batch_delay=30&initial_workers=1&response_timeout=77&synchronous=true",
            port=server.management_port,
        )  # fmt: skip
        assert status == 200, body
        yield server


def registered(server):
    model = json.loads(server.ask("GET", "/models/tiny", port=server.management_port)[2])[0]
    return {key: model[key] for key in ("minWorkers", "maxWorkers", "batchSize", "maxBatchDelay", "responseTimeout")}


def address(server):
    return [
        "-i", "torchserve", "-u", f"127.0.0.1:{server.port}", "--management-url", f"http://127.0.0.1:{server.management_port}",
        "--metrics-url", f"http://127.0.0.1:{server.metrics_port}/metrics",
    ]  # fmt: skip


def test_a_torchserve_is_as_it_was_when_nothing_is_applied(torchserve):
    before = registered(torchserve)
    result = tune("tiny", *address(torchserve), "--string-data", "x", "--budget", "3s", "--batch-max", "2")
    assert result.returncode == 0, result.stdout + result.stderr
    assert registered(torchserve) == before
    assert "model-config.yaml" in result.stdout


def test_a_torchserve_keeps_what_was_chosen(torchserve, tmp_path):
    result_file = tmp_path / "result.json"
    result = tune("tiny", *address(torchserve), "--string-data", "x", "--budget", "6s", "--batch-max", "4", "--apply", "--json", result_file)
    assert result.returncode == 0, result.stdout + result.stderr
    chosen, now = configuration(result_file), registered(torchserve)
    assert now["batchSize"] == chosen["max_batch_size"]
    assert now["minWorkers"] == now["maxWorkers"] == chosen["instances"]
    assert now["maxBatchDelay"] == (1 if chosen["max_batch_size"] > 1 else 30)
    assert now["responseTimeout"] == 77
    assert f"applied to the server at 127.0.0.1:{torchserve.port}" in result.stdout
    assert torchserve.ask("POST", "/predictions/tiny", body=b"x")[0] == 200


def test_what_cannot_be_sent_is_said_before_anything_is_measured(torchserve):
    before = registered(torchserve)
    result = tune("tiny", *address(torchserve), "--budget", "5s")
    assert result.returncode == 2, result.stdout + result.stderr
    assert "--input-data FILE" in result.stderr
    assert registered(torchserve) == before


def test_an_archive_that_does_not_load_says_why(tmp_path):
    archive = tmp_path / "broken.mar"
    archive.write_bytes(archives.mar("broken", {"handler.py": "raise ValueError('no such weights')\n"}, "handler.py"))
    result = tune(archive, "--string-data", "x", "--budget", "5s")
    assert result.returncode == 2, result.stdout + result.stderr
    assert "no such weights" in result.stderr


def test_the_online_mode_is_not_theirs(torchserve, tmp_path):
    before = registered(torchserve)
    (tmp_path / "tiny.mar").write_bytes(archive_with(archives.mar))
    for model in ([tmp_path / "tiny.mar"], ["tiny", *address(torchserve)]):
        result = tune(*model, "--string-data", "x", "--apply", "--online")
        assert result.returncode in (1, 2), result.stdout
        assert "--online" in result.stderr and "minWorkers" in result.stderr, result.stderr
    assert registered(torchserve) == before
