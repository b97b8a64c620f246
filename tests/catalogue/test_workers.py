"""Catalogue 3.10: workers of Python models that crash, hang, want too much, start slowly or break in.

The long form of the kills (60 s of them) and of the pause runs with --full:
    python -m pytest tests/catalogue/test_workers.py --full -s
"""

import ast
import concurrent.futures
import dataclasses
import os
import pathlib
import signal
import threading
import time

import pytest
import tritonclient.grpc as grpc_client
from catalogue import workers
from catalogue.conftest import running_server, unharmed

from harness import control, models, open_loop, prometheus, raw_http, resources, under_way, wait
from harness import server as server_module

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_SLOW = server_module.is_sanitized()
_MIB = 1 << 20


@dataclasses.dataclass
class Workers:
    """A server in explicit mode with Python models."""

    server: server_module.Server
    repository: pathlib.Path

    def add(self, name, instances=1, extra=""):
        return workers.add(self.repository, name, instances, extra)

    def load(self, name, instances=1, extra=""):
        folder = self.add(name, instances, extra)
        control.must_load(self.server, name)
        return folder


@pytest.fixture(scope="module", name="_worker_server")
def _make_worker_server(tmp_path_factory):
    repository = models.standard(tmp_path_factory.mktemp("workers"))
    options = (
        "--model-control-mode=explicit",
        "--load-model=*",
        workers.INTERPRETER,
        f"--backend-config=python,data-byte-size={16 * _MIB}",
        f"--backend-config=python,memory-byte-size-max={2048 * _MIB}",
        "--backend-config=python,open-files-max=256",
        f"--backend-config=python,file-byte-size-max={8 * _MIB}",
        "--backend-config=python,start-timeout-seconds=20",
        "--backend-config=python,response-timeout-seconds=20",
        "--backend-config=python,network=off",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEADRACE_TEST_TOKEN", "a secret")
        workers.add(repository, "first")  # the first of them makes threads that stay
        context = running_server(repository, *options)
        triple = context.__enter__()  # pylint: disable=unnecessary-dunder-call
    yield triple, repository
    context.__exit__(None, None, None)


@pytest.fixture(name="working")
def _working(_worker_server):
    """That server; models that the test has added are unloaded behind it, and must leave nothing."""
    triple, repository = _worker_server
    before = control.index(triple[0])
    processes = len(workers.children(triple[0].pid))
    with unharmed(*triple) as running:
        yield Workers(running, repository)
        for name, versions in control.index(running).items():
            if versions != before.get(name) and any(state for state, _ in versions.values()):
                control.must_unload(running, name)
        wait.until(lambda: len(workers.children(running.pid)) == processes, "their processes have ended")


@pytest.mark.row(169)
def test_an_idle_worker_that_is_killed_is_back_at_once(working):
    server = working.server
    working.load("idle")
    pid = workers.pid_of(server, "idle")
    os.kill(pid, signal.SIGKILL)
    started = time.monotonic()
    workers.wait_gone(pid)
    assert workers.pid_of(server, "idle") != pid  # waits for the next one
    took = time.monotonic() - started
    print(f"\nthe next worker answered after {took:.2f} s")
    if not _SLOW:
        assert took < 10
    assert workers.is_ready(server, "idle")


@pytest.mark.row(169)
def test_a_killed_worker_fails_what_it_ran_and_nothing_that_was_queued(working):
    server = working.server
    working.load("killed")
    pid = workers.pid_of(server, "killed")
    with under_way.Asked(server, [workers.request("killed", "sleep 1000")]) as running:
        wait.until(lambda: under_way.metric(server, "headrace_requests_in_flight", "killed") == 1, "it runs")
        under_way.wait_queued(server, "killed", 0)
        with under_way.Asked(server, [workers.request("killed", f"echo {i}") for i in range(100)]) as queued:
            under_way.wait_queued(server, "killed", 100)
            os.kill(pid, signal.SIGKILL)
            (lost,) = running.answers()
            assert lost.status == 503 and "signal 9" in lost.error and "'killed'" in lost.error, lost
            answers = [workers.text_of(answer.body).split() for answer in queued.answers()]
    assert [number for number, _ in answers] == [str(i) for i in range(100)]
    assert {process for _, process in answers} == {str(workers.pid_of(server, "killed"))} != {str(pid)}


@pytest.mark.row(170)
def test_workers_are_killed_all_the_time(working, full):
    """Only what a worker runs at its death may fail; other models notice nothing."""
    server = working.server
    seconds, rate = (60, 100) if full else (3, 40)
    working.load("mortal", instances=2)
    killed, last = set(), {}

    def check(number, _, body):
        text, pid = workers.text_of(body).split()
        assert text == str(number), (text, number)
        last["pid"] = int(pid)
        return "right"

    identity = raw_http.request(
        "POST",
        "/v2/models/identity_fp32/infer",
        b'{"inputs":[{"name":"INPUT0","shape":[1],"datatype":"FP32","data":[1]}]}',
    )
    with (
        open_loop.OpenLoop(server, rate, lambda i: (workers.request("mortal", f"echo {i}"), i), check) as client,
        open_loop.OpenLoop(server, rate, lambda i: (identity, i), lambda *_: "right") as other,
    ):
        stop = time.monotonic() + seconds
        pause = threading.Event()
        while time.monotonic() < stop:
            pause.wait(0.2)
            pid = last.get("pid")
            if pid is not None and pid not in killed:
                killed.add(pid)
                os.kill(pid, signal.SIGKILL)
        outcome, others = client.finish(), other.finish()
    print(f"\n{len(killed)} kills in {seconds} s: {outcome.summary()}\nanother model: {others.summary()}")
    others.must_be_clean()
    assert len(killed) >= (2 if _SLOW else seconds * 0.5), "the workers did not come back fast enough to be killed"
    assert not outcome.wrong and not outcome.dropped, outcome.summary()
    assert sum(outcome.refused.values()) <= len(killed), "at most the one request that each of them ran"
    assert all(text.startswith("503") for text in outcome.refused), outcome.summary()
    assert outcome.ok + sum(outcome.refused.values()) == outcome.sent
    workers.wait_ready(server, "mortal")


@pytest.mark.row(173)
def test_a_model_that_allocates_without_end_harms_itself_only(working):
    server = working.server
    working.load("greedy")
    working.load("sibling")
    sibling = workers.pid_of(server, "sibling")
    status, error = workers.ask(server, "greedy", "allocate")
    assert status in (500, 503, 507), (status, error)
    assert "emory" in error, error
    assert workers.pid_of(server, "sibling") == sibling
    assert workers.ask(server, "greedy", "echo x").startswith("x ")


@pytest.mark.row(174)
def test_what_a_worker_leaves_behind_goes_with_it(working):
    server = working.server
    working.load("parent")
    pid = workers.pid_of(server, "parent")
    left = [int(one) for one in workers.ask(server, "parent", "fork").split()]
    assert len(left) == 2 and not any(map(workers.is_gone, left))
    os.kill(pid, signal.SIGKILL)
    for one in left:
        workers.wait_gone(one)
    left = [int(one) for one in workers.ask(server, "parent", "fork").split()]
    control.must_unload(server, "parent")
    for one in left:
        workers.wait_gone(one)


@pytest.mark.row(174)
def test_limits_hold(working):
    server = working.server
    working.load("limited")
    pid = workers.pid_of(server, "limited")
    error, count = workers.ask(server, "limited", "files").split()
    assert error == "EMFILE" and 200 < int(count) < 256
    assert workers.ask(server, "limited", "fill") == "EFBIG 8"
    assert workers.ask(server, "limited", "leave") == "/"
    assert workers.pid_of(server, "limited") == pid
    lines = len(server.lines)
    started = time.monotonic()
    assert workers.ask(server, "limited", f"print {1024 if not _SLOW else 16}") == "printed"
    print(f"\nprinted in {time.monotonic() - started:.1f} s, {len(server.lines) - lines} lines in the log")
    seconds = 2 + time.monotonic() - started
    assert len(server.lines) - lines < 1100 * seconds
    server.wait_line("lines left out: more than 1000 in a second")
    assert workers.pid_of(server, "limited") == pid


@pytest.mark.row(174)
def test_a_worker_that_closes_everything_is_replaced(working):
    server = working.server
    working.load("closing")
    pid = workers.pid_of(server, "closing")
    status, _ = workers.ask(server, "closing", "close")
    assert status == 503
    assert workers.pid_of(server, "closing") != pid
    workers.wait_gone(pid)


@pytest.mark.row(175)
def test_starts_that_are_slow_late_or_fail(tmp_path):
    repository = models.standard(tmp_path / "models")
    for name, mark, text in (("prompt", "", ""), ("slow", "slow", "1"), ("ends", "ends", "")):
        folder = workers.add(repository, name)
        if mark:
            (folder / mark).write_text(text, encoding="utf-8")
    (workers.add(repository, "crashes") / "1" / "model.py").write_text("import no_such_module\n", encoding="utf-8")
    workers.add(repository, "wrong", extra=models.parameter("python_interpreter", "/nowhere/python"))
    no_python = models.parameter("python_interpreter", "/bin/true")
    workers.add(repository, "no_python", extra=no_python)
    options = ["--model-control-mode=explicit", "--load-model=identity_fp32", workers.INTERPRETER]
    with server_module.Server(repository, *options) as server:
        control.must_load(server, "prompt")
        assert workers.is_ready(server, "prompt")
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            loads = {name: pool.submit(control.load, server, name) for name in ("slow", "ends")}
            wait.until(lambda: control.states(server, "slow").get("1") == "LOADING", "it loads")
            assert not workers.is_ready(server, "slow")
            assert workers.ask(server, "prompt", "echo x").startswith("x ")
            answers = {name: load.result() for name, load in loads.items()}
        assert answers["slow"].status == 200, answers["slow"]
        assert workers.is_ready(server, "slow")
        for name in ("crashes", "wrong", "no_python"):
            answers[name] = control.load(server, name)
        for name, reason in {
            "ends": "exit status 6",
            "crashes": "no_such_module",
            "wrong": "python_interpreter: '/nowhere/python' is no program",
            "no_python": "exit status 0",
        }.items():
            assert answers[name].status == 400, (name, answers[name])
            state, why = control.index(server)[name]["1"]
            assert state == "UNAVAILABLE" and reason in why, (name, state, why)
            assert not workers.is_ready(server, name)
        assert len(workers.children(server.pid)) == 2
        assert not control.is_ready(server)  # strict: models that were asked for are not there
        assert server.stop() == 0, server.output()


@pytest.mark.row(175)
def test_a_start_that_never_ends(tmp_path):
    repository = models.standard(tmp_path / "models")
    (workers.add(repository, "never") / "slow").write_text("1000", encoding="utf-8")
    options = ["--model-control-mode=explicit", "--load-model=identity_fp32", workers.INTERPRETER]
    with server_module.Server(repository, *options, "--backend-config=python,start-timeout-seconds=2") as server:
        answer = control.load(server, "never")
        assert answer.status == 400 and "did not load the model within 2 s" in answer.error, answer
        assert "did not load the model within 2 s" in control.index(server)["never"]["1"][1]
        assert not workers.is_ready(server, "never") and not workers.children(server.pid)
        assert server.stop() == 0, server.output()


@pytest.mark.row(175)
@pytest.mark.row(179)
def test_a_model_without_workers_says_so_at_once_until_one_is_back(working):
    server = working.server
    folder = working.load("sick")
    (folder / "broken").touch()
    pid = workers.pid_of(server, "sick")
    os.kill(pid, signal.SIGKILL)
    wait.until(lambda: "in a row failed" in control.index(server)["sick"]["1"][1], "starts fail", 60)
    started = time.monotonic()
    status, error = workers.ask(server, "sick", "echo x")
    assert status == 503 and "the model is broken" in error, (status, error)
    assert time.monotonic() - started < 1 or _SLOW
    state, reason = control.index(server)["sick"]["1"]
    assert state == "UNAVAILABLE" and "the model is broken" in reason
    assert not workers.is_ready(server, "sick")
    with grpc_client.InferenceServerClient(server.grpc_url) as client:
        assert not client.is_model_ready("sick")
    page = prometheus.scrape(server)
    assert page.value("headrace_model_ready", model="sick") == 0
    assert page.value("headrace_instances_ready", model="sick") == 0
    (folder / "broken").unlink()
    workers.wait_ready(server, "sick")
    assert workers.ask(server, "sick", "echo x").startswith("x ")
    assert prometheus.scrape(server).value("headrace_model_ready", model="sick") == 1
    assert control.states(server, "sick") == {"1": "READY"}


@pytest.mark.row(175)
def test_a_model_that_was_given_up_is_loaded_anew(tmp_path):
    repository = models.standard(tmp_path / "models")
    folder = workers.add(repository, "given_up")
    options = ["--model-control-mode=explicit", "--load-model=given_up", workers.INTERPRETER]
    with server_module.Server(repository, *options, "--backend-config=python,restart-give-up-seconds=0") as server:
        (folder / "broken").touch()
        os.kill(workers.pid_of(server, "given_up"), signal.SIGKILL)
        server.wait_line("has failed for good after 1 failed start")
        status, error = workers.ask(server, "given_up", "echo x")
        assert status == 503 and "has failed for good" in error, error
        assert not control.is_ready(server)
        answer = control.load(server, "given_up")
        assert answer.status == 400 and "the model is broken" in answer.error, answer
        (folder / "broken").unlink()
        control.must_load(server, "given_up")
        assert workers.ask(server, "given_up", "echo x").startswith("x ")
        assert control.is_ready(server)
        assert server.stop() == 0, server.output()


_ENSEMBLE = (
    'platform: "ensemble"\ninput { name: "IN" data_type: TYPE_STRING dims: [ 1 ] }\n'
    'output { name: "OUT" data_type: TYPE_STRING dims: [ 1 ] }\nensemble_scheduling { step { model_name: "STEP" model_version: -1 '
    'input_map { key: "INPUT0" value: "IN" } output_map { key: "OUTPUT0" value: "OUT" } } }\n'
)


@pytest.mark.row(175)
@pytest.mark.parametrize("strict", [True, False], ids=["strict", "lenient"])
def test_an_ensemble_is_as_ready_as_its_steps(tmp_path, strict):
    repository = models.standard(tmp_path / "models")
    folder = workers.add(repository, "step")
    models.add(repository, "whole", _ENSEMBLE.replace("STEP", "step"))
    outer = _ENSEMBLE.replace("STEP", "whole").replace('"INPUT0"', '"IN"').replace('"OUTPUT0"', '"OUT"')
    models.add(repository, "outer", outer)
    options = ["--model-control-mode=explicit", "--load-model=outer", workers.INTERPRETER]
    options += ["--backend-config=python,restart-give-up-seconds=0", f"--strict-readiness={str(strict).lower()}"]
    with server_module.Server(repository, *options) as server:
        assert workers.is_ready(server, "outer") and workers.is_ready(server, "whole") and control.is_ready(server)
        (folder / "broken").touch()
        os.kill(workers.pid_of(server, "step"), signal.SIGKILL)
        server.wait_line("has failed for good after 1 failed start")
        assert control.is_ready(server) == (not strict)
        with grpc_client.InferenceServerClient(server.grpc_url) as client:
            for name in ("step", "whole", "outer"):
                assert not workers.is_ready(server, name) and not client.is_model_ready(name)
                state, reason = control.index(server)[name]["1"]
                assert state == "UNAVAILABLE" and "model 'step' version 1 cannot serve" in reason, (state, reason)
        page = prometheus.scrape(server)
        assert page.value("headrace_model_ready", model="outer") == 0
        (folder / "broken").unlink()
        control.must_load(server, "step")
        for name in ("step", "whole", "outer"):
            assert workers.is_ready(server, name)
            assert control.states(server, name) == {"1": "READY"}
        assert control.is_ready(server)
        assert server.stop() == 0, server.output()


_UNPICKLERS = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
_WAYS = {"load", "loads", "Unpickler", "open"}


def _problems(tree):
    """What in a program can make code of a request's data."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in _UNPICKLERS:
            for alias in node.names:
                if alias.name in _WAYS:
                    yield node.lineno, f"{node.module}.{alias.name}"
        if isinstance(node, ast.Attribute) and node.attr in _WAYS and ast.unparse(node.value) in _UNPICKLERS:
            yield node.lineno, ast.unparse(node)
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        if called in ("eval", "exec", "yaml.load", "yaml.unsafe_load") or keywords.get("allow_pickle") == "True":
            yield node.lineno, ast.unparse(node)
        # A model's own files, by their path, are another matter.
        if called == "torch.load" and keywords.get("weights_only") != "True":
            if not node.args or not ast.unparse(node.args[0]).endswith("path"):
                yield node.lineno, ast.unparse(node)


@pytest.mark.row(176)
def test_nothing_that_is_shipped_unpickles_requests():
    # `headrace optimize` runs by hand, and sees no requests.
    apart = {"tests", "headrace_optimize"}
    files = [path for path in (_ROOT / "python").rglob("*.py") if not apart & set(path.parts)]
    assert len(files) > 10
    found = [
        f"{path.relative_to(_ROOT)}:{line}: {what}"
        for path in files
        for line, what in _problems(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert found == []
    # And the search finds what it is for.
    bad = "pickle.loads(x)\nfrom dill import load\ntorch.load(f)\nnumpy.load(f, allow_pickle=True)\neval(x)\nyaml.load(t)"
    assert len(list(_problems(ast.parse(bad)))) == 6


@pytest.mark.row(154)
@pytest.mark.row(177)
@pytest.mark.parametrize(
    "mode",
    ["garbage", "empty", "outside", "foreign_key", "twice", "wrong_size", "two_answers", "body_outside", "foreign_response"],
)
def test_a_worker_that_breaks_the_protocol_is_replaced(rogues, mode):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        honest = [pool.submit(_echo_number, rogues, "honest", i) for i in range(50)]
        if mode == "two_answers":  # the second one is there when the next request is
            assert _echo_number(rogues, mode, 6)
        first = _infer_number(rogues, mode, 7)
        assert first.status in (500, 503), first
        assert _echo_number(rogues, mode, 8)
        assert all(one.result() for one in honest), "clients of another model were mixed up"


@pytest.fixture(scope="module", name="rogues")
def _rogues(tmp_path_factory):
    """A server whose workers keep the rules or break them once, as their model's name says."""
    repository = models.standard(tmp_path_factory.mktemp("rogues"))
    modes = [mark for mark in test_a_worker_that_breaks_the_protocol_is_replaced.pytestmark if mark.name == "parametrize"]
    for name in ["honest", *modes[0].args[1]]:
        config = models.identity_config([("INT32", [-1])]).replace("identity", "python")
        models.add(repository, name, config)
    rogue = _ROOT / "src" / "worker" / "testing" / "rogue"
    with server_module.Server(repository, workers.INTERPRETER, f"--python-directory={rogue}", "--disable-auto-complete-config") as one:
        yield one
        assert one.stop() == 0, one.output()


def _infer_number(server, model, number):
    document = {"inputs": [{"name": "INPUT0", "shape": [2], "datatype": "INT32", "data": [number, number]}]}
    return raw_http.infer_json(server, model, document)


def _echo_number(server, model, number):
    answer = _infer_number(server, model, number)
    return answer.status == 200 and answer.json()["outputs"][0]["data"] == [number, number]


@pytest.mark.row(178)
def test_a_model_may_not_break_out(working):
    server = working.server
    working.load("probe")
    answer = workers.ask(server, "probe", f"probe {server.port}")
    found = dict(one.split("=") for one in answer.split())
    kill = found.pop("kill")  # only newer kernels can keep it from the server
    assert kill in ("done", "EPERM")
    assert found.pop("token") == "absent"
    assert set(found) == {"ptrace", "mount", "unshare", "connect", "descriptor", "memory", "environ"}
    if not workers.is_fenced():
        found = {what: outcome for what, outcome in found.items() if what not in ("descriptor", "memory", "environ")}
    assert set(found.values()) <= {"EPERM", "EACCES"}, found
    assert workers.ask(server, "probe", "descriptors") == "[0, 1, 2, 3, 4, 5]"


@pytest.mark.row(180)
def test_workers_die_with_the_server(tmp_path):
    repository = models.standard(tmp_path / "models")
    workers.add(repository, "orphan", instances=2)
    shared = workers.shared_memory()
    with server_module.Server(repository, workers.INTERPRETER) as server:
        pid = workers.pid_of(server, "orphan")
        processes = workers.children(server.pid)
        assert len(processes) == 2 and pid in processes
        with under_way.Asked(server, [workers.request("orphan", "sleep 1000")]):
            wait.until(lambda: under_way.metric(server, "headrace_requests_in_flight", "orphan") == 1, "it runs")
            server.signal(signal.SIGKILL)
            server.wait()
            started = time.monotonic()
            for process in processes:
                workers.wait_gone(process)
            took = time.monotonic() - started
    assert took < 1 or _SLOW, took
    assert workers.shared_memory() <= shared


@pytest.mark.row(198)
def test_an_end_with_a_worker_that_hangs(tmp_path):
    repository = models.standard(tmp_path / "models")
    workers.add(repository, "hanging")
    timeout = 2
    with server_module.Server(repository, workers.INTERPRETER, f"--exit-timeout-secs={timeout}") as server:
        pid = workers.pid_of(server, "hanging")
        with under_way.Asked(server, [workers.request("hanging", "sleep 1000")]):
            wait.until(lambda: under_way.metric(server, "headrace_requests_in_flight", "hanging") == 1, "it runs")
            started = time.monotonic()
            server.signal(signal.SIGTERM)
            server.wait()
            took = time.monotonic() - started
        print(f"\nended after {took:.2f} s of {timeout} s and 2 s")
        assert took < timeout + (2 if not _SLOW else 20)
        workers.wait_gone(pid)


@pytest.mark.row(203)
def test_a_pause_of_everything_times_nobody_out(tmp_path, full):
    repository = models.standard(tmp_path / "models")
    workers.add(repository, "paused", instances=2)
    pause = 10 if full else 3
    limit = 2 if not _SLOW else 20
    options = [workers.INTERPRETER, f"--backend-config=python,response-timeout-seconds={limit}"]
    with server_module.Server(repository, *options) as server:
        workers.pid_of(server, "paused")
        processes = workers.children(server.pid)
        assert len(processes) == 2
        asked = [workers.request("paused", "sleep 1"), *(workers.request("paused", f"echo {i}") for i in range(20))]
        with under_way.Asked(server, asked) as running:
            wait.until(lambda: under_way.metric(server, "headrace_requests_in_flight", "paused") >= 1, "they run")
            for process in (server.pid, *processes):
                os.kill(process, signal.SIGSTOP)
            threading.Event().wait(pause)
            for process in (server.pid, *processes):
                os.kill(process, signal.SIGCONT)
            answers = running.answers()
        assert [answer.status for answer in answers] == [200] * len(asked), answers
        assert set(workers.children(server.pid)) == set(processes), "no worker was replaced"
        assert server.stop() == 0, server.output()
