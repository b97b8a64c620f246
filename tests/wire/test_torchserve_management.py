"""TorchServe's management API: archives that come, change and go while the server runs (contracts, TorchServe 2)."""

import json
import pathlib
import subprocess
import sys
import threading
import urllib.parse

import pytest

from harness import archives, torchserve_program, wait

HANDLERS = pathlib.Path(__file__).parent / "handlers"
BROKEN = "import a_module_that_is_nowhere\n"


class Managed:
    """A running torchserve, asked at its management listener."""

    def __init__(self, program, store):
        self.program, self.store = program, store

    def ask(self, method, path, body=None, headers=None, **query):
        """(status, the JSON that came)."""
        target = path + ("?" + urllib.parse.urlencode(query) if query else "")
        status, _, text = self.program.ask(
            method, target, port=self.program.management_port, body=body, headers=headers
        )
        return status, json.loads(text)

    def status(self, method, path, **query):
        """(status, the text of `status` or of the error)."""
        status, answer = self.ask(method, path, **query)
        return status, answer.get("status", answer.get("message"))

    def register(self, url, **query):
        return self.status("POST", "/models", url=url, **query)

    def describe(self, path, **query):
        status, answer = self.ask("GET", f"/models/{path}", **query)
        assert status == 200, answer
        return answer

    def predict(self, path, body=None):
        status, _, text = self.program.ask("POST", f"/predictions/{path}", body=body)
        return status, text

    def unregister(self, *paths):
        for path in paths:
            assert self.status("DELETE", f"/models/{path}")[0] == 200

    def put(self, file, archive):
        (self.store / file).write_bytes(archive)


def tell(name, version="1.0", settings=None):
    files = {"tell.py": (HANDLERS / "tell.py").read_text(encoding="utf-8")}
    more = {}
    if settings is not None:
        files["model-config.yaml"] = settings
        more["configFile"] = "model-config.yaml"
    return archives.mar(name, files, "tell.py", version=version, **more)


@pytest.fixture(scope="module")
def _server(tmp_path_factory):
    root = tmp_path_factory.mktemp("management")
    store, work = root / "store", root / "work"
    store.mkdir()
    work.mkdir()
    (store / "tell.mar").write_bytes(tell("tell"))
    (store / "gate.mar").write_bytes(archives.handler_mar("gate", HANDLERS / "gate.py"))
    (store / "broken.mar").write_bytes(archives.mar("broken", {"broken.py": BROKEN}, "broken.py"))
    with torchserve_program.TorchServeProgram(
        store, work, "--ncs", "--enable-model-api", "--disable-token-auth"
    ) as program:
        yield Managed(program, store)
        assert program.alive(), program.output()


@pytest.fixture
def server(_server):
    yield _server
    assert _server.ask("GET", "/models") == (200, {"models": []}), "a test left models"


def test_a_model_from_its_registration_to_its_end(server):
    assert server.register("tell.mar") == (
        200,
        'Model "tell" Version: 1.0 registered with 0 initial workers. Use scale workers API to add workers for the '
        "model.",
    )
    assert server.predict("tell")[0] == 503
    assert server.status("PUT", "/models/tell", min_worker=2, synchronous="true") == (
        200,
        "Workers scaled to 2 for model: tell",
    )
    assert server.predict("tell") == server.predict("tell/1.0") == (200, "1.0")
    (model,) = server.describe("tell")
    assert list(model)[:6] == ["modelName", "modelVersion", "modelUrl", "runtime", "minWorkers", "maxWorkers"]
    assert (model["modelUrl"], model["runtime"], model["minWorkers"]) == ("tell.mar", "python", 2)
    assert [worker["status"] for worker in model["workers"]] == ["READY", "READY"]
    for worker in model["workers"]:
        assert int(worker["id"]) >= 9000
        assert worker["memoryUsage"] > 0 and pathlib.Path(f"/proc/{worker['pid']}").exists()
        assert worker["startTime"].endswith("Z")
    assert server.ask("GET", "/models") == (200, {"models": [{"modelName": "tell", "modelUrl": "tell.mar"}]})
    assert server.ask("GET", "/v1/models/tell") == (200, {"name": "tell", "ready": True})
    assert server.register("tell.mar") == (409, "Model version 1.0 is already registered for model tell")
    pid = model["workers"][0]["pid"]
    assert server.status("DELETE", "/models/tell") == (200, 'Model "tell" unregistered')
    assert not pathlib.Path(f"/proc/{pid}").exists()
    assert server.status("GET", "/models/tell") == (404, "Model not found: tell")
    assert server.predict("tell")[0] == 404
    assert server.status("DELETE", "/models/tell") == (404, "Model not found: tell")


@pytest.mark.parametrize("form", ["default", "zip-store", "tgz", "no-archive"])
def test_what_the_archiver_makes(server, form):
    name = f"made_{form.replace('-', '_')}"
    subprocess.run(
        [
            pathlib.Path(sys.executable).parent / "torch-model-archiver",
            f"--model-name={name}",
            "--version=3.1",
            f"--handler={HANDLERS / 'tell.py'}",
            f"--export-path={server.store}",
            f"--archive-format={form}",
        ],
        check=True,
        timeout=120,
        stdout=subprocess.DEVNULL,
    )
    file = name + {"tgz": ".tar.gz", "no-archive": ""}.get(form, ".mar")
    assert server.register(file, initial_workers=1) == (
        200,
        f'Model "{name}" Version: 3.1 registered with 1 initial workers',
    )
    assert server.predict(f"{name}/3.1") == (200, "3.1")
    server.unregister(name)


def test_parameters_as_json(server):
    server.put("json.mar", tell("json"))
    as_json = {"Content-Type": "application/json"}
    said = {"url": "json.mar", "batch_size": "4", "batch_delay": 7, "initial_workers": 1, "response_timeout": "9"}
    status, answer = server.ask("POST", "/models?url=other.mar", body=json.dumps({**said, "x": None}), headers=as_json)
    assert (status, answer["status"]) == (200, 'Model "json" Version: 1.0 registered with 1 initial workers')
    (model,) = server.describe("json")
    assert (model["batchSize"], model["maxBatchDelay"], model["responseTimeout"]) == (4, 7, 9)
    server.unregister("json")
    for body in ("{", "[]", '{"url": {}}'):
        status, answer = server.ask("POST", "/models", body=body, headers=as_json)
        assert (status, answer["type"]) == (400, "BadRequestException")


def test_who_says_what_a_setting_is(server):
    server.put("settings.mar", tell("settings", settings="batchSize: 2\nmaxBatchDelay: 20\nresponseTimeout: 30\n"))
    server.register("settings.mar", batch_size=3, response_timeout=40, max_batch_delay="soon")
    (model,) = server.describe("settings")
    assert (model["batchSize"], model["maxBatchDelay"], model["responseTimeout"]) == (3, 20, 40)
    assert model["startupTimeout"] == 120
    server.unregister("settings")


def test_what_is_refused(server):
    for query, status, kind, message in (
        ({}, 400, "BadRequestException", "Parameter url is required."),
        ({"url": ""}, 404, "ModelNotFoundException", "empty url"),
        ({"url": "none.mar"}, 404, "ModelNotFoundException", "Model not found at: none.mar"),
        (
            {"url": "../x.mar"},
            404,
            "ModelNotFoundException",
            "Relative path is not allowed in url: ../x.mar",
        ),
        ({"url": "tell.mar", "runtime": "ruby"}, 400, "BadRequestException", "Invalid RuntimeType value: ruby"),
    ):
        code, answer = server.ask("POST", "/models", **query)
        assert (code, answer) == (status, {"code": status, "type": kind, "message": message})
    assert server.status("PUT", "/models/none") == (404, "Model not found: none")
    assert server.status("PUT", "/models/none/1.0/set-default") == (404, "Model not found: none")
    for method, path in (("PUT", "/models"), ("POST", "/models/tell"), ("GET", "/models/m/1/set-default")):
        code, answer = server.ask(method, path)
        assert (code, answer["type"]) == (405, "MethodNotAllowedException")


def test_workers_that_do_not_start(server):
    status, message = server.register("broken.mar", initial_workers=1)
    assert status == 500
    assert message.startswith("Failed to start workers for model broken version: 1.0")
    assert "a_module_that_is_nowhere" in message
    assert server.status("GET", "/models/broken")[0] == 404
    assert server.register("broken.mar")[0] == 200
    assert server.status("PUT", "/models/broken", synchronous="true") == (
        500,
        "Failed to start workers for model broken version: 1.0",
    )
    (model,) = server.describe("broken")
    assert "a_module_that_is_nowhere" in model["loadError"]
    assert (model["workers"], model["minWorkers"]) == ([], 1)
    assert server.program.ask("GET", "/ping")[0] == 500
    server.unregister("broken")
    assert server.program.ask("GET", "/ping")[0] == 200


def test_asynchronous_answers(server):
    assert server.register("tell.mar", initial_workers=1, synchronous="false") == (202, "Processing worker updates...")
    wait.until(lambda: [w["status"] for w in server.describe("tell")[0]["workers"]] == ["READY"], "the first worker")
    assert server.status("PUT", "/models/tell", min_worker=2) == (202, "Processing worker updates...")
    wait.until(lambda: len(server.describe("tell")[0]["workers"]) == 2, "the second worker")
    assert server.status("PUT", "/models/tell", min_worker=0, synchronous="true") == (
        200,
        "Workers scaled to 0 for model: tell",
    )
    assert server.predict("tell")[0] == 503
    server.unregister("tell")


def test_versions(server):
    for version in ("1.0", "2.0", "2.0-rc1"):
        server.put(f"versions-{version}.mar", tell("versions", version))
        assert server.register(f"versions-{version}.mar", initial_workers=1)[0] == 200
    assert [model["modelVersion"] for model in server.describe("versions/all")] == ["1.0", "2.0", "2.0-rc1"]
    assert server.predict("versions") == (200, "1.0")
    assert server.predict("versions/2.0-rc1") == (200, "2.0-rc1")
    assert server.status("PUT", "/models/versions/2.0/set-default") == (
        200,
        'Default version successfully updated for model "versions" to "2.0"',
    )
    assert server.predict("versions") == (200, "2.0")
    assert server.describe("versions")[0]["modelVersion"] == "2.0"
    assert server.status("PUT", "/models/versions/9/set-default") == (
        404,
        "Model version 9 does not exist for model versions",
    )
    assert server.status("DELETE", "/models/versions") == (403, "Cannot remove default version for model versions")
    assert server.status("PUT", "/models/versions/1.0", min_worker=2, synchronous="true") == (
        200,
        "Workers scaled to 2 for model: versions, version: 1.0",
    )
    server.unregister("versions/1.0", "versions/2.0-rc1", "versions")


def test_pages_of_the_list(server):
    names = [f"page{number}" for number in range(3)]
    for name in names:
        assert server.register("tell.mar", model_name=name)[0] == 200
    status, page = server.ask("GET", "/models", limit=2)
    assert (status, page["nextPageToken"], [m["modelName"] for m in page["models"]]) == (200, "2", names[:2])
    status, page = server.ask("GET", "/models", limit=2, next_page_token=2)
    assert [m["modelName"] for m in page["models"]] == names[2:] and "nextPageToken" not in page
    assert server.ask("GET", "/models", next_page_token=9)[1] == {"models": []}
    server.unregister(*names)


def test_what_a_handler_says_of_itself(server):
    server.register("tell.mar")
    assert server.status("GET", "/models/tell", customized="true") == (
        503,
        'Model "tell" has no worker to serve describe request. Please use scale workers API to add workers.',
    )
    server.status("PUT", "/models/tell", synchronous="true")
    assert server.describe("tell", customized="true")[0]["customizedMetadata"] == {"sound": "meow", "nothing": None}
    assert "customizedMetadata" not in server.describe("tell")[0]
    assert "customizedMetadata" not in server.describe("tell/all", customized="true")[0]
    server.unregister("tell")


class Call(threading.Thread):
    """A prediction on a thread of its own."""

    def __init__(self, server, path, body):
        super().__init__()
        self._do = lambda: server.predict(path, body)
        self.answer = None
        self.start()

    def run(self):
        self.answer = self._do()

    def end(self):
        self.join(60)
        return self.answer[0]


def test_workers_that_go_finish_what_they_have(server, tmp_path):
    server.register("gate.mar", initial_workers=2)
    gates = [tmp_path / "first", tmp_path / "second"]
    calls = [Call(server, "gate", str(gate)) for gate in gates]
    for gate in gates:
        wait.until((gate.parent / (gate.name + ".entered")).exists, "both workers have a request")
    calls.append(Call(server, "gate", ""))
    assert server.status("PUT", "/models/gate", min_worker=1, synchronous="true")[0] == 200
    assert len(server.describe("gate")[0]["workers"]) == 1
    for gate in gates:
        gate.touch()
    assert [call.end() for call in calls] == [200, 200, 200]
    server.unregister("gate")


def test_a_model_that_goes_answers_what_it_has(server, tmp_path):
    server.register("gate.mar", initial_workers=1)
    gate = tmp_path / "gate"
    call = Call(server, "gate", str(gate))
    wait.until((tmp_path / "gate.entered").exists, "the worker has a request")
    gone = []
    unregister = threading.Thread(target=lambda: gone.append(server.status("DELETE", "/models/gate")))
    unregister.start()
    wait.until(lambda: server.ask("GET", "/models/gate")[0] == 404, "the model takes no more")
    assert server.predict("gate", "")[0] in (404, 503)
    assert not gone
    gate.touch()
    unregister.join(60)
    assert gone == [(200, 'Model "gate" unregistered')]
    assert call.end() == 200


def test_models_of_the_start_and_their_snapshot(tmp_path):
    store, work = tmp_path / "store", tmp_path / "work"
    store.mkdir()
    work.mkdir()
    for version in ("1.0", "2.0"):
        (store / f"cat{version}.mar").write_bytes(tell("cat", version))
    (store / "bad.mar").write_bytes(b"no archive")
    settings = {
        "load_models": "all",
        "default_workers_per_model": 1,
        "disable_token_authorization": "true",
        "models": json.dumps({"cat": {"2.0": {"minWorkers": 2, "maxWorkers": 2, "batchSize": 4}}}),
    }
    with torchserve_program.TorchServeProgram(store, work, **settings) as program:
        server = Managed(program, store)
        first, second = server.describe("cat/all")
        assert (first["modelVersion"], len(first["workers"]), first["batchSize"]) == ("1.0", 1, 1)
        assert (second["modelVersion"], len(second["workers"]), second["batchSize"]) == ("2.0", 2, 4)
        assert first["loadedAtStartup"]
        code, answer = server.ask("POST", "/models", url="cat1.0.mar", model_name="other")
        assert (code, answer["type"]) == (405, "MethodNotAllowedException")
        assert server.status("DELETE", "/models/cat/1.0")[0] == 405
        assert server.status("PUT", "/models/cat/2.0/set-default")[0] == 200
        assert server.status("PUT", "/models/cat/1.0", min_worker=0, synchronous="true")[0] == 200
        assert program.stop() == 0
    endings = sorted(path.name[17:] for path in (work / "logs" / "config").iterdir())
    assert endings.count("-startup.cfg") == endings.count("-shutdown.cfg") == 1
    assert endings.count("-snapshot.cfg") == 2
    newest = max((work / "logs" / "config").iterdir(), key=lambda path: path.name)
    assert newest.stat().st_mode & 0o777 == 0o600
    (work / "config.properties").unlink()
    (work / "again").mkdir()
    (work / "again" / "snapshot.cfg").write_bytes(newest.read_bytes())
    with torchserve_program.TorchServeProgram(
        store, work, "--ts-config", str(work / "again" / "snapshot.cfg")
    ) as program:
        server = Managed(program, store)
        first, second = server.describe("cat/all")
        assert (first["workers"], len(second["workers"]), second["batchSize"]) == ([], 2, 4)
        assert server.predict("cat") == (200, "2.0")
        assert program.stop() == 0
