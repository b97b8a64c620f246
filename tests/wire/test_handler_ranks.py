"""A worker of several processes (parallelType: tp), which torch.distributed joins."""

import pathlib
import re
import sys

import pytest
import requests

from harness import archives, control
from harness import server as server_module

pytest.importorskip("torch.distributed")
_HANDLER = pathlib.Path(__file__).parent / "handlers" / "spread.py"
_SETTINGS = "parallelType: tp\ntorchrun:\n  nproc-per-node: 2\n  OMP_NUMBER_THREADS: 1\n"
_LIMIT_S = 120
_MODELS = {
    "spread": _SETTINGS,
    "refuses": _SETTINGS + "trouble: refuses\n",
    "absent": _SETTINGS + "trouble: absent\nstartupTimeout: 8\n",
}


@pytest.fixture(scope="module", name="server")
def _server(tmp_path_factory):
    repository = tmp_path_factory.mktemp("ranks")
    for name, settings in _MODELS.items():
        archives.add(repository, name, archives.handler_mar(name, _HANDLER, settings))
    options = ["--model-control-mode=explicit", f"--backend-config=handler,interpreter={sys.executable}"]
    with server_module.Server(repository, *options) as running:
        yield running
        assert running.stop() == 0, running.output()


def test_ranks_compute_together_and_end_together(server):
    def ask(order):
        return requests.post(f"http://{server.url}/predictions/spread", data=order, timeout=_LIMIT_S)

    control.must_load(server, "spread")
    first = ask("go").json()
    # 0 + 1 + ... + 7, of which this process has the first half.
    assert (first["total"], first["part"]) == (28.0, 6.0)
    # Rank 0 waits in all_reduce for one that has died: the worker goes, and the next one serves.
    assert ask("die").status_code == 500
    second = ask("go").json()
    assert (second["total"], second["part"]) == (28.0, 6.0)
    assert second["process"] != first["process"]


def test_ranks_that_do_not_load_are_named(server):
    for name, reason in {
        "refuses": r"rank 1 of 2 \(process \d+\) has ended with exit status 1 \(ValueError: no room for the second half\)",
        "absent": r"did not load the model within 8 s .*ranks these have not loaded the handler yet, beside rank 0: 1",
    }.items():
        answer = control.load(server, name)
        assert answer.status == 400 and re.search(reason, answer.error), answer.error
        state, why = control.index(server)[name]["1"]
        assert state == "UNAVAILABLE" and re.search(reason, why), why
