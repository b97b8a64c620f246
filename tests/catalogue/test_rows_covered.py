"""Every row of the catalogue that this server answers for has a test, and none of them is left out."""

import json
import pathlib
import subprocess
import sys

from harness import backends

ROWS = {*range(1, 181), *range(188, 196), *range(197, 204)}
# Without models that have files of their own these have no meaning.
if not backends.built("onnxruntime"):
    ROWS -= {156, 188, 189, 190, 191, 192, 193, 195}
if not (backends.built("onnxruntime") or backends.built("openvino")):
    ROWS -= {111, 112}

_COLLECT = """
import json, sys, pytest

class Collector:
    def pytest_collection_finish(self, session):
        rows = {}
        for item in session.items:
            out = any(item.get_closest_marker(name) for name in ("skip", "skipif", "xfail"))
            for marker in item.iter_markers("row"):
                rows.setdefault(marker.args[0], []).append(not out)
        print("ROWS " + json.dumps(rows))

sys.exit(pytest.main(["--collect-only", "-qq", "-p", "no:cacheprovider", sys.argv[1]], plugins=[Collector()]))
"""


def test_every_row_has_a_test_that_runs():
    folder = pathlib.Path(__file__).parent
    result = subprocess.run(
        [sys.executable, "-c", _COLLECT, str(folder)],
        capture_output=True,
        text=True,
        cwd=folder.parents[1],
        check=False,
        timeout=120,
    )
    lines = [line for line in result.stdout.splitlines() if line.startswith("ROWS ")]
    assert lines, result.stdout + result.stderr
    rows = {int(row): running for row, running in json.loads(lines[0].removeprefix("ROWS ")).items()}
    assert set(rows) - ROWS == set(), "rows that are not in the list"
    assert ROWS - set(rows) == set(), "rows without a test"
    assert [row for row, running in rows.items() if not all(running)] == [], "rows whose tests are left out"
