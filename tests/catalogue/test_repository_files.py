"""Catalogue 3.5: links, files in load requests, many models, several repositories, repositories that go away."""

import json
import os
import shutil
import time

import pytest

from catalogue.conftest import IDENTITY_JSON, running_server, unharmed
from harness import control, models, raw_http, table, wait
from harness import server as server_module

IDENTITY = models.identity_config([("FP32", [-1])])


def answers(server, model):
    document = {"inputs": [{"name": "INPUT0", "shape": [1], "datatype": "FP32", "data": [3]}]}
    answer = raw_http.infer_json(server, model, document)
    return answer.status == 200 and answer.json()["outputs"][0]["data"] == [3.0]


# --- Links ---


def _link_cases(repository, outside):
    """Model -> what makes it."""

    def model_link(target):
        (repository / "linked_model").symlink_to(target)

    def inside(name, path, target):
        directory = models.add(repository, name, IDENTITY)
        (directory / path).symlink_to(target)

    model_link(outside)
    inside("linked_weights", "1/weights.bin", outside / "weights.bin")
    inside("linked_system", "1/passwd", "/etc/passwd")
    inside("linked_loop", "1/loop", "loop")
    inside("linked_up", "1/up", "../../..")
    (repository / "linked_nowhere").symlink_to("nowhere")
    models.add(repository, "linked_config", IDENTITY)
    (repository / "linked_config" / "config.pbtxt").unlink()
    (repository / "linked_config" / "config.pbtxt").symlink_to(outside / "config.pbtxt")


def _outside(path):
    directory = models.add(path, "outside", IDENTITY)
    (directory / "weights.bin").write_bytes(b"weights")
    return directory


@pytest.mark.row(100)
def test_links_that_leave_the_repository_are_refused_by_default(tmp_path):
    repository = models.standard(tmp_path / "repository")
    _link_cases(repository, _outside(tmp_path / "elsewhere"))
    (repository / "linked_inside").symlink_to("identity_fp32")
    options = ("--exit-on-error=false", "--strict-readiness=false")
    with running_server(repository, *options) as triple, unharmed(*triple) as server:
        index = control.index(server)
        assert index["linked_inside"]["1"][0] == "READY"
        for name, versions in index.items():
            if name.startswith("linked_") and name != "linked_inside":
                ((state, reason),) = versions.values()
                assert state == "UNAVAILABLE" and "link" in reason or "cannot be followed" in reason, (name, reason)
                assert str(tmp_path / "elsewhere") not in reason


@pytest.mark.row(100)
def test_links_that_leave_the_repository_are_followed_when_allowed(tmp_path):
    repository = models.standard(tmp_path / "repository")
    _link_cases(repository, _outside(tmp_path / "elsewhere"))
    options = ("--exit-on-error=false", "--strict-readiness=false", "--allow-links-outside-repository=true")
    with running_server(repository, *options) as triple, unharmed(*triple) as server:
        for name in ("linked_model", "linked_weights", "linked_config", "linked_system"):
            assert answers(server, name), name
        for name in ("linked_loop", "linked_up", "linked_nowhere"):
            assert not control.ready_versions(server, name), name


# --- Files in load requests ---

_PATHS = [
    ("dots", "../model.x"),
    ("dots_deep", "1/../../../etc/cron.d/x"),
    ("dots_end", "1/.."),
    ("absolute", "/tmp/headrace_escaped"),
    ("dot", "./1/x"),
    ("empty", ""),
    ("slash", "1/"),
    ("double_slash", "1//x"),
    ("nul", "1/a\0b"),
    ("newline", "1/a\nb"),
    ("backslash", "1\\..\\x"),
    ("long_name", "1/" + "x" * 256),
    ("long_path", "/".join(["x" * 200] * 10)),
    ("deep", "/".join(["d"] * 40)),
]


def _files(temporary):
    """The directories that were made for load requests."""
    return sorted(str(path) for path in temporary.glob("headrace-models-*/*"))


@pytest.mark.parametrize(("path",), table.cases(101, *_PATHS))
def test_a_file_that_would_lie_elsewhere_is_refused(controlled, path):
    before = _files(controlled.temporary)
    answer = control.load(controlled.server, "escaping", config=IDENTITY_JSON, files={path: b"x", "1/good": b"y"})
    table.verdict(400, text="file:").check(answer)
    assert _files(controlled.temporary) == before and not os.path.exists("/tmp/headrace_escaped")
    assert "escaping" not in control.index(controlled.server)


@pytest.mark.row(101)
def test_label_and_warm_up_files_stay_inside(controlled):
    for name, text in (
        ("labels_up", IDENTITY.replace('output { name: "OUTPUT0"', 'output { label_filename: "../x" name: "OUTPUT0"')),
        ("labels_root", IDENTITY.replace('output { name: "OUTPUT0"', 'output { label_filename: "/x" name: "OUTPUT0"')),
        ("warm_up", IDENTITY + 'model_warmup { name: "w" inputs { key: "INPUT0" value { input_data_file: "../x" } } }'),
        ("warm_root", IDENTITY + 'model_warmup { name: "w" inputs { key: "INPUT0" value { input_data_file: "/x" } } }'),
    ):
        controlled.add(name, text)
        answer = control.load(controlled.server, name)
        assert answer.status in (400, 500) and "inside the model's directory" in answer.error, (name, answer)


@pytest.mark.row(102)
def test_a_file_name_of_256_bytes_is_refused_and_one_of_255_is_not(controlled):
    answer = control.load(controlled.server, "long", config=IDENTITY_JSON, files={"1/" + "n" * 256: b"x"})
    table.verdict(400, text="255 bytes").check(answer)
    assert control.is_ready(controlled.server)
    control.must_load(controlled.server, "long", config=IDENTITY_JSON, files={"1/" + "n" * 255: b"x"})
    assert answers(controlled.server, "long")


@pytest.mark.parametrize(
    ("text", "verdict"),
    table.cases(
        103,
        ("letters", "!!!!", table.verdict(400, text="file:1/x")),
        ("length_1", "AAAAA", table.verdict(400, text="file:1/x")),
        ("padding", "A===", table.verdict(400, text="file:1/x")),
        ("inner_padding", "AA==AAAA", table.verdict(400, text="file:1/x")),
        ("blank", "AA AA", table.verdict(400, text="file:1/x")),
        ("number", 12, table.verdict(400, text="file:1/x")),
        ("null", None, table.verdict(400, text="file:1/x")),
    ),
)
def test_content_that_is_no_base64_is_refused(controlled, text, verdict):
    body = json.dumps({"parameters": {"config": json.dumps(IDENTITY_JSON), "file:1/x": text}}).encode()
    verdict.check(raw_http.call(controlled.server, "POST", "/v2/repository/models/no_base64/load", body))


@pytest.mark.row(103)
def test_content_of_2_gib_is_refused_before_it_is_read(controlled):
    head = (
        b"POST /v2/repository/models/huge/load HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2863311531\r\n\r\n"
        b'{"parameters":{"config":"{}","file:1/x":"'
    )
    with raw_http.Connection(controlled.server) as connection:
        connection.send_what_goes(head)
        table.verdict(413, text=".").check(connection.read())


@pytest.mark.row(103)
def test_the_files_of_all_requests_have_a_limit(tmp_path):
    repository = models.standard(tmp_path)
    options = ("--model-control-mode=explicit", "--load-model=*", "--override-byte-size-max=1000")
    with running_server(repository, *options) as triple:
        server = triple[0]
        control.must_load(server, "first", config=IDENTITY_JSON, files={"1/x": b"x" * 600})
        answer = control.load(server, "second", config=IDENTITY_JSON, files={"1/x": b"x" * 600})
        table.verdict(413, text="override-byte-size-max").check(answer)
        control.must_unload(server, "first")
        wait.until(
            lambda: control.load(server, "second", config=IDENTITY_JSON, files={"1/x": b"x" * 600}).status == 200,
            "the bytes of the first are free again",
        )


@pytest.mark.row(101)
def test_a_model_of_a_request_lives_and_goes_with_its_files(controlled):
    server, temporary = controlled.server, controlled.temporary
    before = _files(temporary)
    control.must_load(server, "brought", config=IDENTITY_JSON, files={"3/x": b"1", "7/x": b"2"})
    assert control.states(server, "brought") == {"7": "READY"}
    assert answers(server, "brought")
    (directory,) = set(_files(temporary)) - set(before)
    assert os.stat(os.path.dirname(directory)).st_mode & 0o777 == 0o700
    assert sorted(os.listdir(f"{directory}/brought")) == ["3", "7"]
    # The repository's own copy, once there is one, is back after a load without files.
    controlled.add("brought", IDENTITY)
    control.must_load(server, "brought")
    assert control.ready_versions(server, "brought") == {"1"}
    wait.until(lambda: _files(temporary) == before, "the files have gone")
    control.must_load(server, "brought", config=IDENTITY_JSON, files={"9/x": b""})
    control.must_unload(server, "brought")
    wait.until(lambda: _files(temporary) == before, "the files have gone")


@pytest.mark.row(101)
def test_code_is_refused_in_a_request(controlled):
    for files in ({"1/model.py": b"import os"}, {"libtriton_x.so": b"\x7fELF"}, {"1/x.so.1": b""}, {"1/X.PY": b""}):
        answer = control.load(controlled.server, "code", config=IDENTITY_JSON, files=files)
        table.verdict(403, text="--allow-code-override").check(answer)
    for config in ({"backend": "python"}, {"backend": "x", "runtime": "model.py"}):
        answer = control.load(controlled.server, "code", config=config, files={"1/data": b""})
        table.verdict(403, text="--allow-code-override").check(answer)
    assert "code" not in control.index(controlled.server)


@pytest.mark.row(101)
def test_what_a_killed_server_left_is_removed_by_the_next(tmp_path, monkeypatch):
    repository = models.standard(tmp_path / "repository")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    with server_module.Server(repository, "--model-control-mode=explicit") as server:
        control.must_load(server, "left", config=IDENTITY_JSON, files={"1/x": b"1"})
        (left,) = _files(temporary)
        with server_module.Server(repository, "--model-control-mode=explicit") as second:
            assert os.path.exists(left), "the first one lives"
            assert second.stop() == 0
        server.process.kill()
        server.wait()
    with server_module.Server(repository, "--model-control-mode=explicit") as server:
        assert not os.path.exists(os.path.dirname(left))
        assert server.stop() == 0


# --- Many models ---

COUNT = 1000 if not server_module.is_sanitized() else 200


def _many(path, count, broken):
    path.mkdir()
    for i in range(count):
        text = 'backend: "identity"\nfoo {' if i % (count // broken) == 0 and i // (count // broken) < broken else IDENTITY
        models.add(path, f"m{i}", text)
    return path


def _start_s(repository, *options):
    started = time.monotonic()
    with server_module.Server(repository, *options) as server:
        took = time.monotonic() - started
        index = control.index(server)
        assert server.stop() == 0
    return took, index


@pytest.mark.row(113)
def test_900_of_1000_models_serve_when_100_are_broken(tmp_path):
    options = ("--exit-on-error=false", "--log-info=true", "--strict-readiness=false")
    quarter, index = _start_s(_many(tmp_path / "quarter", COUNT // 4, COUNT // 40), *options)
    assert sum(state == "READY" for versions in index.values() for state, _ in versions.values()) == COUNT * 9 // 40
    whole, index = _start_s(_many(tmp_path / "whole", COUNT, COUNT // 10), *options)
    states = [entry for versions in index.values() for entry in versions.values()]
    assert sum(state == "READY" for state, _ in states) == COUNT * 9 // 10
    assert sum(state == "UNAVAILABLE" and "config.pbtxt:2:" in reason for state, reason in states) == COUNT // 10
    print(f"\n{COUNT // 4} models: {quarter:.2f} s, {COUNT} models: {whole:.2f} s")
    # Linear: four times as many take about four times as long, and less by what a start costs anyhow.
    assert whole < 8 * quarter


@pytest.mark.row(113)
def test_one_broken_model_ends_the_program_unless_told_otherwise(tmp_path):
    repository = _many(tmp_path / "models", 20, 1)
    with server_module.Server(repository, wait=False) as server:
        assert server.wait() == 1
        assert "failed to load all models" in server.output()


# --- Several repositories ---


@pytest.mark.row(114)
def test_a_model_of_two_repositories_is_not_served_and_the_rest_is(tmp_path):
    first, second = models.standard(tmp_path / "first"), tmp_path / "second"
    for repository in (first, second):
        models.add(repository, "both", IDENTITY)
    models.add(second, "of_second", IDENTITY)
    options = (f"--model-repository={second}", "--exit-on-error=false", "--strict-readiness=false")
    with running_server(first, *options) as triple, unharmed(*triple) as server:
        assert control.index(server)["both"] == {"": ("UNAVAILABLE", "model appears in two or more repositories")}
        assert answers(server, "of_second") and answers(server, "identity_fp32")
        answer = raw_http.call(server, "GET", "/v2/models/both/ready")
        assert answer.status in (400, 404), answer
    options = (f"--model-repository={second}", "--model-control-mode=explicit", "--load-model=of_second")
    with server_module.Server(first, *options) as server:
        answer = control.load(server, "both")
        assert answer.status in (400, 500) and "model appears in two or more repositories" in answer.error
        shutil.rmtree(second / "both")
        control.must_load(server, "both")
        assert answers(server, "both")
        # A second copy turns up while it serves: refused, and the first goes on.
        models.add(second, "both", IDENTITY)
        assert control.load(server, "both").status in (400, 500)
        assert answers(server, "both")
        assert server.stop() == 0


@pytest.mark.row(114)
@pytest.mark.parametrize("scheme", ["s3://bucket/models", "gs://bucket/models", "as://account/container"])
def test_a_cloud_repository_is_refused_by_name(tmp_path, scheme):
    with server_module.Server(scheme, wait=False) as server:
        assert server.wait() == 1
        assert f"model repository '{scheme}'" in server.output() and "only local directories" in server.output()


# --- Repositories that go ---


def _removed(repository):
    repository.rename(repository.with_name("moved"))


def _replaced_by_a_file(repository):
    _removed(repository)
    repository.write_text("a file")


def _replaced_by_a_link(repository):
    _removed(repository)
    repository.symlink_to(repository.name)


def _emptied_models(repository):
    for config in repository.glob("*/config.pbtxt"):
        config.unlink()
    for version in repository.glob("*/1"):
        shutil.rmtree(version)


@pytest.mark.row(115)
@pytest.mark.parametrize("change", [_removed, _replaced_by_a_file, _replaced_by_a_link, _emptied_models])
@pytest.mark.parametrize("mode", ["none", "explicit", "poll"])
def test_a_repository_that_goes_leaves_its_models_serving(tmp_path, change, mode):
    repository = models.standard(tmp_path / "models")
    options = [f"--model-control-mode={mode}", "--strict-readiness=false"]
    options += ["--load-model=*"] if mode == "explicit" else ["--repository-poll-secs=1"] if mode == "poll" else []
    with running_server(repository, *options) as triple, unharmed(*triple) as server:
        change(repository)
        if mode == "explicit":
            answer = control.load(server, "identity_fp32")
            assert answer.status in (400, 500), answer
        if mode == "poll" and change is not _emptied_models:
            server.wait_line("cannot list model repository")
        if mode == "poll" and change is _emptied_models:
            server.wait_line("failed to load 'identity_fp32'")
        assert answers(server, "identity_fp32")
        assert control.ready_versions(server, "identity_fp32") == {"1"}
        control.index(server)


@pytest.mark.row(115)
def test_a_repository_that_is_missing_at_the_start_ends_the_program(tmp_path):
    (tmp_path / "file").write_text("")
    for path, said in ((tmp_path / "none", "No such file"), (tmp_path / "file", "not a directory")):
        with server_module.Server(path, wait=False) as server:
            assert server.wait() == 1
            assert said in server.output()
