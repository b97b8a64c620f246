"""Catalogue 3.5: names of models, versions and the bodies of the repository's calls."""

import os
import urllib.parse

import pytest

from catalogue.conftest import running_server, unharmed
from harness import control, models, raw_http, table, wait

_BAD = table.verdict(400, 404, text=".")

_TRAVERSAL = [
    ("dots", ".."),
    ("blank_dots", " .."),
    ("dots_blank", ".. "),
    ("three_dots", "..."),
    ("dot", "."),
    ("inner", "a/../b"),
    ("absolute", "/etc/passwd"),
    ("slash", "model/"),
    ("slash_dots", "model/.."),
    ("dots_slash", "../model"),
    ("empty", ""),
    ("blank", " "),
    ("blanks", "   "),
    ("nul", "model\0"),
    ("newline", "model\n"),
    ("return", "model\r\nX: y"),
    ("tab", "mo\tdel"),
    ("long", "x" * 300),
    ("hidden", ".hidden"),
    ("dash", "-model"),
    ("backslash", "a\\..\\b"),
    ("utf8", "modèle"),
    ("overlong", "..\xc0\xaf"),
    ("double_encoded", "%2e%2e"),
    ("inner_dots", "model..1"),
]
_SHELL = list(";|&$`<>(){}\"'*~!") + ["$(touch {})", "`touch {}`", "; touch {}", "| touch {} &", "&& touch {}"]


def _attempts(server, name):
    encoded = urllib.parse.quote(name, safe="")
    for call in ("load", "unload"):
        yield raw_http.call(server, "POST", f"/v2/repository/models/{encoded}/{call}")
    for path in ("", "/config", "/ready", "/stats"):
        yield raw_http.call(server, "GET", f"/v2/models/{encoded}{path}")
    yield raw_http.call(server, "POST", f"/v2/models/{encoded}/infer", b'{"inputs":[]}')


@pytest.mark.parametrize(("name",), table.cases(98, *_TRAVERSAL))
def test_a_name_that_is_no_name_is_refused(controlled, name):
    before = sorted(os.listdir(controlled.repository))
    for answer in _attempts(controlled.server, name):
        _BAD.check(answer)
    assert sorted(os.listdir(controlled.repository)) == before


@pytest.mark.parametrize(("name",), table.cases(99, *((f"shell{i}", text) for i, text in enumerate(_SHELL))))
def test_a_name_is_never_a_command(controlled, tmp_path, name):
    marker = tmp_path / "touched"
    name = name.format(marker) if "touch" in name else f"model{name}x"
    config = {"backend": "python", "input": [], "output": []}
    encoded = urllib.parse.quote(name, safe="")
    for body in (b"", b'{"parameters":{"config":"{\\"backend\\":\\"python\\"}"}}'):
        answer = raw_http.call(controlled.server, "POST", f"/v2/repository/models/{encoded}/load", body)
        table.verdict(400, 404, text=".").check(answer)
    # As a backend's name, it stays a name.
    answer = control.load(controlled.server, "shell_backend", config=config | {"backend": name}, files={"1/x": b""})
    assert answer.status in (400, 500) and "invalid backend name" in answer.error, answer
    assert not marker.exists()


_VERSIONS = [
    ("zeros", "01"),
    ("minus", "-1"),
    ("plus", "+1"),
    ("letter", "1a"),
    ("large", "99999999999999999999"),
    ("zero", "0"),
    ("hex", "0x1"),
    ("blank", "1 "),
    ("real", "1.0"),
]


@pytest.mark.parametrize(("version",), table.cases(110, *_VERSIONS))
def test_a_version_that_is_no_number_is_ignored_with_a_warning(controlled, version):
    server = controlled.server
    config = models.identity_config([("FP32", [-1])], extra="version_policy { all { } }\n")
    directory = controlled.add("odd_versions", config, (2,))
    (directory / version).mkdir()
    control.must_load(server, "odd_versions")
    assert control.states(server, "odd_versions") == {"2": "READY"}
    wait.until(lambda: any(f"'{version}' is ignored" in line for line in server.lines), "the warning")
    encoded = urllib.parse.quote(version)
    answer = raw_http.call(server, "GET", f"/v2/models/odd_versions/versions/{encoded}")
    assert answer.status in (400, 404), answer
    (directory / version).rmdir()


@pytest.mark.row(110)
def test_a_file_named_like_a_version_is_ignored(controlled):
    directory = controlled.add("file_version", models.identity_config([("FP32", [-1])]), (3,))
    (directory / "7").write_text("no directory")
    control.must_load(controlled.server, "file_version")
    assert control.states(controlled.server, "file_version") == {"3": "READY"}


@pytest.mark.row(110)
def test_a_model_without_a_version_is_named(controlled):
    directory = controlled.add("no_version", models.identity_config([("FP32", [-1])]), ())
    (directory / "01").mkdir(exist_ok=True)
    answer = control.load(controlled.server, "no_version")
    assert "at least one version must be available under the version policy of model 'no_version'" in answer.error


@pytest.mark.parametrize(
    ("body",),
    table.cases(
        116,
        ("list", b'{"ready": [[true]]}'),
        ("string", b'{"ready": "true"}'),
        ("number", b'{"ready": 1}'),
        ("null", b'{"ready": null}'),
        ("object", b'{"ready": {}}'),
        ("twice", b'{"ready": true, "ready": false}'),
        ("no_object", b"[]"),
        ("text", b'"ready"'),
        ("cut", b'{"ready": tr'),
        ("rest", b'{"ready": true} x'),
        ("deep", b'{"x": ' + b"[" * 1000),
    ),
)
def test_an_index_request_that_is_none_is_refused(controlled, body):
    answer = raw_http.call(controlled.server, "POST", "/v2/repository/index", body)
    table.verdict(400, text=".").check(answer)


@pytest.mark.row(116)
@pytest.mark.parametrize("call", ["load", "unload"])
def test_a_load_request_that_is_none_is_refused(controlled, call):
    for body in (
        b'{"parameters": []}',
        b'{"parameters": "x"}',
        b'{"parameters": {"other": "x"}}',
        b'{"parameters": {"config": 1}}',
        b'{"parameters": {"unload_dependents": "yes"}}',
        b'{"parameters": {"file:1/x": 1}}',
        b'{"parameters": {"file:1/x": "AAAA"}}',
        b"[]",
        b"{",
    ):
        answer = raw_http.call(controlled.server, "POST", f"/v2/repository/models/identity_fp32/{call}", body)
        table.verdict(400, text=".").check(answer)
    assert control.ready_versions(controlled.server, "identity_fp32") == {"1"}


@pytest.mark.row(98)
def test_names_that_lie_in_the_repository(tmp_path):
    repository = models.standard(tmp_path)
    for name in ("bad name", "dots..in", "-dash", "é"):
        models.add(repository, name, models.identity_config([("FP32", [-1])]))
    with running_server(repository, "--exit-on-error=false", "--strict-readiness=false") as triple:
        with unharmed(*triple) as server:
            index = control.index(server)
            for name in ("bad name", "dots..in", "-dash", "é"):
                assert index[name][""][0] == "UNAVAILABLE" and "invalid model name" in index[name][""][1]
            assert index["identity_fp32"]["1"][0] == "READY"
