"""Tests of the layer check on small made-up source trees."""

import pathlib
import subprocess
import sys

import pytest

_SCRIPT = pathlib.Path(__file__).with_name("check_layers.py")


def _guarded(name, text):
    """The text with the guard that its name asks for, if it is a header's and has none."""
    if not name.endswith(".h") or "#ifndef" in text:
        return text
    guard = "HEADRACE_" + name.removeprefix("src/").replace("/", "_").replace(".h", "_H_").upper()
    return f"#ifndef {guard}\n#define {guard}\n{text}\n#endif\n"


@pytest.fixture(name="check")
def _check(tmp_path):
    """Returns a function that writes files (path to text) and runs the check on them."""

    def run(files):
        (tmp_path / "src").mkdir()
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(_guarded(name, text))
        done = subprocess.run(
            [sys.executable, _SCRIPT, tmp_path], capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout

    return run


def test_includes_that_point_down_pass(check):
    code, _ = check(
        {
            "src/engine/queue.cc": '#include "engine/queue.h"\n#include <vector>\n',
            "src/engine/queue.h": '#include "base/status.h"\n',
            "src/base/status.h": "",
        }
    )
    assert code == 0


def test_an_include_that_points_up_is_named_with_its_line(check):
    code, output = check(
        {"src/base/status.h": '\n#include "engine/queue.h"\n', "src/engine/queue.h": ""}
    )
    assert code != 0
    assert 'src/base/status.h:4: #include "engine/queue.h": base lies below engine' in output


def test_the_engine_must_not_include_a_codec_below_it(check):
    code, output = check(
        {"src/engine/queue.h": '#include "protocol/json.h"\n', "src/protocol/json.h": ""}
    )
    assert code != 0
    assert "the engine knows no wire format" in output


def test_a_cycle_inside_one_folder_is_found(check):
    code, output = check(
        {
            "src/base/a.h": '#include "base/b.h"\n',
            "src/base/b.h": '#include "base/c.h"\n',
            "src/base/c.h": '#include "base/a.h"\n',
        }
    )
    assert code != 0
    assert "include cycle: src/base/a.h -> src/base/b.h -> src/base/c.h -> src/base/a.h" in output


def test_a_header_of_two_users_is_no_cycle(check):
    code, _ = check(
        {
            "src/base/a.h": '#include "base/b.h"\n#include "base/c.h"\n',
            "src/base/b.h": '#include "base/d.h"\n',
            "src/base/c.h": '#include "base/d.h"\n',
            "src/base/d.h": "",
        }
    )
    assert code == 0


def test_a_missing_project_header_is_named(check):
    code, output = check({"src/base/a.h": '#include "base/gone.h"\n'})
    assert code != 0
    assert "no such file" in output


@pytest.mark.parametrize("included", ["src/base/status.h", "backends/other/x.h"])
def test_a_backend_includes_neither_the_core_nor_another_backend(check, included):
    name = included.split("/", 1)[1]
    code, output = check({"backends/mine/x.cc": f'#include "{name}"\n', included: ""})
    assert code != 0
    assert "backends/mine/x.cc:1" in output


def test_a_backend_may_include_what_backends_share(check):
    code, _ = check(
        {"backends/mine/x.cc": '#include "common/batch.h"\n', "backends/common/batch.h": ""}
    )
    assert code == 0


def test_a_folder_outside_the_list_is_refused(check):
    code, output = check({"src/extra/x.h": ""})
    assert code != 0
    assert "src/extra: not in the list of layers" in output


def test_a_header_generated_from_a_message_file_belongs_to_its_folder(check):
    code, output = check(
        {
            "src/repository/config.proto": "",
            "src/repository/config.cc": '#include "repository/config.pb.h"\n',
            "src/engine/model.cc": '#include "repository/config.pb.h"\n',
        }
    )
    assert code != 0
    assert "src/engine/model.cc:1" in output
    assert "src/repository/config.cc" not in output


def test_a_header_with_another_guard_is_named(check):
    code, out = check({"src/base/status.h": "#ifndef HEADRACE_STATUS_H_\n#define HEADRACE_STATUS_H_\n#endif\n"})
    assert code != 0
    assert "src/base/status.h: the guard is not HEADRACE_BASE_STATUS_H_" in out
