"""`headrace bench diff` over results of real runs."""

import json
import subprocess

import pytest

from harness import server as server_module


def headrace(*arguments):
    return subprocess.run(
        [server_module.program(), "bench", *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture(name="result")
def _result(server, tmp_path):
    path = tmp_path / "a.json"
    done = headrace(
        *("-u", server.url, "-m", "fixed", "--concurrency-range", "1", "--duration", "300ms", "--warmup", "0"),
        *("--json", path, "--quiet"),
    )
    assert done.returncode == 0, done.stderr
    return path


def test_a_result_is_no_different_from_itself(result):
    done = headrace("diff", result, result)
    assert done.returncode == 0, done.stderr
    assert "no difference" in done.stdout and "worse\n" not in done.stdout.replace("nothing is worse", "")
    document = json.loads(headrace("diff", "--json", result, result).stdout)
    assert document["any_worse"] is False
    assert {row["metric"] for row in document["rows"]} >= {"throughput", "p50", "p99", "failures"}


def test_gates_decide_the_exit_code(result):
    assert headrace("diff", result, result, "--gate", "p99<=+5%,throughput>=-5%").returncode == 0
    missed = headrace("diff", result, result, "--gate", "p99<=-50%")
    assert missed.returncode == 3 and "p99<=-50%" in missed.stderr
    wrong = headrace("diff", result, result, "--gate", "p99=5")
    assert wrong.returncode == 1 and "has no <=" in wrong.stderr


def test_files_that_cannot_be_compared(result, tmp_path):
    assert headrace("diff", result, tmp_path / "none.json").returncode == 2
    assert headrace("diff", result).returncode == 1
