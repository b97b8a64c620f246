"""What the program and libtritonserver.so show to others, and what the program links itself."""

import pathlib
import subprocess

import pytest

from harness import server as server_module

_PRIVATE = ("headrace", "google", "simdjson", "YAML", "spdlog", "absl")
_RUNTIMES = ("onnxruntime", "torch", "openvino", "protobuf")


@pytest.fixture(scope="module", name="exported")
def _exported():
    table = subprocess.run(
        ["nm", "--dynamic", "--demangle", "--defined-only", server_module.program()],
        check=True,
        capture_output=True,
        text=True,
    )
    return [line.split(maxsplit=2)[2] for line in table.stdout.splitlines()]


def test_the_triton_interface_is_exported(exported):
    for name in ("TRITONSERVER_ErrorNew", "TRITONBACKEND_ResponseSend", "TRITONBACKEND_RequestRelease"):
        assert name in exported


@pytest.mark.parametrize("prefix", _PRIVATE)
def test_nothing_that_a_backend_may_bring_itself_is_exported(exported, prefix):
    assert [name for name in exported if f"{prefix}::" in name] == []


@pytest.mark.parametrize("runtime", _RUNTIMES)
def test_the_program_links_no_inference_runtime_and_no_shared_protobuf(runtime):
    linked = subprocess.run(["ldd", server_module.program()], check=True, capture_output=True, text=True).stdout
    assert runtime not in linked


def test_the_library_for_programs_exports_the_interface_and_nothing_else():
    library = pathlib.Path(server_module.program()).resolve().parent / "in-process" / "lib" / "libtritonserver.so"
    if not library.exists():
        pytest.skip("libtritonserver.so is not built: ninja tritonserver")
    table = subprocess.run(["nm", "--dynamic", "--defined-only", library], check=True, capture_output=True, text=True)
    names = [line.split()[-1] for line in table.stdout.splitlines()]
    assert {"TRITONSERVER_ServerNew", "TRITONSERVER_ServerInferAsync", "TRITONBACKEND_ResponseSend"} <= set(names)
    assert [name for name in names if not name.startswith("TRITON")] == []
