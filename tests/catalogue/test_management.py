"""Catalogue 3.6 and 3.7 at the management API of a TorchServe: archives and registrations that mean harm."""

import concurrent.futures
import json
import os
import urllib.parse
import zipfile

import pytest

from harness import archives, torchserve_program

HANDLER = "def handle(rows, context):\n    return [b'served'] * len(rows or [])\n"
GOOD = archives.mar("m", {"handler.py": HANDLER}, "handler.py")


class Managed:
    def __init__(self, program, store):
        self.program, self.store = program, store

    def ask(self, method, path, **query):
        target = path + ("?" + urllib.parse.urlencode(query) if query else "")
        status, _, text = self.program.ask(method, target, port=self.program.management_port)
        return status, json.loads(text)

    def names(self):
        return [model["modelName"] for model in self.ask("GET", "/models")[1]["models"]]

    def unpacked(self):
        """What lies in directories that were made for models."""
        return [entry for root in self.program.work.glob("headrace-models-*") for entry in root.iterdir()]

    def refused(self, archive, suffix="mar"):
        """The registration of an archive fails, and leaves nothing; why."""
        path = self.store / f"refused.{suffix}"
        path.write_bytes(archive)
        try:
            status, answer = self.ask("POST", "/models", url=path.name)
            assert (status, answer["type"]) == (400, "InvalidModelException"), answer
            assert self.unpacked() == [] and self.names() == []
            return answer["message"]
        finally:
            path.unlink()


@pytest.fixture(scope="module")
def _managed(tmp_path_factory):
    root = tmp_path_factory.mktemp("managed")
    store, work = root / "store", root / "work"
    store.mkdir()
    work.mkdir()
    (store / "m.mar").write_bytes(GOOD)
    with torchserve_program.TorchServeProgram(
        store, work, "--ncs", "--enable-model-api", "--disable-token-auth"
    ) as program:
        yield Managed(program, store)


@pytest.fixture
def managed(_managed):
    yield _managed
    assert _managed.program.alive(), _managed.program.output()
    assert _managed.names() == [], "a test left models"


@pytest.mark.row(117)
@pytest.mark.parametrize("name", ["../../marker", "{}/marker", "a/../../marker", "C:\\marker"])
def test_cve_2023_48299_entries_do_not_leave_their_folder(managed, tmp_path, name):
    info = zipfile.ZipInfo("placeholder")
    info.filename = name.format(tmp_path)
    path = tmp_path / "archive"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("MAR-INF/MANIFEST.json", archives.manifest("m", "handler.py"))
        archive.writestr("handler.py", HANDLER)
        archive.writestr(info, "marker")
    content = path.read_bytes()
    path.unlink()
    assert "entry" in managed.refused(content)
    assert not any(managed.store.parent.rglob("marker")) and not any(tmp_path.iterdir())


@pytest.mark.row(118)
def test_cve_2024_35198_names_do_not_leave_the_store(managed, tmp_path):
    outside = tmp_path / "outside.mar"
    outside.write_bytes(GOOD)
    targets = {"link.mar": outside, "folder": tmp_path, "own.mar": "m.mar"}
    links = [managed.store / name for name in targets]
    for link in links:
        os.symlink(targets[link.name], link)
    try:
        for url in (str(outside), "link.mar", "own.mar", "folder/outside.mar", "folder", "../outside.mar", "/etc", "."):
            status, answer = managed.ask("POST", "/models", url=url)
            assert (status, answer["type"]) == (404, "ModelNotFoundException"), url
    finally:
        for link in links:
            link.unlink()


@pytest.mark.row(123)
@pytest.mark.parametrize(
    "manifest",
    ["{", '{"model": []}', archives.manifest("../x", "h.py"), archives.manifest("m", "h.py", configFile="../x")],
)
def test_manifest_that_is_wrong_is_refused(managed, tmp_path, manifest):
    path = tmp_path / "archive"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("MAR-INF/MANIFEST.json", manifest)
    managed.refused(path.read_bytes())


@pytest.mark.row(124)
@pytest.mark.parametrize("yaml", ["a: !!python/object/apply:os.system ['x']\n", "a: !!java.net.URL [x]\n"])
def test_cve_2022_1471_settings_make_no_objects(managed, yaml):
    archive = archives.mar("m", {"h.py": HANDLER, "c.yaml": yaml}, "h.py", configFile="c.yaml")
    assert "is not allowed" in managed.refused(archive)


@pytest.mark.row(127)
def test_registrations_of_one_archive_at_once_have_one_winner(managed):
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: managed.ask("POST", "/models", url="m.mar")[0], range(16)))
    assert sorted(answers) == [200] + [409] * 15
    assert len(managed.unpacked()) == 1
    assert managed.ask("DELETE", "/models/m")[0] == 200
    assert managed.unpacked() == []


@pytest.mark.row(132)
def test_models_do_not_come_or_go_where_that_is_off(tmp_path):
    store, work = tmp_path / "store", tmp_path / "work"
    store.mkdir()
    work.mkdir()
    (store / "m.mar").write_bytes(GOOD)
    with torchserve_program.TorchServeProgram(
        store, work, "--ncs", "--disable-token-auth", "--models", "m.mar", default_workers_per_model=1
    ) as program:
        server = Managed(program, store)
        for method, path in (("POST", "/models"), ("DELETE", "/models/m"), ("DELETE", "/models/none/1.0")):
            status, answer = server.ask(method, path, url="m.mar")
            assert (status, answer["type"]) == (405, "MethodNotAllowedException")
        assert server.names() == ["m"]


@pytest.mark.row(132)
def test_unregister_of_what_is_not_there(managed):
    for path in ("/models/none", "/models/none/1.0"):
        assert managed.ask("DELETE", path)[1]["type"] == "ModelNotFoundException"


@pytest.mark.row(136)
def test_names_do_not_forge_the_log(managed):
    for text in ("x\r\nERROR forged", "\x1b[31mx", "%s%n", "x" * 6000):
        assert managed.ask("POST", "/models", url=text)[0] == 404
        assert managed.ask("POST", "/models", url="m.mar", model_name=text)[0] == 400
        assert managed.ask("GET", "/models/" + urllib.parse.quote(text, safe=""))[0] == 404
    output = managed.program.output()
    assert "\nERROR forged" not in output and "\x1b" not in output
    assert max(map(len, output.splitlines())) < 8192


@pytest.mark.row(138)
def test_counts_of_workers_have_a_limit(managed):
    assert managed.ask("POST", "/models", url="m.mar")[0] == 200
    for count in (-1, 1_000_000, 1025):
        status, answer = managed.ask("PUT", "/models/m", min_worker=count, synchronous="true")
        assert (status, answer["type"]) == (400, "BadRequestException"), count
    assert managed.ask("PUT", "/models/m", min_worker=0, synchronous="true")[0] == 200
    assert managed.ask("PUT", "/models/m", min_worker=2, max_worker=1)[0] == 400
    assert managed.ask("POST", "/models", url="m.mar", model_name="n", initial_workers=1_000_000)[0] == 400
    assert managed.ask("DELETE", "/models/m")[0] == 200


@pytest.mark.row(139)
def test_registrations_and_ends_side_by_side(managed):
    expected = {("POST", 200), ("POST", 409), ("DELETE", 200), ("DELETE", 404), ("GET", 200), ("GET", 404)}
    calls = [("POST", "/models", {"url": "m.mar"}), ("DELETE", "/models/m", {}), ("GET", "/models/m", {})] * 64

    def call(one):
        method, path, query = one
        return method, managed.ask(method, path, **query)[0]

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert set(pool.map(call, calls)) <= expected
    managed.ask("DELETE", "/models/m")
    assert managed.unpacked() == []
