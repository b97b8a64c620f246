"""Row 137: what clients ask for makes no series on TorchServe's metrics page."""

import pathlib

import pytest

from harness import archives, torchserve_program

HANDLER = pathlib.Path(__file__).parents[1] / "wire" / "handlers" / "tell.py"


@pytest.mark.row(137)
def test_names_that_are_not_known_make_no_series(tmp_path):
    store, work = tmp_path / "store", tmp_path / "work"
    store.mkdir()
    work.mkdir()
    (store / "tell.mar").write_bytes(archives.handler_mar("tell", HANDLER))
    with torchserve_program.TorchServeProgram(
        store, work, "--ncs", "--disable-token-auth", "--models=tell.mar", default_workers_per_model=1
    ) as program:

        def series():
            status, _, text = program.ask("GET", "/metrics", port=program.metrics_port)
            assert status == 200
            return {line.rpartition(" ")[0] for line in text.splitlines() if not line.startswith("#")}

        assert program.ask("POST", "/predictions/nope-first", body="a")[0] == 404
        before = series()
        for i in range(200):
            assert program.ask("POST", f"/predictions/nope-{i}", body="a")[0] == 404
            assert program.ask("POST", f"/predictions/tell/{i + 7}.{i}", body="a")[0] == 404
        assert {line for line in series() - before if "nope" in line or "tell" in line} == set()
