"""Rows 142 to 153: client shared memory, also in the hands of a client that plays foul."""

import json
import os
import pathlib
import struct
import threading

import pytest

from harness import prometheus, raw_http, wait

PAYLOAD = struct.pack("<4f", 1.5, -2.0, 0.25, 1e9)


class Object:
    """A client's shared memory object."""

    count = 0

    def __init__(self, content=b"", byte_size=4096):
        Object.count += 1
        self.key = f"/headrace_catalogue_{os.getpid()}_{Object.count}"
        self.path = pathlib.Path("/dev/shm") / self.key[1:]
        self.path.write_bytes(content.ljust(byte_size, b"\0"))

    def truncate(self, byte_size):
        os.truncate(self.path, byte_size)

    def content(self):
        return self.path.read_bytes()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.path.unlink(missing_ok=True)


def _control(server, path, body=None):
    content = b"" if body is None else json.dumps(body).encode()
    return raw_http.call(server, "POST", f"/v2/systemsharedmemory/{path}", content)


def _register(server, name, key, byte_size=4096, offset=0):
    return _control(server, f"region/{name}/register", {"key": key, "byte_size": byte_size, "offset": offset})


def _status(server):
    return json.loads(raw_http.call(server, "GET", "/v2/systemsharedmemory/status").body)


def _infer(server, region="r", byte_size=16, offset=0, model="identity_fp32", dtype="FP32", shape=(4,), output=None):
    """An inference whose input lies in `region`; `output`: members of the output's parameters."""
    memory = {"shared_memory_region": region, "shared_memory_byte_size": byte_size, "shared_memory_offset": offset}
    request = {"inputs": [{"name": "INPUT0", "shape": list(shape), "datatype": dtype, "parameters": memory}]}
    if output is not None:
        request["outputs"] = [{"name": "OUTPUT0", "parameters": output}]
    return raw_http.call(server, "POST", f"/v2/models/{model}/infer", json.dumps(request).encode())


def _data(answer):
    return json.loads(answer.body)["outputs"][0]["data"]


def _error(answer):
    return json.loads(answer.body)["error"]


@pytest.mark.row(142)
def test_everything_is_off_by_default(server):
    with Object(PAYLOAD) as memory:
        for answer in (
            _register(server, "r", memory.key),
            _control(server, "unregister"),
            _control(server, "region/r/unregister"),
            _infer(server),
        ):
            assert answer.status == 501
            assert "--allow-client-shm=true" in _error(answer)
        inline = {"inputs": [{"name": "INPUT0", "shape": [1], "datatype": "FP32", "data": [1]}]}
        inline["outputs"] = [
            {"name": "OUTPUT0", "parameters": {"shared_memory_region": "r", "shared_memory_byte_size": 4}}
        ]
        answer = raw_http.call(server, "POST", "/v2/models/identity_fp32/infer", json.dumps(inline).encode())
        assert answer.status == 501
        assert _status(server) == []


@pytest.mark.row(143)
@pytest.mark.parametrize(
    "key",
    ["", "/", "///", "/a/b", "..", "/../etc/passwd", "/etc/passwd"]
    + ["/" * n + "triton_python_backend_shm_region_x" for n in range(4)]
    + ["/" * n + "headrace_worker_x" for n in range(4)],
)
def test_a_key_that_is_no_clients_object_is_refused(shm_server, key):
    answer = _register(shm_server, "r", key)
    assert answer.status == 400, answer
    assert "failed to register shared memory region 'r'" in _error(answer)


@pytest.mark.row(144)
@pytest.mark.parametrize(
    "offset, byte_size",
    [(0, 4097), (4096, 1), (4095, 2), (0, 0), (2**64 - 1, 1), (1, 2**64 - 1), (2**63, 2**63), (2**64 - 32, 64)],
)
def test_a_register_beyond_the_object_is_refused(shm_server, offset, byte_size):
    with Object(PAYLOAD) as memory:
        answer = _register(shm_server, "r", memory.key, byte_size, offset)
        assert answer.status == 400, answer


@pytest.mark.row(144)
def test_an_offset_that_is_not_a_page_is_served(shm_server):
    with Object(b"\0\0\0" + PAYLOAD) as memory:
        assert _register(shm_server, "r", memory.key, 100, 3).status == 200
        assert _data(_infer(shm_server)) == list(struct.unpack("<4f", PAYLOAD))


@pytest.mark.row(145)
@pytest.mark.parametrize(
    "offset, byte_size", [(2**64 - 32, 16), (2**64 - 16, 32), (0, 4097), (4081, 16), (4097, 0), (2**63, 2**63)]
)
def test_a_use_beyond_the_region_is_refused(shm_server, offset, byte_size):
    with Object(PAYLOAD) as memory:
        assert _register(shm_server, "r", memory.key).status == 200
        answer = _infer(shm_server, byte_size=byte_size, offset=offset)
        assert answer.status == 400
        assert "Invalid offset" in _error(answer)
        answer = _infer(
            shm_server,
            output={
                "shared_memory_region": "r",
                "shared_memory_byte_size": byte_size,
                "shared_memory_offset": offset,
            },
        )
        assert answer.status == 400


@pytest.mark.row(146)
def test_an_object_that_its_client_truncates_fails_that_request_only(shm_server):
    with Object(PAYLOAD) as memory:
        assert _register(shm_server, "r", memory.key).status == 200
        memory.truncate(8)
        answer = _infer(shm_server)
        assert answer.status == 400
        assert "truncated" in _error(answer)
        memory.truncate(4096)
        assert _infer(shm_server).status == 200


@pytest.mark.row(146)
@pytest.mark.row(147)
def test_a_client_that_truncates_and_rewrites_all_the_time_harms_only_itself(shm_server):
    stop = threading.Event()
    with Object(PAYLOAD) as memory:

        def play_foul():
            while not stop.is_set():
                memory.truncate(0)
                memory.truncate(4096)

        assert _register(shm_server, "r", memory.key).status == 200
        foul = threading.Thread(target=play_foul)
        foul.start()
        try:
            statuses = {
                _infer(shm_server, output={"shared_memory_region": "r", "shared_memory_byte_size": 4096}).status
                for _ in range(200)
            }
        finally:
            stop.set()
            foul.join()
        assert statuses <= {200, 400}
        memory.truncate(4096)
        assert _infer(shm_server).status == 200


@pytest.mark.row(148)
def test_unregistering_while_requests_use_the_region_waits_for_nobody_and_breaks_nothing(shm_server):
    with Object(PAYLOAD) as memory:
        assert _register(shm_server, "r", memory.key).status == 200
        target = {"shared_memory_region": "r", "shared_memory_byte_size": 16, "shared_memory_offset": 1024}
        answers = []
        threads = [
            threading.Thread(target=lambda: answers.append(_infer(shm_server, model="slow", output=target)))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        wait.until(lambda: _in_flight(shm_server) > 0, "a request is under way")
        assert _control(shm_server, "region/r/unregister").status == 200
        for thread in threads:
            thread.join()
        # A request that had not begun to write its output finds the region gone; none is lost.
        assert len(answers) == 4
        assert {answer.status for answer in answers} <= {200, 404}


def _in_flight(server):
    return prometheus.scrape(server).value("headrace_requests_in_flight", model="slow", version="1")


@pytest.mark.row(149)
def test_registering_again_and_too_often(shm_server):
    with Object(PAYLOAD) as memory:
        assert _register(shm_server, "r", memory.key).status == 200
        answer = _register(shm_server, "r", memory.key)
        assert answer.status == 400
        assert _error(answer) == "shared memory region 'r' already in manager"
        for i in range(15):
            assert _register(shm_server, f"again_{i}", memory.key).status == 200
        for i in range(100):
            answer = _register(shm_server, f"more_{i}", memory.key)
            assert answer.status >= 400
            assert "is the limit" in _error(answer)
        assert len(_status(shm_server)) == 16


@pytest.mark.row(150)
@pytest.mark.parametrize(
    "content, byte_size",
    [
        (b"\5\0\0\0abc", 7),
        (b"\xff\xff\xff\xff", 4),
        (b"\1\0\0\0a\2\0", 7),
        (b"\0\0\0\0\0\0\0\0", 8),
        (b"\3\0\0\0abcd", 8),
    ],
)
def test_strings_with_bad_lengths_are_refused(shm_server, content, byte_size):
    with Object(content) as memory:
        assert _register(shm_server, "r", memory.key).status == 200
        answer = _infer(shm_server, model="identity_bytes", dtype="BYTES", shape=(1,), byte_size=byte_size)
        assert answer.status == 400, answer


@pytest.mark.row(150)
@pytest.mark.parametrize("byte_size", [0, 15, 17, 4096])
def test_a_part_that_is_not_the_tensors_size_is_refused(shm_server, byte_size):
    with Object(PAYLOAD) as memory:
        assert _register(shm_server, "r", memory.key).status == 200
        answer = _infer(shm_server, byte_size=byte_size)
        assert answer.status == 400
        assert "byte size mismatch" in _error(answer)


@pytest.mark.row(151)
def test_an_output_part_that_is_too_small_and_one_that_is_the_input(shm_server):
    with Object(PAYLOAD) as memory:
        assert _register(shm_server, "r", memory.key).status == 200
        answer = _infer(shm_server, output={"shared_memory_region": "r", "shared_memory_byte_size": 15})
        assert answer.status == 400
        assert "should be at least 16 bytes" in _error(answer)
        # In and out at the same place, and overlapping: the input was read before the output is written.
        for offset in (0, 8):
            answer = _infer(
                shm_server,
                output={
                    "shared_memory_region": "r",
                    "shared_memory_byte_size": 16,
                    "shared_memory_offset": offset,
                },
            )
            assert answer.status == 200, answer
        assert memory.content()[:24] == PAYLOAD[:8] + PAYLOAD


@pytest.mark.row(151)
@pytest.mark.parametrize("extra", [{"classification": 1}, {"binary_data": True}])
def test_an_output_that_is_wanted_in_two_places_is_refused(shm_server, extra):
    with Object(PAYLOAD) as memory:
        assert _register(shm_server, "r", memory.key).status == 200
        target = {"shared_memory_region": "r", "shared_memory_byte_size": 16}
        assert _infer(shm_server, output=target | extra).status == 400


@pytest.mark.row(152)
def test_an_object_that_is_unlinked_or_whose_client_is_gone_is_freed_by_unregistering(shm_server):
    with Object(PAYLOAD) as memory:
        assert _register(shm_server, "r", memory.key).status == 200
        memory.path.unlink()
        assert _infer(shm_server).status == 200
        open_objects = _open_objects(shm_server)
        assert any(memory.path.name in link for link in open_objects)
        assert _control(shm_server, "region/r/unregister").status == 200
        assert not any(memory.path.name in link for link in _open_objects(shm_server))


def _open_objects(server):
    links = []
    for name in os.listdir(f"/proc/{server.pid}/fd"):
        try:
            links.append(os.readlink(f"/proc/{server.pid}/fd/{name}"))
        except FileNotFoundError:
            pass
    return [link for link in links if link.startswith("/dev/shm/")]


@pytest.mark.row(153)
def test_error_texts_never_hold_the_key(shm_server):
    secret = "/headrace_secret_key_4711"
    answers = [_register(shm_server, "r", secret), _register(shm_server, "r", "/a" + secret)]
    with Object(PAYLOAD) as memory:
        answers.append(_register(shm_server, "r", memory.key, 10**9))
        assert _register(shm_server, "r", memory.key).status == 200
        memory.truncate(0)
        answers.append(_infer(shm_server))
        for answer in answers:
            assert answer.status >= 400
            assert "secret" not in answer.body.decode() and memory.key[1:] not in answer.body.decode()
        assert not any("secret" in line for line in shm_server.lines)
        assert not any(memory.key[1:] in line for line in shm_server.lines)
