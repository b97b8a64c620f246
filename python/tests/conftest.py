"""Workers over models' sources for the tests. The runtime's own modules are imported from the folder above."""

import pathlib
import sys
import textwrap

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import fake_server  # noqa: E402
from headrace_worker import wire  # noqa: E402


def _start(directory, source, size=16 << 20, message=None, environment=None, **load):
    """A worker that has been told to load (or what else `message` says) the model of this source."""
    version = directory / "model" / "1"
    version.mkdir(parents=True, exist_ok=True)
    if source is not None:
        (version / "model.py").write_text(textwrap.dedent(source), encoding="utf-8")
    load = {
        "model_name": "model",
        "model_version": 1,
        "model_directory": str(directory / "model"),
        "version_directory": str(version),
        "model_file": "model.py",
        "instance_name": "model_0_0",
        "kind": "CPU",
        "device_id": 0,
        "config": {"name": "model", "max_batch_size": 0, "input": [], "output": []},
        "input_names": ["INPUT0", "INPUT1"],
        "output_names": ["OUTPUT0", "OUTPUT1"],
        **load,
    }
    server = fake_server.FakeServer(size, environment)
    try:
        server.answer = server.load(message or wire.LOAD, **load)
    except BaseException:
        server.__exit__()
        raise
    return server


@pytest.fixture(name="serve")
def _serve(tmp_path):
    """serve(source, expect=None, **load) -> FakeServer with a worker of its own; `expect` is what LOADED must say."""
    servers = []

    def serve(source, expect=None, **load):
        servers.append(_start(tmp_path, source, **load))
        assert expect is None or servers[-1].answer == expect
        return servers[-1]

    yield serve
    for server in servers:
        server.__exit__()


@pytest.fixture(name="workers", scope="session")
def _workers(tmp_path_factory):
    """The workers that tests share: key -> FakeServer."""
    servers = {}
    servers["directory"] = lambda: tmp_path_factory.mktemp("shared")
    yield servers
    del servers["directory"]
    for server in servers.values():
        server.__exit__()


@pytest.fixture(name="shared")
def _shared(workers):
    """shared(source, **load) -> FakeServer, started once for all tests that give it back alive."""

    def shared(source, **load):
        key = (source, repr(sorted(load.items())))
        server = workers.get(key)
        if server is None:
            server = workers[key] = _start(workers["directory"](), source, **load)
            assert server.answer == {}
        else:
            server.settle()
        server.forget()
        return server

    return shared


_CODED = """
    import asyncio, json, os, signal, sys, threading, textwrap
    import numpy as np
    import triton_python_backend_utils as pb_utils

    FINAL = pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL

    def answer(*values, name="OUTPUT0"):
        return pb_utils.InferenceResponse([pb_utils.Tensor(name, np.array(values, np.int32))])

    class TritonPythonModel:
        def execute(self, requests):
            names = {}
            exec("def run(requests):\\n" + textwrap.indent(requests[0].request_id(), "    "), globals(), names)
            return names["run"](requests)
"""


@pytest.fixture(name="coded")
def _coded(shared):
    """coded(lines..., **load) -> FakeServer, whose model's `execute` has these lines as its body."""

    def coded(*lines, **load):
        server = shared(_CODED, **load)
        server.code = "\n".join(lines)
        return server

    return coded
