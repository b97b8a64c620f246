"""Several hundred requests answered as TorchServe 0.12 answers them, but for the differences that are meant.

The answers of a TorchServe are recorded in torchserve_0.12.json (record.py). Every difference has a row in differences.py,
with its reason and with the answer that is expected in its place; a row without a difference is an error as well.
Where a TorchServe is installed (HEADRACE_PEERS), the record is compared with it, too.
"""

import json
import pathlib

import answers
import differences
import pytest
import record
import scenarios

from harness import server as server_module
from harness import torchserve, wait


@pytest.fixture(scope="module")
def answered(tmp_path_factory):
    """Our answers, by the request's name."""
    work = tmp_path_factory.mktemp("differential")
    store = scenarios.make_store(work / "store")
    (work / "server").mkdir()
    settings = {"enable_model_api": "true", "default_workers_per_model": 1, "unregister_model_timeout": 20}
    program = pathlib.Path(server_module.program()).resolve().parent / "torchserve"
    with torchserve.TorchServe(store, work / "server", models=scenarios.LOADED, command=program, **settings) as server:
        server.wait_line("Model server started.")
        for model in scenarios.LOADED:
            wait.until(lambda name=model.split("=")[0]: server.ready(name), f"{model} is ready", 120)
        ports = {
            scenarios.INFERENCE: server.port,
            scenarios.MANAGEMENT: server.management_port,
            scenarios.METRICS: server.metrics_port,
        }
        yield answers.ask_all(ports, scenarios.requests())
        assert server.alive(), server.output()


@pytest.fixture(scope="module")
def recorded():
    """TorchServe's answers, by the request's name."""
    return json.loads(record.RECORDED.read_text(encoding="utf-8"))


def test_the_record_has_every_request(recorded):
    assert set(recorded) == {request.name for request in scenarios.requests()}
    assert len(recorded) >= 300
    assert set(differences.EXPECTED) <= set(recorded), "rows of requests that there are not"


@pytest.mark.parametrize("name", [request.name for request in scenarios.requests()])
def test_answers_as_torchserve_does(name, recorded, answered):
    ours, theirs = answered[name], recorded[name]
    if name not in differences.EXPECTED:
        assert ours == theirs
        return
    row = differences.EXPECTED[name]
    assert row.why, "a difference needs a reason"
    assert ours == row.answer(theirs)
    assert ours != theirs, "this is no difference any more: its row can go"


@pytest.mark.skipif(torchserve.program() is None, reason="no TorchServe is installed (HEADRACE_PEERS)")
def test_the_record_is_what_an_installed_torchserve_says(tmp_path, recorded):
    assert record.record(tmp_path) == recorded
