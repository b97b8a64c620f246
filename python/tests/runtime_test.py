"""Tests of the worker as a process: its main loop, its ends, and what a model may do to it (reliability row 171)."""

import json
import pathlib
import signal
import struct
import subprocess
import sys

import fake_server
import pytest

from headrace_worker import contracts, wire

_ECHO = """
    import triton_python_backend_utils as pb_utils

    class TritonPythonModel:
        def execute(self, requests):
            return [
                pb_utils.InferenceResponse([pb_utils.Tensor("OUTPUT0", request.inputs()[0].as_numpy())])
                for request in requests
            ]
"""
# Does what the request's text says, then answers "fine".
_FAULTS = """
    import os, signal, sys
    import numpy as np
    import triton_python_backend_utils as pb_utils

    # Whoever runs the tests in the background may have it ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)

    class Odd(BaseException):
        pass

    class Untold(Exception):
        def __str__(self):
            raise KeyError("no text")

    class TritonPythonModel:
        def execute(self, requests):
            for request in requests:
                exec(request.inputs()[0].as_numpy()[0].decode())
            output = pb_utils.Tensor("OUTPUT0", np.array(["fine"], dtype=object))
            return [pb_utils.InferenceResponse([output]) for _ in requests]
"""


def _numbers(key, values, **more):
    return {"key": key, "tensors": {"INPUT0": fake_server.numbers(8, values)}, **more}


def _text(key, text):
    return {"key": key, "tensors": {"INPUT0": fake_server.texts(text.encode())}}


def test_the_first_packet_greets(serve):
    server = fake_server.FakeServer()
    with server:
        hello = server.hello()
    assert hello["protocol"] == 1 and hello["python"].count(".") == 2 and hello["numpy"]


def test_a_batch_is_answered_and_the_block_free(shared):
    server = shared(_ECHO)
    responses, flags = server.execute(_numbers(1, [1, 2, 3]), _numbers(2, [4]))
    assert [response.values("OUTPUT0") for response in responses.values()] == [[1, 2, 3], [4]]
    assert all(response.flags == wire.FINAL for response in responses.values())
    assert flags == wire.BLOCK_FREE


def test_a_large_output_that_is_an_input_stays_where_it_is(shared):
    server = shared(_ECHO)
    responses, flags = server.execute(_numbers(1, list(range(50_000))))
    assert 4096 <= responses[1].places["OUTPUT0"] < server.middle
    assert responses[1].values("OUTPUT0") == list(range(50_000))
    assert flags == wire.BLOCK_FREE


def test_a_block_that_the_model_keeps_is_released_later(serve):
    server = serve(
        """
        import triton_python_backend_utils as pb_utils

        class TritonPythonModel:
            kept = None

            def execute(self, requests):
                array = requests[0].inputs()[0].as_numpy()
                self.kept = array[1:] if self.kept is None else None
                return [pb_utils.InferenceResponse([pb_utils.Tensor("OUTPUT0", array)]) for _ in requests]
        """,
        {},
    )
    _, flags = server.execute(_numbers(1, [1, 2]))
    first = server.block
    assert flags == 0
    _, flags = server.execute(_numbers(2, [1, 2]))
    assert flags == wire.BLOCK_FREE
    server.settle()
    assert server.released == [first]


def test_a_second_execute_leaves_the_answer_to_the_first_alone(serve):
    server = serve(
        """
        import triton_python_backend_utils as pb_utils

        class TritonPythonModel:
            def execute(self, requests):
                return [
                    pb_utils.InferenceResponse([pb_utils.Tensor("OUTPUT0", request.inputs()[0].as_numpy() + 1)])
                    for request in requests
                ]
        """,
        {},
    )

    def begun():
        return struct.unpack_from("<Q", server.map, server.middle)[0]

    assert begun() == 0
    for key in (1, 3, 5):
        # The worker has the second while nobody has read its answer to the first.
        for number, flags in ((key, wire.ALL_READ), (key + 1, 0)):
            body, _ = server.pack_execute([_numbers(number, [number] * 100)])
            server.send_execute(body, flags)
        answers = [server.receive_executed() for _ in range(2)]
        for number, body in zip((key, key + 1), answers):
            (response,) = server.parse_responses(body)
            assert (response.key, response.values("OUTPUT0")) == (number, [number + 1] * 100)
        assert begun() == key + 1


def test_outputs_larger_than_the_packet_and_many_responses(shared):
    server = shared(_ECHO)
    responses, _ = server.execute(*(_numbers(key, [key] * 40) for key in range(1000)))
    assert all(response.values("OUTPUT0") == [key] * 40 for key, response in responses.items())


def test_an_output_without_room_fails_its_request_alone(serve):
    server = serve(
        """
        import numpy as np
        import triton_python_backend_utils as pb_utils

        class TritonPythonModel:
            def execute(self, requests):
                sizes = [int(request.inputs()[0].as_numpy()[0]) for request in requests]
                return [pb_utils.InferenceResponse([pb_utils.Tensor("OUTPUT0", np.ones(n, "u1"))]) for n in sizes]
        """,
        {},
    )
    responses, _ = server.execute(_numbers(1, [10]), _numbers(2, [100 << 20]), _numbers(3, [20]))
    assert "data-byte-size" in responses[2].error["message"]
    assert (len(responses[1].tensors["OUTPUT0"][2]), len(responses[3].tensors["OUTPUT0"][2])) == (10, 20)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("raise ValueError('x')", "ValueError: x"),
        ("raise Odd('x')", "Odd: x"),
        ("raise Untold()", "its text cannot be made: KeyError"),
        ("raise KeyboardInterrupt()", "KeyboardInterrupt"),
        ("os.kill(os.getpid(), signal.SIGINT); sum(0 for _ in range(10**9))", "KeyboardInterrupt"),
        ("raise GeneratorExit()", "GeneratorExit"),
        ("raise MemoryError('x' * 1_000_000)", "more characters)"),
        ("(lambda f: f(f))(lambda f: f(f))", "RecursionError"),
        ("np.zeros(1 << 60)", "Error"),
    ],
)
def test_what_a_model_raises_is_an_error_and_the_worker_lives(shared, code, text):
    server = shared(_FAULTS)
    responses, flags = server.execute(_text(1, code), _text(2, "pass"))
    for key in (1, 2):
        error = responses[key].error
        assert error["code"] == "INTERNAL" and text in error["message"] and len(error["message"]) < 20_000
    assert flags == wire.BLOCK_FREE
    responses, _ = server.execute(_text(3, "pass"))
    assert responses[3].values("OUTPUT0") == [b"fine"]


@pytest.mark.parametrize(("code", "status"), [("sys.exit(3)", 3), ("sys.exit()", 0), ("sys.exit('why')", 1)])
def test_a_model_that_exits_is_answered_for(serve, code, status):
    server = serve(_FAULTS, {})
    responses, _ = server.execute(_text(1, code))
    assert "SystemExit" in responses[1].error["message"]
    assert server.process.wait(30) == status


def test_a_model_that_ends_the_process(serve):
    server = serve(_FAULTS, {})
    with pytest.raises(EOFError):
        server.execute(_text(1, "os._exit(9)"))
    assert server.process.wait(30) == 9


def test_what_a_model_prints_comes_line_by_line(serve):
    server = serve(_FAULTS, {})
    server.execute(_text(1, "print('one', '\\udc80'); sys.stderr.write('two\\n')"))
    assert server.process.stdout.readline() == b"one \\udc80\n"
    assert server.process.stdout.readline() == b"two\n"


def test_a_child_that_comes_back_does_not_answer(serve):
    server = serve(_FAULTS, {})
    responses, _ = server.execute(_text(1, "os.fork() == 0 and sys.exit(5)\nassert os.wait()[1] == 5 << 8"))
    assert responses[1].values("OUTPUT0") == [b"fine"]
    responses, _ = server.execute(_text(2, "os.fork() and os.wait()"))
    assert responses[2].values("OUTPUT0") == [b"fine"]
    assert server.finalize() == ({}, 0)


def test_a_thread_that_goes_on_does_not_keep_the_worker(serve):
    server = serve(_FAULTS, {})
    server.execute(_text(1, "import threading; threading.Thread(target=threading.Event().wait).start()"))
    assert server.finalize() == ({}, 0)


@pytest.mark.parametrize("own", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_ends_the_worker(serve, own):
    server = serve(_FAULTS, {})
    server.process.send_signal(own)
    assert server.process.wait(30) == -own


def test_the_end_of_the_server_is_the_end_of_the_worker(serve):
    server = serve(_ECHO, {})
    server.call.close()
    assert server.process.wait(30) == 0


@pytest.mark.parametrize(
    "packet",
    [
        b"?",
        wire.HEAD.pack(wire.MAGIC, wire.EXECUTE, 0, 0, 0),
        wire.HEAD.pack(wire.MAGIC, wire.HELLO, 0, 0, 0),
        wire.HEAD.pack(wire.MAGIC, wire.LOAD, 0, 2, 0) + b"{}",
        wire.HEAD.pack(wire.MAGIC, wire.EXECUTE, 0, 24, 0) + b"\1" + bytes(23),
        wire.HEAD.pack(wire.MAGIC, wire.EXECUTE, wire.BODY_IN_REGION, 24, 1 << 60),
    ],
)
def test_a_packet_that_breaks_the_rules_ends_the_worker(serve, packet):
    server = serve(_ECHO, {})
    server.call.send(packet)
    assert server.call.recv(10) == b""
    assert server.process.wait(30) == 70
    assert "headrace worker:" in server.output()


def test_a_reply_that_breaks_the_rules_ends_the_side_channel_only(serve):
    server = serve(_ECHO, {})
    server._send(server.side, wire.REPLY, b"[]")
    assert server.process.stdout.readline() == b"headrace worker: side channel: a body is no JSON object\n"
    responses, _ = server.execute(_numbers(1, [1]))
    assert responses[1].values("OUTPUT0") == [1]


def test_an_unknown_contract_is_named(serve):
    server = serve(_ECHO, contract="other")
    assert "unknown contract 'other'" in server.answer["error"]["message"]


def test_an_interpreter_without_numpy_is_named():
    root = pathlib.Path(contracts.__file__).resolve().parents[1]
    code = f"""
import sys
sys.path.insert(0, {str(root)!r})
sys.modules["numpy"] = None
from headrace_worker import contracts
contracts.create("triton", None, {{}})
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert f"the interpreter '{sys.executable}' has no numpy" in done.stderr
    assert "--backend-config=python,interpreter=PROGRAM" in done.stderr


def test_another_region_than_that_of_the_load_is_refused(serve):
    server = fake_server.FakeServer()
    with server:
        server.hello()
        server._send(server.call, wire.LOAD, json.dumps({"contract": "triton", "data": {"size": 5}}).encode())
        assert server.process.wait(30) == 70


def test_a_wrong_environment_is_named(tmp_path):
    server = fake_server.FakeServer(environment={})
    with server:
        server.hello()
    import subprocess
    import sys

    main = fake_server._PYTHON / "headrace_worker" / "main.py"
    done = subprocess.run([sys.executable, main], env={"HEADRACE_WORKER": "call=x"}, capture_output=True, check=False)
    assert done.returncode == 70 and b"'call=x'" in done.stderr
