"""Catalogue 3.12: what happens to a model's files, and to the log, while the server works with them."""

import errno
import os
import pathlib
import random
import resource
import shutil
import socket
import subprocess
import threading

import pytest

from catalogue.conftest import IDENTITY_JSON, running_server, unharmed
from harness import control, io_faults, marked_model, models, prometheus, raw_http, wait
from harness import server as server_module

# --- Every operation fails once (188) ---


@pytest.fixture(scope="module")
def _faulty(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faults")
    faults = io_faults.IoFaults(folder)
    repository = models.standard(folder / "repository")
    marked_model.add(repository, "victim", {1: 1})
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**faults.environment(), "TMPDIR": str(folder)}.items():
            patch.setenv(name, value)
        context = running_server(repository, "--model-control-mode=explicit", "--load-model=*", prepare=_prepare)
        triple = context.__enter__()  # pylint: disable=unnecessary-dunder-call
    yield triple, faults, repository
    faults.disarm()
    context.__exit__(None, None, None)


def _prepare(server):
    control.must_load(server, "from_request", config=IDENTITY_JSON, files={"1/nothing": b""})
    control.must_unload(server, "from_request")


_ERRORS = [
    ("eio", errno.EIO),
    ("eacces", errno.EACCES),
    ("emfile", errno.EMFILE),
    ("erofs", errno.EROFS),
    ("enomem", errno.ENOMEM),
    ("enoent", errno.ENOENT),
    ("eintr", errno.EINTR),
    ("short", io_faults.SHORT),
]


@pytest.mark.row(188)
@pytest.mark.parametrize("error", [error for _, error in _ERRORS], ids=[name for name, _ in _ERRORS])
def test_a_reload_whose_nth_operation_fails_keeps_the_old_model(_faulty, error):
    triple, faults, repository = _faulty
    file = repository / "victim" / "1" / "model.onnx"
    failures = 0
    with unharmed(*triple) as server:
        served = marked_model.ask(server, "victim")
        for nth in range(1, 500):
            new = served % 100 + 1
            marked_model.write(file, marked_model.encode(new))
            faults.arm(repository, nth, error)
            answer = control.load(server, "victim")
            failed = faults.disarm()
            if answer.status == 200:
                served = marked_model.ask(server, "victim")
                assert served == new or failed, "a load that nothing disturbed takes the new file"
            else:
                failures += 1
                assert failed and answer.status in (400, 500, 503) and answer.error, (failed, answer)
                assert control.ready_versions(server, "victim") == {"1"}, failed
                assert marked_model.ask(server, "victim") == served, failed
            if not failed:
                break
        else:
            raise AssertionError("the fault is still hit")
        print(f"\n{nth - 1} operations, {failures} loads failed")
        harmless = error in (errno.EINTR, io_faults.SHORT)
        assert nth > (1 if harmless else 20), "the library sees the operations of a load"
        assert (failures == 0) == harmless, "what may happen at any time to any program is no fault"
        control.must_load(server, "victim")
        assert marked_model.ask(server, "victim") == served


@pytest.mark.row(188)
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS, errno.EIO, io_faults.SHORT])
def test_files_of_a_request_that_cannot_be_written_leave_nothing(_faulty, error):
    triple, faults, repository = _faulty
    (root,) = repository.parent.glob("headrace-models-*")
    files = {"1/model.onnx": marked_model.encode(9), "1/weights": b"x" * 100_000, "labels": b"a\nb"}
    config = {"backend": "onnxruntime", "max_batch_size": 16}
    with unharmed(*triple) as server:
        for nth in range(1, 500):
            faults.arm(root, nth, error)
            answer = control.load(server, "brought", config=config, files=files)
            failed = faults.disarm()
            if answer.status == 200:
                assert marked_model.ask(server, "brought") == 9
                control.must_unload(server, "brought")
            else:
                assert failed and answer.status in (400, 500, 503), (failed, answer)
            wait.until(lambda: not list(root.iterdir()), "the files have gone")
            if not failed:
                break
        assert nth > 5


@pytest.mark.row(188)
def test_a_load_without_descriptors_fails_and_the_next_one_works(controlled):
    server = controlled.server
    marked_model.add(controlled.repository, "starved", {1: 1})
    control.must_load(server, "starved")
    marked_model.write(controlled.repository / "starved" / "1" / "model.onnx", marked_model.encode(2))
    limits = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    with raw_http.Connection(server) as connection:
        connection.send(raw_http.request("GET", "/v2/health/live"))
        assert connection.read().status == 200
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (3, limits[1]))
        try:
            connection.send(raw_http.request("POST", "/v2/repository/models/starved/load"))
            answer = connection.read()
        finally:
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, limits)
    assert answer.status in (400, 500, 503), answer
    assert marked_model.ask(server, "starved") == 1
    control.must_load(server, "starved")
    assert marked_model.ask(server, "starved") == 2


# --- Files change while they are read (189) and after (190) ---


class _Vandal(threading.Thread):
    """Does something to a file again and again, always leaving a good edition behind."""

    def __init__(self, file, editions, action):
        super().__init__(daemon=True)
        self._file, self._editions, self._action = file, editions, action
        self._stop_asked = threading.Event()
        self._random = random.Random(5)

    def run(self):
        while not self._stop_asked.is_set():
            self._action(self._file)
            marked_model.write(self._file, self._editions[self._random.randrange(len(self._editions))])

    def finish(self):
        self._stop_asked.set()
        self.join()


def _truncate(file):
    size = file.stat().st_size
    os.truncate(file, size // 2)
    os.truncate(file, 0)


def _overwrite(file):
    """In place, as a careless copy does it: half of one edition and half of another."""
    with open(file, "r+b", buffering=0) as out:
        content = marked_model.encode(77)
        out.write(content[: len(content) // 2])
        out.write(content[len(content) // 2 :])


def _forbid(file):
    file.chmod(0)


@pytest.mark.row(189)
@pytest.mark.parametrize("action", [pathlib.Path.unlink, _truncate, _overwrite, _forbid, lambda file: None])
def test_a_file_that_changes_while_it_is_read_fails_the_load_or_is_one_edition(controlled, action):
    server, name = controlled.server, "vandalised"
    shutil.rmtree(controlled.repository / name, ignore_errors=True)
    marked_model.add(controlled.repository, name, {1: 1})
    control.must_load(server, name)
    editions = [marked_model.encode(mark) for mark in (1, 2, 3)]
    vandal = _Vandal(controlled.repository / name / "1" / "model.onnx", editions, action)
    vandal.start()
    loaded = failed = 0
    try:
        for _ in range(60):
            answer = control.load(server, name)
            loaded += answer.status == 200
            failed += answer.status != 200
            assert answer.status in (200, 400, 500, 503), answer
            assert marked_model.ask(server, name) in (1, 2, 3, 77)
    finally:
        vandal.finish()
    assert loaded + failed == 60
    control.must_load(server, name)
    assert marked_model.ask(server, name) in (1, 2, 3)


@pytest.mark.row(190)
def test_weights_that_are_cut_after_the_load_change_nothing(controlled):
    server, name = controlled.server, "cut_later"
    file = controlled.repository / name / "1" / "model.onnx"
    marked_model.write(file, marked_model.encode(4, filler=8))
    marked_model.write(controlled.repository / name / "config.pbtxt", marked_model.config(instances=2))
    control.must_load(server, name)
    os.truncate(file, 100)
    for rows in (1, 4, 16):
        assert marked_model.ask(server, name, rows) == 4
    assert control.load(server, name).status != 200
    assert marked_model.ask(server, name) == 4
    # More instances of the version that runs need no file.
    marked_model.write(controlled.repository / name / "config.pbtxt", marked_model.config(instances=4))
    file.unlink()
    control.load(server, name)
    assert marked_model.ask(server, name, 16) == 4


# --- The log (195) ---


def _log_much(server):
    """Two lines for each call."""
    for _ in range(50):
        answer = control.load(server, "no_such_model")
        assert answer.status == 500


def _dropped(server):
    return sum(value for name, _, value in prometheus.scrape(server).samples if "log" in name and "dropped" in name)


@pytest.mark.row(195)
def test_a_full_log_file_holds_nobody_up(tmp_path, free_ports):
    http, metrics = free_ports
    repository = models.standard(tmp_path)
    options = ("--model-control-mode=explicit", "--load-model=*", "--log-file=/dev/full")
    options += (f"--http-port={http}", f"--metrics-port={metrics}")
    server = server_module.Server(repository, *options, wait=False)
    server.port, server.metrics_port = http, metrics
    with server:
        wait.until(lambda: _answers(server), "the server answers")
        wait.until(lambda: control.ready_versions(server, "identity_fp32"), "its models serve")
        before = _dropped(server)
        _log_much(server)
        assert _dropped(server) >= before + 50
        assert server.stop() == 0


@pytest.mark.row(195)
def test_a_blocked_pipe_holds_nobody_up(tmp_path, free_ports):
    http, metrics = free_ports
    repository = models.standard(tmp_path)
    command = [server_module.program(), "serve", f"--model-repository={repository}", "--http-address=127.0.0.1"]
    command += [f"--http-port={http}", f"--metrics-port={metrics}", "--model-control-mode=explicit", "--load-model=*"]
    reader, writer = os.pipe()
    process = subprocess.Popen(command, stdout=writer, stderr=writer)
    os.close(writer)
    server = _Address(http, metrics)
    try:
        wait.until(lambda: _answers(server), "the server answers")
        wait.until(lambda: control.ready_versions(server, "identity_fp32"), "its models serve")
        before = _dropped(server)
        for _ in range(20):
            _log_much(server)  # nobody reads the pipe
            if _dropped(server) > before + 100:
                break
        assert _dropped(server) > before, "entries that do not fit are counted"
        process.terminate()
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        os.close(reader)


class _Address:
    """What the harness needs of a server."""

    host = "127.0.0.1"

    def __init__(self, port, metrics_port):
        self.port, self.metrics_port = port, metrics_port


def _answers(server):
    try:
        return raw_http.call(server, "GET", "/v2/health/live").status == 200
    except OSError:
        return False


@pytest.fixture
def free_ports():
    """Two ports that were free a moment ago: such a server cannot tell which ones it has taken."""
    with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("127.0.0.1", 0)) as second:
        return first.getsockname()[1], second.getsockname()[1]
