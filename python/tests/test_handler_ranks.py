"""Workers that are groups of processes: parallelType with torchrun's environment."""

import json
import os
import select

import handler_worker
import pytest
from handler_worker import write_model
from headrace_worker.handler_contract import ranks

_LIMIT_S = 30

# Without torch: ranks meet in files of the model's folder.
HANDLER = """
import os, sys, time
def handle(rows, context):
    rank = os.environ["RANK"]
    if rows is None:
        if os.path.exists("refuse") and rank == "1":
            raise ValueError("rank 1 does not want to")
        with open(f"loaded-{rank}-{os.getpid()}", "w"):
            return None
    order = bytes(rows[0]["body"]).decode()
    with open(f"{order}-{rank}-{context.get_request_id(0)}-{context.get_request_header(0, 'h')}", "w"):
        pass
    if order == "die" and rank == "2":
        os._exit(9)
    if order == "die":
        time.sleep(600)
    if order == "fail":
        if rank == "2":
            while not os.path.exists(f"fail-0-{context.get_request_id(0)}-y"):
                time.sleep(0.01)
            with open("behind", "w"):
                pass
        raise ValueError("not that")
    return [{name: os.environ[name] for name in ("RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "OMP_NUM_THREADS")}]
"""


def running(directory, kind="tp"):
    write_model(directory, {"h.py": HANDLER}, {"handler": "h"})
    given = {"model_config": {"parallelType": kind}, "rank_count": "3", "rank_thread_count": "2"}
    return handler_worker.running(directory, handler=given)


def seen(directory, order):
    return sorted(path.name for path in directory.glob(f"{order}-*"))


def test_every_rank_loads_and_gets_every_batch(tmp_path):
    with running(tmp_path) as worker:
        assert [name.split("-")[1] for name in seen(tmp_path, "loaded")] == ["0", "1", "2"]
        body = json.loads(worker.predict_body(b"go", headers={"h": "x"}, request_id="id"))
        assert body == {
            "RANK": "0",
            "WORLD_SIZE": "3",
            "LOCAL_WORLD_SIZE": "3",
            "MASTER_ADDR": "127.0.0.1",
            "OMP_NUM_THREADS": "2",
        }
        # A rank takes up one batch after the other: who has the second has been through the first.
        worker.predict_body(b"again", headers={"h": "x"}, request_id="id")
        worker.server.finalize()
        assert worker.server.process.wait(120) == 0
    assert "go-0-id-x" in seen(tmp_path, "go")


def test_of_a_pipeline_rank_0_alone_gets_batches(tmp_path):
    with running(tmp_path, "pp") as worker:
        assert len(seen(tmp_path, "loaded")) == 3
        worker.predict_body(b"go", headers={"h": "x"}, request_id="id")
        assert seen(tmp_path, "go") == ["go-0-id-x"]


def test_the_end_of_a_rank_is_the_end_of_the_worker(tmp_path):
    with running(tmp_path) as worker:
        worker.server.start_execute(worker.request({"body": (b"die", "")}, {"h": "x"}))
        assert worker.server.process.wait(120) == 71
        assert "rank 2 of 3" in worker.server.output()
    (tmp_path / "refuse").touch()
    with pytest.raises(EOFError, match="(?s)rank 1 of 3 .*exit status 1 .ValueError: rank 1 does not want to"):
        with running(tmp_path):
            pass


def test_the_end_of_rank_0_is_the_end_of_all(tmp_path):
    with running(tmp_path) as worker:
        ranks_seen = [int(name.split("-")[2]) for name in seen(tmp_path, "loaded")]
        assert len(ranks_seen) == 3
        processes = [os.pidfd_open(pid) for pid in ranks_seen]
        worker.server.process.kill()
        for process in processes:
            assert select.select([process], [], [], _LIMIT_S)[0], "a rank outlives rank 0"
            os.close(process)
        assert "of 3 ranks" in worker.server.output()


def test_a_failure_is_answered_when_all_are_through(tmp_path):
    with running(tmp_path) as worker:
        (answer,) = worker.predict(worker.request({"body": (b"fail", "")}, {"h": "y"}, request_id="id"))
        assert answer.error is not None
        assert (tmp_path / "behind").exists()
        assert json.loads(worker.predict_body(b"go", headers={"h": "x"}))["RANK"] == "0"


def test_what_cannot_be_is_named(tmp_path):
    write_model(tmp_path, {"h.py": HANDLER}, {"handler": "h"})
    for name, value in {"rank_count": "two", "rank_thread_count": "0", "gpus_per_worker": "257"}.items():
        assert f"'{name}' is '{value}'" in handler_worker.load_error(tmp_path, handler={name: value})
    both = {"rank_count": "2", "fork_workers": "true"}
    assert "fork_workers does not go with rank_count" in handler_worker.load_error(tmp_path, **both)


@pytest.mark.parametrize(
    "first, count, listed, inherited, expected",
    [
        (2, 2, None, "", "2,3"),
        (5, 2, [1, 5, 7, 8], "", "5,7"),
        (0, 2, [4, 5], "", "0,1"),
        (1, 2, None, "GPU-a, GPU-b,GPU-c", "GPU-b,GPU-c"),
    ],
)
def test_gpus_of_a_worker_are_neighbours(first, count, listed, inherited, expected):
    assert ranks.visible_gpus(first, count, listed, inherited) == expected
