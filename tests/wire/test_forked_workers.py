"""Workers that are copies of a template: what they share, what they do not, and what becomes of them when one dies."""

import concurrent.futures
import os
import pathlib
import signal
import sys

import numpy
import pytest
import requests
import tritonclient.http as client_module

from harness import archives, models, wait
from harness import server as server_module

_HANDLER = pathlib.Path(__file__).parent / "handlers" / "twin.py"
_LIMIT_S = 60
_MEGABYTES = 200
_FORKED = "minWorkers: 2\nmaxWorkers: 2\nforkWorkers: true\n"
_MODEL = """
import os
import numpy
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def initialize(self, args):
        self.loaded_by = os.getpid()

    def after_fork(self, args):
        self.name = args["model_instance_name"]

    def execute(self, requests):
        told = numpy.array([self.name, str(self.loaded_by), str(os.getpid())], dtype=object)
        return [pb_utils.InferenceResponse([pb_utils.Tensor("OUTPUT0", told)]) for _ in requests]
"""
_CONFIG = """
backend: "python"
input { name: "INPUT0" data_type: TYPE_FP32 dims: [ 1 ] }
output { name: "OUTPUT0" data_type: TYPE_STRING dims: [ 3 ] }
instance_group { kind: KIND_CPU count: 2 }
parameters { key: "fork_workers" value { string_value: "true" } }
"""


def _start(repository):
    interpreters = [f"--backend-config={backend},interpreter={sys.executable}" for backend in ("handler", "python")]
    return server_module.Server(repository, *interpreters)


@pytest.fixture(scope="module", name="server")
def _server(tmp_path_factory):
    repository = tmp_path_factory.mktemp("forked")
    for name, settings in (
        ("twins", f"megabytes: {_MEGABYTES}\n" + _FORKED),
        ("threaded", "megabytes: 1\nthread: true\n" + _FORKED),
    ):
        archives.add(repository, name, archives.handler_mar(name, _HANDLER, settings))
    directory = models.add(repository, "named", _CONFIG)
    (directory / "1" / "model.py").write_text(_MODEL, encoding="utf-8")
    with _start(repository) as running:
        yield running
        workers = [told["pid"] for told in _both(running)] + [_template(running)]
        assert running.stop() == 0, running.output()
        assert not any(_alive(pid) for pid in workers)


def _ask(server, model="twins", **headers):
    return requests.post(f"http://{server.url}/predictions/{model}", data=b"", headers=headers, timeout=_LIMIT_S)


def _both(server, model="twins"):
    """What the two workers tell, by process id."""

    def tell():
        answer = _ask(server, model)
        assert answer.status_code == 200, answer.text
        return answer.json()["pid"], answer.json()

    told = _all(tell)
    return [told[pid] for pid in sorted(told)]


def _all(tell, count=2):
    """{key: value} of `tell`, asked by several at once until so many have answered."""
    told = {}
    with concurrent.futures.ThreadPoolExecutor(4) as pool:

        def ask():
            told.update(one.result() for one in [pool.submit(tell) for _ in range(4)])
            return len(told) == count

        wait.until(ask, f"{count} workers answer", _LIMIT_S)
    return told


def _template(server, model="twins"):
    """The process that the workers' weights were made in."""
    return _ask(server, model).json()["steps"][0][1]


def _alive(pid):
    return pathlib.Path(f"/proc/{pid}").exists()


def _parent(pid):
    return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _megabytes(pid, field):
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise AssertionError(f"no {field}")


def test_workers_share_the_pages_of_what_was_loaded_once(server):
    first, second = _both(server)
    template = _template(server)
    assert template not in (first["pid"], second["pid"])
    count = _MEGABYTES << 17
    for told in (first, second):
        assert told["sum"] == count * (count - 1) / 2
        assert told["steps"] == [["initialize", template], ["before_fork", template], ["after_fork", told["pid"]]]
        resident, proportional = _megabytes(told["pid"], "Rss"), _megabytes(told["pid"], "Pss")
        assert resident > _MEGABYTES
        # Three processes share them.
        assert proportional < resident - _MEGABYTES / 2, f"{proportional} of {resident} MiB"


def test_workers_are_the_servers_own_and_draw_numbers_of_their_own(server):
    first, second = _both(server)
    for told in (first, second):
        assert _parent(told["pid"]) == server.pid
        assert os.getpgid(told["pid"]) == told["pid"]
        environment = pathlib.Path(f"/proc/{told['pid']}/environ").read_bytes().split(b"\0")
        assert f"HEADRACE_PROCESS={told['mark']}".encode() in environment
        status = pathlib.Path(f"/proc/{told['pid']}/status").read_text()
        assert "NoNewPrivs:\t1" in status and "Seccomp:\t2" in status and "CapEff:\t0000000000000000" in status
        assert int(told["threads"]) >= 1
    assert first["mark"] != second["mark"]
    assert not set(first["drawn"]) & set(second["drawn"])
    server.wait_line(r"instance 'twins_0_1': somebody asks")


def test_killed_worker_comes_back_as_a_copy(server):
    template = _template(server)
    victim = _both(server)[0]["pid"]
    os.kill(victim, signal.SIGKILL)
    wait.until(lambda: not _alive(victim), "the server reaps it", _LIMIT_S)
    told = _both(server)
    assert victim not in [one["pid"] for one in told]
    assert [one["steps"][0][1] for one in told] == [template, template]
    # One that ends by itself is told of as any other: its exit is the server's to see.
    answer = _ask(server, end="now")
    assert answer.status_code == 500
    server.wait_line(r"twins.*its worker ended: exit status 3")
    assert [one["steps"][0][1] for one in _both(server)] == [template, template]


def test_template_that_dies_is_started_anew_and_its_copies_serve_on(server):
    before, template = _both(server), _template(server)
    os.kill(template, signal.SIGKILL)
    wait.until(lambda: not _alive(template), "the server reaps it", _LIMIT_S)
    assert [one["pid"] for one in _both(server)] == [one["pid"] for one in before]
    os.kill(before[0]["pid"], signal.SIGKILL)
    wait.until(lambda: not _alive(before[0]["pid"]), "the server reaps it", _LIMIT_S)
    after = {one["pid"]: one["steps"] for one in _both(server)}
    newcomer = next(steps for pid, steps in after.items() if pid != before[1]["pid"])
    assert newcomer[0][1] not in (template, newcomer[2][1]), "it is a copy of another template"
    assert newcomer[0][1] == newcomer[1][1]


def test_handler_with_a_thread_is_started_one_by_one_and_the_log_says_why(server):
    for told in _both(server, "threaded"):
        assert [pid for _, pid in told["steps"]] == [told["pid"]] * 3
    server.wait_line(
        r"model 'threaded' version 1: its workers are not forked but started one by one: the loaded model has 1 more "
        r"thread \('too-early'\)"
    )


def test_models_of_tritons_contract_are_copied_too(server):
    def tell():
        tensor = client_module.InferInput("INPUT0", [1], "FP32")
        tensor.set_data_from_numpy(numpy.zeros(1, dtype=numpy.float32))
        with client_module.InferenceServerClient(server.url, network_timeout=_LIMIT_S) as client:
            name, loaded_by, pid = (one.decode() for one in client.infer("named", [tensor]).as_numpy("OUTPUT0"))
        return name, (loaded_by, pid)

    told = _all(tell)
    (first, one), (second, other) = told["named_0_0"], told["named_0_1"]
    assert first == second and len({first, one, other}) == 3


def test_killed_server_takes_template_and_copies_with_it(tmp_path):
    settings = "megabytes: 1\n" + _FORKED
    archives.add(tmp_path, "twins", archives.handler_mar("twins", _HANDLER, settings))
    with _start(tmp_path) as running:
        processes = [told["pid"] for told in _both(running)] + [_template(running)]
        running.signal(signal.SIGKILL)
        wait.until(lambda: not any(map(_alive, processes)), "all of them end", _LIMIT_S)
