"""Fixtures of the wire tests: one server that they leave as it was, with models that the others do not need."""

import pytest

from harness import backends, models, peers
from harness import server as server_module

pytest.register_assert_rewrite("python_contract")
import python_contract  # noqa: E402

# A build without a runtime has no backend for it, and nothing to test of it.
collect_ignore = [
    f"test_{module}.py"
    for module, backend in (
        ("onnx", "onnxruntime"),
        ("openvino", "openvino"),
        ("tensorflow", "openvino"),
        ("torch", "pytorch"),
    )
    if not backends.built(backend)
]

LABELS = ("cat", "dog", "bird", "fish")


@pytest.fixture(scope="session")
def wire_repository(tmp_path_factory):
    repository = models.standard(tmp_path_factory.mktemp("wire"))
    labelled = models.identity_config([("FP32", [4])], max_batch_size=4).replace(
        'output { name: "OUTPUT0"', 'output { label_filename: "labels.txt" name: "OUTPUT0"'
    )
    directory = models.add(repository, "labelled", labelled)
    (directory / "labels.txt").write_text("\n".join(LABELS) + "\n", encoding="utf-8")
    models.add(
        repository, "versions", models.identity_config([("INT32", [2])], extra="version_policy { all { } }\n"), (1, 3)
    )
    return repository


@pytest.fixture(scope="session")
def _wire_server(wire_repository):
    with server_module.running(wire_repository) as running:
        yield running


@pytest.fixture
def server(_wire_server):
    yield _wire_server
    assert _wire_server.alive(), "the server died in this test:\n" + _wire_server.output()


@pytest.fixture(scope="session")
def python_repository(tmp_path_factory):
    """The models of Triton's Python contract."""
    return python_contract.write_repository(tmp_path_factory.mktemp("python"))


@pytest.fixture(scope="session")
def stock_triton(python_repository):
    """A stock Triton over them: one in a list, or none where none is installed."""
    if peers.directory() is None:
        yield []
        return
    options = [f"--backend-directory={peers.backends()}", *python_contract.load_options()]
    with peers.triton(python_repository, *options, environment_={"MEETING": "theirs"}) as running:
        yield [running]
