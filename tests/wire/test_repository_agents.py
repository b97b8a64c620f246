"""Repository agents: a library of the tests' own sees models before they are loaded, and makes their files."""

import pathlib
import shutil

import numpy
import pytest
import tritonclient.http as client_module

from harness import models, wait
from harness import server as server_module


def agents():
    """The directory of the tests' own agent, which lies beside the program."""
    return pathlib.Path(server_module.program()).resolve().parent / "test_agents"


def _with_agent(name="test", **parameters):
    values = "".join(f'parameters {{ key: "{key}" value: "{value}" }} ' for key, value in parameters.items())
    agent = f'model_repository_agents {{ agents {{ name: "{name}" {values} }} }}\n'
    return models.identity_config([("INT32", [-1])], 0, agent)


@pytest.fixture(name="repository")
def _repository(tmp_path):
    directory = tmp_path / "models"
    directory.mkdir()
    return directory


@pytest.fixture(name="journal")
def _journal(tmp_path):
    return tmp_path / "journal"


@pytest.fixture(name="server")
def _server(repository, journal):
    models.add(repository, "plain", _with_agent(journal=journal))
    # The model itself is in a directory that no server would look into.
    sealed = models.add(repository, "sealed", _with_agent(journal=journal, unseal="safe"), versions=())
    models.add(sealed, "safe", models.identity_config([("INT32", [-1])], 0), versions=(3,))
    models.add(repository, "refused", _with_agent(journal=journal, fail="LOAD"))
    models.add(repository, "astray", _with_agent(journal=journal, update="/nowhere"))
    models.add(repository, "missing", _with_agent("missing"))
    options = [f"--repoagent-directory={agents()}", "--model-control-mode=explicit"]
    with server_module.Server(repository, *options) as running:
        yield running
        assert running.stop() == 0, running.output()


@pytest.fixture(name="client")
def _client(server):
    with client_module.InferenceServerClient(server.url) as client:
        yield client


def heard(journal):
    """What the agent has heard since the last time."""
    lines = journal.read_text(encoding="utf-8").split() if journal.exists() else []
    journal.unlink(missing_ok=True)
    return [line.removeprefix("test:") for line in lines]


def await_end(journal):
    wait.until(lambda: journal.exists() and "finalize" in journal.read_text(encoding="utf-8"), "the agent hears of the end")
    return heard(journal)


def infer(client, model):
    value = numpy.array([1, 2, 3], numpy.int32)
    tensor = client_module.InferInput("INPUT0", [3], "INT32")
    tensor.set_data_from_numpy(value)
    result = client.infer(model, [tensor])
    assert (result.as_numpy("OUTPUT0") == value).all()
    return result.get_response()["model_version"]


def test_an_agent_hears_of_load_and_unload(client, journal):
    client.load_model("plain")
    assert heard(journal) == ["initialize", "LOAD", "LOAD_COMPLETE"]
    assert infer(client, "plain") == "1"
    client.unload_model("plain")
    assert await_end(journal) == ["UNLOAD", "UNLOAD_COMPLETE", "finalize"]


def test_a_model_is_served_from_what_the_agent_made(client, journal, repository):
    client.load_model("sealed")
    assert infer(client, "sealed") == "3"
    # The copy is what serves.
    shutil.rmtree(repository / "sealed" / "safe")
    assert infer(client, "sealed") == "3"
    assert heard(journal) == ["initialize", "LOAD", "LOAD_COMPLETE"]
    with pytest.raises(Exception, match="No such file"):
        client.load_model("sealed")
    assert heard(journal) == ["initialize", "LOAD", "LOAD_FAIL", "finalize"]
    assert infer(client, "sealed") == "3", "a failed reload keeps what serves"
    client.unload_model("sealed")
    assert await_end(journal) == ["UNLOAD", "UNLOAD_COMPLETE", "finalize"]


@pytest.mark.parametrize(
    "model, text",
    [
        ("refused", "repository agent 'test': the agent fails"),
        ("astray", "the repository agents put the model into '/nowhere', which is no directory"),
        ("missing", "repository agent 'missing': unable to find its library, searched: .*/libtritonrepoagent_missing.so"),
    ],
)
def test_an_agent_that_fails_fails_the_load(client, journal, model, text):
    with pytest.raises(Exception, match=text):
        client.load_model(model)
    if model != "missing":
        assert heard(journal) == ["initialize", "LOAD", "LOAD_FAIL", "finalize"]
    assert not client.is_model_ready(model)


def test_the_end_of_the_server_is_the_end_of_its_models(server, client, journal):
    client.load_model("plain")
    assert server.stop() == 0
    assert heard(journal) == ["initialize", "LOAD", "LOAD_COMPLETE", "UNLOAD", "UNLOAD_COMPLETE", "finalize"]


def test_the_start_shows_the_agents(repository, journal):
    models.add(repository, "plain", _with_agent(journal=journal))
    with server_module.Server(repository, f"--repoagent-directory={agents()}") as server:
        server.wait_line(r"\| Repository Agent +\| Path")
        server.wait_line(r"\| test +\| \S*/test/libtritonrepoagent_test.so")
        assert server.stop() == 0
    with server_module.Server(repository.parent / "models", "--model-control-mode=explicit") as server:
        server.wait_line(r"\| Repository Agent \| Path")
        assert not any("libtritonrepoagent_test" in line for line in server.lines)
