"""Catalogue 3.5: configurations that make no sense. All of them lie in one repository beside good models."""

import os
import re

import pytest

from catalogue import config_cases
from catalogue.conftest import running_server, unharmed
from harness import control, models, raw_http

# Models whose directory the test makes by itself: (row, name, what the index says).
_DIRECTORIES = [
    (104, "large", r"'config\.pbtxt' has 104857600 bytes, the limit is 16777216"),
    (104, "nested", r"config\.pbtxt:1:\d+: .*has no field named"),
    (104, "nested_unknown", r"config\.pbtxt:1:\d+: "),
    (104, "invalid_utf8", r"config\.pbtxt:3:1: the line is not valid UTF-8"),
    (104, "directory_as_file", r"'config\.pbtxt' is not a regular file"),
    (104, "pipe_as_file", r"'config\.pbtxt' is not a regular file"),
    (104, "dangling_link", "config.pbtxt"),
]


def _write_directories(repository):
    def config_of(name):
        directory = repository / f"syntax_{name}"
        (directory / "1").mkdir(parents=True)
        return directory / "config.pbtxt"

    with open(config_of("large"), "wb") as file:
        file.truncate(100 << 20)
    config_of("nested").write_text("ensemble_scheduling { " * 10_000)
    config_of("nested_unknown").write_text("input { reshape { shape: [ " + "[" * 10_000)
    config_of("invalid_utf8").write_bytes(b"# good\n# good\n# \xff\xfe\nbackend: 'x'\n")
    config_of("directory_as_file").mkdir()
    os.mkfifo(config_of("pipe_as_file"))
    config_of("dangling_link").symlink_to("/nonexistent/config.pbtxt")


@pytest.fixture(scope="module")
def broken_repository(tmp_path_factory):
    repository = models.standard(tmp_path_factory.mktemp("broken"))
    for _, name, text, _ in config_cases.CASES:
        if text is None:
            models.add(repository, name, config_cases.expand("@b @tensors"), versions=())
        else:
            models.add(repository, name, config_cases.expand(text))
    _write_directories(repository)
    return repository


_LENIENT = ("--exit-on-error=false", "--strict-readiness=false")


@pytest.fixture(scope="module")
def broken(broken_repository):
    """A server that takes configurations as they are written, so that its own checks come before the backends'."""
    with running_server(broken_repository, "--disable-auto-complete-config", *_LENIENT) as triple:
        yield triple, control.index(triple[0])


_ALL = [(row, name, reason) for row, name, _, reason in config_cases.CASES] + [
    (row, f"syntax_{name}", reason) for row, name, reason in _DIRECTORIES
]


@pytest.mark.parametrize(
    ("name", "reason"), [pytest.param(name, reason, id=name, marks=pytest.mark.row(row)) for row, name, reason in _ALL]
)
def test_a_broken_configuration_is_named_in_the_index(broken, name, reason):
    (running, _, _), index = broken
    assert name in index, sorted(index)
    for state, said in index[name].values():
        assert state == "UNAVAILABLE" and re.search(reason, said), said
    answer = raw_http.call(running, "GET", f"/v2/models/{name}/ready")
    assert answer.status in (400, 404, 503), answer


@pytest.mark.row(104)
def test_the_good_models_beside_them_serve(broken):
    triple, index = broken
    with unharmed(*triple):
        ready = {name for name, versions in index.items() if any(state == "READY" for state, _ in versions.values())}
        assert len(ready) == len(models.DTYPES) + 5, ready
        assert len(index) == len(ready) + len(_ALL)
        assert raw_http.call(triple[0], "GET", "/v2/health/ready").status == 200


@pytest.mark.row(105)
def test_none_of_them_loads_when_backends_complete_configurations(broken_repository):
    with running_server(broken_repository, *_LENIENT) as triple, unharmed(*triple) as running:
        index = control.index(running)
        for _, name, _ in _ALL:
            for state, said in index[name].values():
                assert state == "UNAVAILABLE" and said, (name, state, said)


def test_there_are_enough_cases():
    assert len({name for _, name, _ in _ALL}) == len(_ALL) >= 150


@pytest.mark.row(105)
def test_an_override_is_checked_in_the_same_way(controlled):
    config = config_cases.expand("@b @tensors")
    controlled.add("overridden", config)
    control.must_load(controlled.server, "overridden")
    tensors = {
        "input": [{"name": "INPUT0", "data_type": "TYPE_FP32", "dims": [4]}],
        "output": [{"name": "OUTPUT0", "data_type": "TYPE_FP32", "dims": [4]}],
    }
    for wrong, said in (
        ("", "config"),
        ("[]", "Invalid config override"),
        ("{", "Invalid config override"),
        ({"backend": "identity", "foo": 1, **tensors}, "Invalid config override: foo: Cannot find field"),
        ({"backend": "identity", "max_batch_size": -1, **tensors}, "'max_batch_size' must be non-negative"),
        ({"backend": "identity", "max_batch_size": 1 << 31, **tensors}, "Invalid config override"),
        ({"backend": "identity", "instance_group": [{"count": 0}], **tensors}, "at least 1"),
        ({"backend": "../identity", **tensors}, "invalid backend name"),
        ({"backend": "identity", "name": "another", **tensors}, "directory name must equal model name"),
        ({"backend": "identity", **tensors, "output": []}, "equal input/output pairs"),
    ):
        answer = control.load(controlled.server, "overridden", config=wrong)
        if wrong == "":
            continue  # the same as none
        assert answer.status in (400, 500) and said in answer.error, (wrong, answer)
        assert control.ready_versions(controlled.server, "overridden") == {"1"}
    control.must_load(controlled.server, "overridden", config={"backend": "identity", "max_batch_size": 3, **tensors})
    served = raw_http.call(controlled.server, "GET", "/v2/models/overridden/config").json()
    assert served["max_batch_size"] == 3
    control.must_load(controlled.server, "overridden")
    assert raw_http.call(controlled.server, "GET", "/v2/models/overridden/config").json()["max_batch_size"] == 0
