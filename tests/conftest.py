"""Fixtures: a repository of small models and a server over it."""

import pytest

from harness import models
from harness import server as server_module


def pytest_addoption(parser):
    parser.addoption("--full", action="store_true", help="the long forms of tests that have one")


def pytest_make_parametrize_id(val, argname):
    """Bytes are named by their argument: processes that share the tests must collect the same names (a gzip has a time)."""
    return argname if isinstance(val, bytes) else None


@pytest.fixture(scope="session")
def full(request):
    """Whether the long form of a test is asked for."""
    return request.config.getoption("--full")


@pytest.fixture(scope="session")
def standard_repository(tmp_path_factory):
    return models.standard(tmp_path_factory.mktemp("repository"))


@pytest.fixture(scope="session")
def shared_server(standard_repository):
    """One server for all tests that leave it as it was; its log is shown when it dies."""
    with server_module.running(standard_repository) as running:
        yield running


@pytest.fixture
def server(shared_server):
    """The shared server; fails the test that killed it."""
    yield shared_server
    assert shared_server.alive(), "the server died in this test:\n" + shared_server.output()
