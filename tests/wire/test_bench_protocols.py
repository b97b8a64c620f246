"""`headrace bench` with bodies that are no tensors: TorchServe's predictions and KServe v1."""

import json
import pathlib
import subprocess

import pytest

from harness import archives, torchserve_program
from harness import server as server_module

LIMIT_S = 120
COUNT = 20
HANDLER = pathlib.Path(__file__).parent / "handlers" / "doubled.py"


@pytest.fixture(scope="module", name="server")
def _server(tmp_path_factory):
    """`doubled`, which takes KServe v1's instances at either place."""
    store, work = tmp_path_factory.mktemp("store"), tmp_path_factory.mktemp("work")
    (store / "doubled.mar").write_bytes(archives.handler_mar("doubled", HANDLER))
    keys = {"service_envelope": "kserve", "default_workers_per_model": 1}
    flags = ("--ncs", "--disable-token-auth", "--models=doubled.mar")
    with torchserve_program.TorchServeProgram(store, work, *flags, **keys) as running:
        yield running
        assert running.stop() == 0, running.output()


def outcomes(server, protocol, *arguments):
    """COUNT requests, two at a time: how they ended, and all that was written."""
    command = [server_module.program(), "bench", "-i", protocol, "-u", f"{server.host}:{server.port}", "-m", "doubled"]
    command += ["--control-url", f"{server.host}:{server.management_port}"] if protocol == "torchserve" else []
    command += ["--concurrency", "2", "-n", str(COUNT), "--warmup", "0", "--json", "-", *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert ran.stdout, ran.stderr
    (level,) = json.loads(ran.stdout)["levels"]
    return level["outcomes"], ran.stdout


@pytest.mark.parametrize("protocol", ["torchserve", "v1"])
def test_bodies_are_sent_and_their_answers_compared(server, tmp_path, protocol):
    body, golden = tmp_path / "body.json", tmp_path / "golden.json"
    body.write_text(json.dumps({"instances": [1, 2.5]}), encoding="utf-8")
    golden.write_text(json.dumps({"predictions": [2, 5]}), encoding="utf-8")
    found, text = outcomes(server, protocol, "--input-data", body, "--golden", golden)
    assert found == {"ok": COUNT}, text
    golden.write_text(json.dumps({"predictions": [2, 6]}), encoding="utf-8")
    found, text = outcomes(server, protocol, "--input-data", body, "--golden", golden)
    assert found == {"wrong answer": COUNT} and "$.predictions[1]: 5, expected 6" in text


def test_instances_are_made_of_what_there_is(server, tmp_path):
    array, golden = tmp_path / "array.json", tmp_path / "golden.json"
    array.write_text("[3, 4]", encoding="utf-8")
    golden.write_text(json.dumps({"predictions": [6, 8]}), encoding="utf-8")
    assert outcomes(server, "v1", "--input-data", array, "--golden", golden)[0] == {"ok": COUNT}
    text = outcomes(server, "v1", "--string-data", "ab", "-b", 2, "--golden", golden)[1]
    assert "abab" in text


def test_the_first_failure_is_in_the_servers_words(server, tmp_path):
    body = tmp_path / "body.json"
    body.write_text("{}", encoding="utf-8")
    found, text = outcomes(server, "torchserve", "--input-data", body)
    assert "ok" not in found and sum(found.values()) == COUNT
    assert "the first of the run: HTTP 5" in text, text
