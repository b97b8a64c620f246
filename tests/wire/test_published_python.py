"""The published Python backend, unmodified: the same TritonPythonModels in the program and in a stock Triton answer alike."""

import pytest
import python_contract

from harness import peers
from harness import server as server_module

pytestmark = pytest.mark.skipif(
    peers.directory() is None, reason="HEADRACE_PEERS names no directory with the published Python backend"
)


@pytest.fixture(scope="module", name="ours")
def _ours(python_repository, tmp_path_factory):
    environment = {**peers.environment(tmp_path_factory.mktemp("links")), "MEETING": "published"}
    published = ["--backend-config=python,implementation=published", f"--backend-directory={peers.backends()}"]
    options = ["--allow-code-override=true", *published, *python_contract.load_options()]
    with server_module.Server(python_repository, *options, environment=environment) as running:
        yield running
        assert running.stop() == 0, running.output()


@pytest.fixture(scope="module", name="both")
def _both(ours, stock_triton):
    return ours, *stock_triton


class TestPublishedBackend(python_contract.Cases):
    """The cases of the contract."""
