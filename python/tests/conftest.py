"""The runtime's own modules are imported from the folder above; `serve` starts a worker over a model's source."""

import pathlib
import sys
import textwrap

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import fake_server  # noqa: E402
from headrace_worker import wire  # noqa: E402


@pytest.fixture(name="serve")
def _serve(tmp_path):
    """A function that writes the source of a model and loads it: serve(source, **load) -> FakeServer. `expect` is what
    LOADED must say."""
    servers = []

    def serve(source, expect=None, size=16 << 20, message=None, environment=None, **load):
        server = fake_server.FakeServer(size, environment)
        servers.append(server)
        version = tmp_path / "model" / "1"
        version.mkdir(parents=True, exist_ok=True)
        if source is not None:
            (version / "model.py").write_text(textwrap.dedent(source), encoding="utf-8")
        load = {
            "model_name": "model",
            "model_version": 1,
            "model_directory": str(tmp_path / "model"),
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
        server.answer = server.load(message or wire.LOAD, **load)
        if expect is not None:
            assert server.answer == expect
        return server

    yield serve
    for server in servers:
        server.__exit__()
