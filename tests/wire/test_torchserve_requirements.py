"""install_py_dep_per_model and useVenv: what a handler needs is installed into an environment of its model's own. The
packages are wheels in the archive, so that no index is asked."""

import base64
import contextlib
import hashlib
import importlib.metadata
import io
import json
import sys
import zipfile

import pytest

from harness import archives, torchserve_program

# Not imported: setuptools takes a process that has pip for one of pip's, and other tests need its distutils.
pytestmark = pytest.mark.skipif(
    not list(importlib.metadata.distributions(name="pip")), reason="the tests' Python has no pip"
)

HANDLER = """
import os
import sys

try:
    import needed_by_handler
    version = needed_by_handler.VERSION
except ImportError:
    version = "missing"
import yaml  # of the base's packages


def handle(data, context):
    if data is None:
        return None
    return [{"version": version, "prefix": sys.prefix, "pid": os.getpid()} for _ in data]
"""
WHEEL = "needed_by_handler-{}-py3-none-any.whl"


def _wheel(version):
    files = {
        "needed_by_handler.py": f'VERSION = "{version}"\n',
        f"needed_by_handler-{version}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: needed_by_handler\nVersion: {version}\n",
        f"needed_by_handler-{version}.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b'=').decode()},{len(text)}\n"
        for name, text in files.items()
    )
    files[f"needed_by_handler-{version}.dist-info/RECORD"] = record + f"needed_by_handler-{version}.dist-info/RECORD,,\n"
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
    return out.getvalue()


def _archive(name, requirements, settings="", **files):
    content = {"handler.py": HANDLER, "model-config.yaml": settings or "{}", **files}
    more = {"configFile": "model-config.yaml"}
    if requirements is not None:
        content["requirements.txt"] = requirements
        more["requirementsFile"] = "requirements.txt"
    return archives.mar(name, content, "handler.py", **more)


@contextlib.contextmanager
def _running(folder, content, **keys):
    store, work = folder / "store", folder / "work"
    store.mkdir()
    work.mkdir()
    for name, archive in content.items():
        (store / f"{name}.mar").write_bytes(archive)
    with torchserve_program.TorchServeProgram(
        store, work, "--ncs", "--disable-token-auth", "--enable-model-api", variables={"PIP_NO_INDEX": "1"}, **keys
    ) as server:
        yield server
        assert server.stop() == 0, server.output()
    assert not list(work.glob("headrace_environment_*")), "environments go with their models"


def _register(server, name, workers=1):
    return server.ask(
        "POST", f"/models?url={name}.mar&initial_workers={workers}", port=server.management_port
    )


def _answer(server, name):
    status, _, text = server.ask("POST", f"/predictions/{name}", body=b"x")
    assert status == 200, text
    return json.loads(text)


def test_each_model_has_what_it_needs(tmp_path):
    content = {
        name: _archive(name, f"./{WHEEL.format(version)}\n", **{WHEEL.format(version): _wheel(version)})
        for name, version in (("one", "1.0"), ("two", "2.0"))
    }
    content["plain"] = _archive("plain", None)
    content["own"] = _archive("own", None, "useVenv: true\n")
    with _running(tmp_path, content, install_py_dep_per_model="true") as server:
        for name, workers in (("one", 2), ("two", 1), ("plain", 1), ("own", 1)):
            status, _, text = _register(server, name, workers)
            assert status == 200, text
        one, two = _answer(server, "one"), _answer(server, "two")
        assert (one["version"], two["version"]) == ("1.0", "2.0")
        assert one["prefix"] != two["prefix"]
        assert _answer(server, "plain")["prefix"] == sys.prefix
        own = _answer(server, "own")
        assert own["version"] == "missing" and own["prefix"] not in (sys.prefix, one["prefix"], two["prefix"])
        server.wait_line(r"model 'one' version 1: pip: .*Successfully installed needed.by.handler-1\.0")
        # Made once, for both workers of the model.
        made = [line for line in server.lines if "model 'one' version 1: making a virtual environment" in line]
        assert len(made) == 1


def test_a_failing_installation_is_told_where_the_model_is(tmp_path):
    content = {"needy": _archive("needy", "no_such_package_anywhere==1\n")}
    with _running(tmp_path, content, install_py_dep_per_model="true", load_models="needy.mar") as server:
        _, _, text = server.ask("GET", "/models/needy", port=server.management_port)
        (described,) = json.loads(text)
        assert "pip failed: exit status 1" in described["loadError"]
        assert "no_such_package_anywhere" in described["loadError"]
        assert server.ask("GET", "/ping")[0] == 500
        server.wait_line(r"model 'needy' version 1: pip: .*no_such_package_anywhere")
        server.ask("DELETE", "/models/needy", port=server.management_port)
        status, _, text = _register(server, "needy")
        assert status == 500 and "pip failed" in json.loads(text)["message"], text


@pytest.mark.parametrize("keys", [{}, {"install_py_dep_per_model": "false"}])
def test_nothing_is_installed_unless_it_is_asked_for(tmp_path, keys):
    content = {"needy": _archive("needy", f"./{WHEEL.format('1.0')}\n", **{WHEEL.format("1.0"): _wheel("1.0")})}
    with _running(tmp_path, content, **keys) as server:
        assert _register(server, "needy")[0] == 200
        answer = _answer(server, "needy")
        assert (answer["version"], answer["prefix"]) == ("missing", sys.prefix)
        server.wait_line(r"model 'needy' version 1: 'requirements\.txt' is not installed: .*install_py_dep_per_model=true")
