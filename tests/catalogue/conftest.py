"""Fixtures of the catalogue: one server, a canary beside every test, and nothing left behind by any."""

import contextlib
import dataclasses
import pathlib

import pytest

from harness import backends
from harness import canary as canary_module
from harness import control, models, prometheus, raw_http, resources, wait
from harness import server as server_module

# A build without a runtime has no backend whose models have files of their own.
HAS_ONNX = backends.built("onnxruntime")
collect_ignore = [] if HAS_ONNX else ["test_reload.py", "test_model_files.py", "test_poisoned_batches.py"]
if not (HAS_ONNX or backends.built("openvino")):
    collect_ignore.append("test_damaged_models.py")

# What the canary itself may hold at the moment of a reading.
_CANARY_BYTES = 64 * 1024


@pytest.fixture(scope="session")
def catalogue_repository(tmp_path_factory):
    repository = models.standard(tmp_path_factory.mktemp("catalogue"))
    config = models.identity_config([("FP32", [-1]), ("INT32", [-1])])
    first, second = config.split('input { name: "INPUT1"')
    models.add(repository, "optional", first + 'input { optional: true name: "INPUT1"' + second)
    models.add(repository, "cube", models.identity_config([("FP32", [2, 2, 2])]))
    return repository


@contextlib.contextmanager
def running_server(repository, *options, prepare=None):
    """A server, a canary over it, and what the server holds with nobody but the canary: for many tests. `prepare` is
    called with the server before that is read."""
    with server_module.running(repository, *options) as running:
        canary = canary_module.Canary(running).start()
        canary.check()
        assert raw_http.call(running, "GET", "/v2/health/ready").status == 200
        _memory_in_use(running)
        if prepare:
            prepare(running)
        yield running, canary, resources.baseline(running.pid)
        canary.stop()


def _memory_in_use(server):
    return prometheus.scrape(server).value("headrace_memory_pool_bytes", state="in_use")


@contextlib.contextmanager
def unharmed(running, canary, before):
    """The server lives behind the block, serves others, and holds what it held before any test."""
    yield running
    assert running.alive(), "the server died in this test:\n" + running.output()
    canary.check()
    after = resources.settled(running.pid, before)
    assert after.descriptors <= before.descriptors, (before, after)
    assert after.threads <= before.threads, (before, after)
    wait.until(lambda: _memory_in_use(running) <= _CANARY_BYTES, "bodies and responses freed")


@pytest.fixture(scope="session")
def _catalogue_server(catalogue_repository):
    with running_server(catalogue_repository) as pair:
        yield pair


@pytest.fixture
def server(_catalogue_server):
    """A server with the default limits."""
    with unharmed(*_catalogue_server) as running:
        yield running


@pytest.fixture(scope="session")
def _small_cap_server(catalogue_repository):
    with running_server(catalogue_repository, f"--http-max-input-size={1 << 20}") as pair:
        yield pair


@pytest.fixture
def small_cap_server(_small_cap_server):
    """A server whose bodies are limited to 1 MiB."""
    with unharmed(*_small_cap_server) as running:
        yield running


@pytest.fixture(scope="session")
def _shm_server(catalogue_repository):
    with running_server(catalogue_repository, "--allow-client-shm=true", "--client-shm-regions-max=16") as pair:
        yield pair


@pytest.fixture
def shm_server(_shm_server):
    """A server that lets clients register 16 regions of shared memory; none is left behind."""
    with unharmed(*_shm_server) as running:
        yield running
        assert raw_http.call(running, "POST", "/v2/systemsharedmemory/unregister").status == 200


@pytest.fixture(scope="module")
def _impatient_server(catalogue_repository):
    options = (
        "--http-header-timeout-ms=1000",
        "--http-body-idle-timeout-ms=1500",
        "--http-write-idle-timeout-ms=1000",
        "--http-keep-alive-timeout-ms=1500",
    )
    with running_server(catalogue_repository, *options) as pair:
        yield pair


@pytest.fixture
def impatient_server(_impatient_server):
    """A server whose timeouts are of about a second."""
    with unharmed(*_impatient_server) as running:
        yield running


# A configuration for a load request.
IDENTITY_JSON = {
    "backend": "identity",
    "input": [{"name": "INPUT0", "data_type": "TYPE_FP32", "dims": [-1]}],
    "output": [{"name": "OUTPUT0", "data_type": "TYPE_FP32", "dims": [-1]}],
}


@dataclasses.dataclass
class ControlledServer:
    """A server in explicit mode and its repository, into which tests put models of their own."""

    server: server_module.Server
    repository: pathlib.Path
    temporary: pathlib.Path  # where the files of load requests lie

    def add(self, name, config, versions=(1,)):
        return models.add(self.repository, name, config, versions)


@pytest.fixture(scope="session")
def _explicit_server(tmp_path_factory):
    repository = models.standard(tmp_path_factory.mktemp("explicit"))
    if HAS_ONNX:
        from harness import marked_model  # pylint: disable=import-outside-toplevel

        # Loaded before the baseline is taken: the runtime keeps threads and descriptors of its own.
        marked_model.add(repository, "runtime", {1: 1})

    def prepare(server):
        # The directory for such models stays as long as the server.
        control.must_load(server, "from_request", config=IDENTITY_JSON, files={"1/nothing": b""})
        control.must_unload(server, "from_request")

    temporary = tmp_path_factory.mktemp("temporary")
    options = ("--model-control-mode=explicit", "--load-model=*")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(temporary))
        context = running_server(repository, *options, prepare=prepare)
        triple = context.__enter__()  # pylint: disable=unnecessary-dunder-call
    yield triple, repository, temporary
    context.__exit__(None, None, None)


@pytest.fixture
def controlled(_explicit_server):
    """The explicit server. Models that the test has added are unloaded behind it, and must leave nothing."""
    triple, repository, temporary = _explicit_server
    before = control.index(triple[0])
    with unharmed(*triple) as running:
        yield ControlledServer(running, repository, temporary)
        for name, versions in control.index(running).items():
            if versions != before.get(name) and any(state for state, _ in versions.values()):
                control.must_unload(running, name)
