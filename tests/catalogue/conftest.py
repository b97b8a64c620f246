"""Fixtures of the catalogue: one server, a canary beside every test, and nothing left behind by any."""

import contextlib

import pytest

from harness import backends
from harness import canary as canary_module
from harness import models, prometheus, raw_http, resources, wait
from harness import server as server_module

# A build without any runtime has no models that have files of their own.
HAS_MODEL_FILES = backends.built("onnxruntime") or backends.built("openvino")
collect_ignore = [] if HAS_MODEL_FILES else ["test_damaged_models.py"]

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
def _running(repository, *options):
    """A server, a canary over it, and what the server holds with nobody but the canary: for many tests."""
    with server_module.Server(repository, *options) as running:
        canary = canary_module.Canary(running).start()
        canary.check()
        assert raw_http.call(running, "GET", "/v2/health/ready").status == 200
        _memory_in_use(running)
        yield running, canary, resources.baseline(running.pid)
        canary.stop()
        assert running.alive(), running.output()
        assert running.stop() == 0, running.output()


def _memory_in_use(server):
    return prometheus.scrape(server).value("headrace_memory_pool_bytes", state="in_use")


@contextlib.contextmanager
def _unharmed(running, canary, before):
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
    with _running(catalogue_repository) as pair:
        yield pair


@pytest.fixture
def server(_catalogue_server):
    """A server with the default limits."""
    with _unharmed(*_catalogue_server) as running:
        yield running


@pytest.fixture(scope="session")
def _small_cap_server(catalogue_repository):
    with _running(catalogue_repository, f"--http-max-input-size={1 << 20}") as pair:
        yield pair


@pytest.fixture
def small_cap_server(_small_cap_server):
    """A server whose bodies are limited to 1 MiB."""
    with _unharmed(*_small_cap_server) as running:
        yield running


@pytest.fixture(scope="module")
def _impatient_server(catalogue_repository):
    options = (
        "--http-header-timeout-ms=1000",
        "--http-body-idle-timeout-ms=1500",
        "--http-write-idle-timeout-ms=1000",
        "--http-keep-alive-timeout-ms=1500",
    )
    with _running(catalogue_repository, *options) as pair:
        yield pair


@pytest.fixture
def impatient_server(_impatient_server):
    """A server whose timeouts are of about a second."""
    with _unharmed(*_impatient_server) as running:
        yield running
