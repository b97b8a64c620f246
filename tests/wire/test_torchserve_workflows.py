"""Workflows of TorchServe: archives of torch-workflow-archiver, their API, and running them."""

import json
import pathlib
import subprocess
import sys
import textwrap
import threading

import pytest
from harness import archives, torchserve_program, wait

FUNCTIONS = textwrap.dedent(
    """
    def pre(data, context):
        if data is None:
            return None
        row = data[0]
        return [bytes(row.get("data") or row.get("body"))]


    def post(data, context):
        if data is None:
            return None
        return [{name: bytes(value).decode() for name, value in sorted(data[0].items())}]


    def text(data, context):
        if data is None:
            return None
        return ["plain text"]


    def picture(data, context):
        if data is None:
            return None
        return [b"\\xff\\xd8"]
    """
)

# Answers "<name>(<body>)", and does what the body says before.
MODEL = textwrap.dedent(
    """
    import os
    import pathlib
    import time


    def handle(data, context):
        if data is None:
            return None
        answers = []
        for index, row in enumerate(data):
            text = bytes(row["body"]).decode()
            name = context.model_name.split("__")[-1]
            if text.startswith("fail " + name):
                raise ValueError("asked to")
            if text.startswith("headers"):
                text = context.get_request_header(index, "X-Mine")
            if text.startswith("meet "):
                # Both branches have to be here at one time.
                folder = pathlib.Path(text[5:])
                (folder / name).touch()
                while len(list(folder.iterdir())) < 2:
                    time.sleep(0.01)
                text = "met"
            if text.startswith("wait "):
                pathlib.Path(text[5:] + ".begun").touch()
                while not os.path.exists(text[5:]):
                    time.sleep(0.01)
            answers.append(f"{name}({text})")
        return answers
    """
)

SEQUENCE = """
models:
  m: {url: m.mar, timeout-ms: 60000}
dag:
  pre: [m]
  m: [post]
"""
DIAMOND = """
models:
  retry-attempts: 0
  timeout-ms: 60000
  a: {url: m.mar, batch-size: 4, max-batch-delay: 1}
  b: {url: m.mar}
dag:
  pre: [a, b]
  a: [post]
  b: [post]
"""
LEAVES = """
models:
  a: {url: m.mar, timeout-ms: 60000}
dag:
  pre: [a, text]
"""


def _archive(folder, name, spec, functions=FUNCTIONS):
    """By the published tool."""
    (folder / f"{name}.yaml").write_text(spec)
    (folder / f"{name}_functions.py").write_text(functions)
    tool = pathlib.Path(sys.executable).parent / "torch-workflow-archiver"
    subprocess.run(
        [
            *(tool, "--workflow-name", name, "--spec-file", folder / f"{name}.yaml"),
            *("--handler", folder / f"{name}_functions.py", "--export-path", folder / "store", "-f"),
        ],
        check=True,
        timeout=120,
    )


@pytest.fixture(scope="module", name="folder")
def _folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("workflows")
    (folder / "store").mkdir()
    (folder / "work").mkdir()
    (folder / "store" / "m.mar").write_bytes(archives.mar("m", {"handler.py": MODEL}, "handler.py:handle"))
    _archive(folder, "sequence", SEQUENCE)
    return folder


@pytest.fixture(scope="module", name="server")
def _server(folder):
    server = torchserve_program.TorchServeProgram(
        folder / "store", folder / "work", "--disable-token-auth", "--enable-model-api", "--ncs"
    )
    with server:
        yield server
        assert server.stop() == 0, server.output()


def _manage(server, method, path):
    status, _, body = server.ask(method, path, port=server.management_port)
    return status, json.loads(body)


def _write(folder, name, spec, functions=FUNCTIONS):
    (folder / "store" / f"{name}.war").write_bytes(archives.war(name, spec, functions))


@pytest.fixture(name="register")
def _register(folder, server):
    """Makes and registers workflows; what is left of them is unregistered."""
    names = []

    def register(name, spec, functions=FUNCTIONS):
        _write(folder, name, spec, functions)
        status, body = _manage(server, "POST", f"/workflows?url={name}.war")
        assert status == 200, body
        names.append(name)

    yield register
    for name in names:
        _manage(server, "DELETE", f"/workflows/{name}")
    assert _manage(server, "GET", "/models")[1]["models"] == []


def test_life_of_a_workflow_of_the_published_archiver(server):
    assert _manage(server, "GET", "/workflows") == (200, {"workflows": []})
    status, body = _manage(server, "POST", "/workflows?url=sequence.war")
    assert (status, body) == (200, {"status": "Workflow sequence has been registered and scaled successfully."})
    status, body = _manage(server, "POST", "/workflows?url=sequence.war")
    assert (status, body["code"], body["type"]) == (409, 409, "ConflictStatusException")
    assert body["message"] == "Workflow sequence is already registered."
    assert _manage(server, "GET", "/workflows") == (
        200,
        {"workflows": [{"workflowName": "sequence", "workflowUrl": "sequence.war"}]},
    )
    assert _manage(server, "GET", "/workflows/sequence") == (
        200,
        [
            {
                "workflowName": "sequence",
                "workflowUrl": "sequence.war",
                "minWorkers": 1,
                "maxWorkers": 1,
                "batchSize": 1,
                "maxBatchDelay": 50,
                "workflowDag": "{pre=[m], m=[post]}",
            }
        ],
    )
    models = [model["modelName"] for model in _manage(server, "GET", "/models")[1]["models"]]
    assert models == ["sequence__m", "sequence__post", "sequence__pre"]
    assert _manage(server, "GET", "/models/sequence__m")[1][0]["workers"][0]["status"] == "READY"

    status, headers, body = server.ask("POST", "/wfpredict/sequence", body=b"hello")
    assert (status, json.loads(body)) == (200, {"body": "m(hello)"})
    assert headers["Content-Type"] == "application/json"
    assert headers["x-request-id"]
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    status, _, body = server.ask("POST", "/wfpredict/sequence", body=b"data=form", headers=form)
    assert (status, json.loads(body)) == (200, {"body": "m(form)"})
    status, _, body = server.ask("PUT", "/wfpredict/sequence", body=b"headers", headers={"X-Mine": "passed on"})
    assert (status, json.loads(body)) == (200, {"body": "m(passed on)"})

    assert _manage(server, "DELETE", "/workflows/sequence") == (200, {"status": 'Workflow "sequence" unregistered'})
    assert _manage(server, "GET", "/models")[1]["models"] == []
    for method, path, port in (
        ("DELETE", "/workflows/sequence", server.management_port),
        ("GET", "/workflows/sequence", server.management_port),
        ("POST", "/wfpredict/sequence", server.port),
    ):
        status, _, body = server.ask(method, path, port=port)
        assert (status, json.loads(body)["type"]) == (404, "WorkflowNotFoundException")
        assert json.loads(body)["message"].startswith("Workflow not found: sequence")


def test_branches_run_at_the_same_time(server, register, tmp_path):
    register("diamond", DIAMOND)
    status, _, body = server.ask("POST", "/wfpredict/diamond", body=f"meet {tmp_path}".encode())
    assert (status, json.loads(body)) == (200, {"a": "a(met)", "b": "b(met)"})


def test_a_failing_node_is_named(server, register):
    register("diamond", DIAMOND)
    status, _, body = server.ask("POST", "/wfpredict/diamond", body=b"fail b")
    assert status == 500
    error = json.loads(body)
    assert error["type"] == "InternalServerException"
    assert error["message"].startswith("Failed to execute workflow Node after 1 attempts : Error executing b: ")
    status, _, body = server.ask("POST", "/wfpredict/diamond", body=b"goes on")
    assert (status, json.loads(body)) == (200, {"a": "a(goes on)", "b": "b(goes on)"})


def test_several_leaves_are_one_object(server, register):
    register("leaves", LEAVES)
    status, headers, body = server.ask("POST", "/wfpredict/leaves", body=b"in")
    assert (status, json.loads(body)) == (200, {"a": "a(in)", "text": "plain text"})
    assert headers["Content-Type"] == "application/json"
    register("bytes", LEAVES.replace("text", "picture"))
    status, _, body = server.ask("POST", "/wfpredict/bytes", body=b"in")
    assert status == 500
    assert "picture" in json.loads(body)["message"]


def test_a_node_that_does_not_answer_ends_with_an_error(server, register, tmp_path):
    register("slow", "{models: {m: {url: m.mar, timeout-ms: 300, retry-attempts: 0}}, dag: {m: []}}")
    status, _, body = server.ask("POST", "/wfpredict/slow", body=f"wait {tmp_path}/go".encode())
    assert status == 500
    assert "Error executing m: it took more than 300 ms" in json.loads(body)["message"]
    (tmp_path / "go").touch()


def test_unregistering_lets_requests_end(server, register, tmp_path):
    register("leaving", "{models: {m: {url: m.mar, timeout-ms: 60000}}, dag: {m: []}}")
    answers = {}

    def send():
        answers["request"] = server.ask("POST", "/wfpredict/leaving", body=f"wait {tmp_path}/go".encode())

    def remove():
        answers["removal"] = _manage(server, "DELETE", "/workflows/leaving")

    threads = [threading.Thread(target=send), threading.Thread(target=remove)]
    threads[0].start()
    wait.until(lambda: (tmp_path / "go.begun").exists(), "the execution begins", 60)
    threads[1].start()
    wait.until(lambda: _manage(server, "GET", "/workflows/leaving")[0] == 404, "it is out of sight", 60)
    assert server.ask("POST", "/wfpredict/leaving", body=b"x")[0] == 404
    assert not answers
    (tmp_path / "go").touch()
    for thread in threads:
        thread.join()
    assert answers["request"][::2] == (200, f"m(wait {tmp_path}/go)")
    assert answers["removal"] == (200, {"status": 'Workflow "leaving" unregistered'})


@pytest.mark.parametrize(
    ("spec", "status", "message"),
    [
        ("{models: {a: {url: m.mar}}, dag: {a: [pre], pre: [a]}}", 400, "Not a valid DAG"),
        ("{models: {a: {url: m.mar}}, dag: {pre: [a], text: [a]}}", 400, "only one start node"),
        ("{models: {a: {}}, dag: {pre: [a]}}", 400, "models.a.url is missing"),
        ("{models: {a: {url: m.mar}}, dag: {pre: [../a]}}", 400, "no name of a function"),
        ("{models: {a: {url: !!python/object/apply:os.system [id]}}, dag: {a: []}}", 400, "tag"),
        ("{models: {a: {url: none.mar}}, dag: {pre: [a]}}", 500, "Model not found at: none.mar"),
        ("{models: {a: {url: ../m.mar}}, dag: {pre: [a]}}", 500, "Relative path is not allowed"),
        ("{models: {a: {url: m.mar}}, dag: {pre: [nothing, a]}}", 500, "bad__nothing failed to register"),
    ],
)
def test_what_is_wrong_leaves_nothing_behind(server, folder, spec, status, message):
    _write(folder, "bad", spec)
    answer, body = _manage(server, "POST", "/workflows?url=bad.war")
    assert answer == status, body
    assert message in body["message"]
    if status == 500:
        assert body["message"].startswith("Workflow bad has failed to register. Failures: [")
    assert _manage(server, "GET", "/workflows") == (200, {"workflows": []})
    assert _manage(server, "GET", "/models")[1]["models"] == []


def test_registrations_that_name_no_archive(server):
    for query, status, message in (
        ("", 400, "Parameter url is required."),
        ("?url=../m.war", 404, "Relative path is not allowed in url: ../m.war"),
        ("?url=none.war", 404, "none.war"),
        ("?url=http://127.0.0.1:9/a.war", 404, "Given URL http://127.0.0.1:9/a.war does not match any allowed URL(s)"),
        ("?url=m.mar", 400, "holds no WAR-INF/MANIFEST.json"),
    ):
        answer, body = _manage(server, "POST", "/workflows" + query)
        assert answer == status, body
        assert message in body["message"]


def test_the_list_has_pages(server, register):
    one = "{models: {m: {url: m.mar}}, dag: {m: []}}"
    register("page_b", one)
    register("page_a", one)
    status, body = _manage(server, "GET", "/workflows?limit=1")
    assert (status, [flow["workflowName"] for flow in body["workflows"]]) == (200, ["page_a"])
    status, body = _manage(server, "GET", f"/workflows?limit=1&next_page_token={body['nextPageToken']}")
    assert (status, [flow["workflowName"] for flow in body["workflows"]]) == (200, ["page_b"])
    assert "nextPageToken" not in body


def test_without_the_switch_workflows_neither_come_nor_go(folder, tmp_path):
    with torchserve_program.TorchServeProgram(folder / "store", tmp_path, "--disable-token-auth", "--ncs") as server:
        for method, path in (("POST", "/workflows?url=sequence.war"), ("DELETE", "/workflows/sequence")):
            status, body = _manage(server, method, path)
            assert (status, body["type"]) == (405, "MethodNotAllowedException")
        assert _manage(server, "GET", "/workflows") == (200, {"workflows": []})
        assert server.stop() == 0, server.output()
