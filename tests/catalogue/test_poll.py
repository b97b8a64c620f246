"""Catalogue 3.12: poll mode follows what is copied into and taken from the repositories."""

import shutil

import pytest

from catalogue.conftest import running_server, unharmed
from harness import control, models, raw_http, wait

INTERVAL_S = 1


@pytest.fixture(scope="module")
def _polling(tmp_path_factory):
    repository = models.standard(tmp_path_factory.mktemp("polled"))
    options = ("--model-control-mode=poll", f"--repository-poll-secs={INTERVAL_S}", "--strict-readiness=false")
    with running_server(repository, *options) as triple:
        yield triple, repository


@pytest.fixture
def polling(_polling):
    triple, repository = _polling
    with unharmed(*triple) as server:
        yield server, repository
        for path in repository.glob("polled_*"):
            shutil.rmtree(path)
        wait.until(
            lambda: not any(
                control.ready_versions(server, name) for name in control.index(server) if name.startswith("polled_")
            ),
            "the test's models have gone",
        )


def config(value):
    return models.identity_config([("FP32", [value])], extra="version_policy { all { } }\n")


def shape(server, name):
    answer = raw_http.call(server, "GET", f"/v2/models/{name}")
    return answer.json()["inputs"][0]["shape"] if answer.status == 200 else None


@pytest.mark.row(194)
def test_models_that_come_change_and_go_are_followed(polling):
    server, repository = polling
    models.add(repository, "polled_a", config(3))
    wait.until(lambda: shape(server, "polled_a") == [3], "it is loaded")
    models.add(repository, "polled_a", config(5))
    wait.until(lambda: shape(server, "polled_a") == [5], "it is loaded again")
    models.add(repository, "polled_a", config(5), (2,))
    wait.until(lambda: control.ready_versions(server, "polled_a") == {"1", "2"}, "a version has come")
    shutil.rmtree(repository / "polled_a" / "1")
    wait.until(lambda: control.ready_versions(server, "polled_a") == {"2"}, "a version has gone")
    shutil.rmtree(repository / "polled_a")
    wait.until(lambda: not control.ready_versions(server, "polled_a"), "it is unloaded")


@pytest.mark.row(194)
def test_a_directory_that_is_being_copied_is_left_alone_until_it_is_complete(polling):
    server, repository = polling
    directory = models.add(repository, "polled_copied", "this will be a configuration {")
    seen = set()

    def copy_more():
        # The size and the time of a file change with every look, as in a long copy.
        with open(directory / "1" / "weights.bin", "ab") as file:
            file.write(b"x" * 100)
        seen.update(state for state, _ in control.index(server).get("polled_copied", {}).values())
        return len(server.lines) and next(looks, None) is None

    looks = iter(range(600))
    wait.until(copy_more, "several looks", limit_s=60)
    assert seen == set(), "it was loaded while it grew"
    models.add(repository, "polled_copied", config(4))
    wait.until(lambda: shape(server, "polled_copied") == [4], "it is loaded once it is complete")
    assert not any("failed to load 'polled_copied'" in line for line in server.lines)


@pytest.mark.row(194)
def test_a_broken_model_is_tried_again_when_it_changes(polling):
    server, repository = polling
    models.add(repository, "polled_broken", "nonsense {")
    wait.until(lambda: "" in control.index(server).get("polled_broken", {}), "its fault is in the index")
    models.add(repository, "polled_broken", config(2))
    wait.until(lambda: shape(server, "polled_broken") == [2], "it is loaded")
    models.add(repository, "polled_broken", "nonsense {")
    server.wait_line("failed to load 'polled_broken'.*config.pbtxt:1:")
    assert shape(server, "polled_broken") == [2], "the old one goes on"


@pytest.mark.row(194)
def test_the_calls_are_refused(polling):
    server, _ = polling
    for answer in (control.load(server, "identity_fp32"), control.unload(server, "identity_fp32")):
        assert answer.status == 503
        assert answer.error == "explicit model load / unload is not allowed if polling is enabled"
