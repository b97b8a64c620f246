"""The harness itself: what it looks for, it finds."""

import contextlib
import socket
import subprocess
import sys
import threading
import types

import pytest

from harness import canary, leaks, prometheus, raw_http, resources
from harness import server as server_module


@contextlib.contextmanager
def impostor(answer_to):
    """Something that listens like a server; `answer_to(request bytes)` gives each answer, None closes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve(connection):
            with connection:
                while data := connection.recv(1 << 16):
                    answer = answer_to(data)
                    if answer is None:
                        return
                    connection.sendall(answer)

        def accept():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    threading.Thread(target=serve, args=(connection,), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield types.SimpleNamespace(host="127.0.0.1", port=listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def echo(data):
    """What a good server answers to the canary."""
    head, body = data.split(b"\r\n\r\n", 1)
    size = int(head.split(b"Inference-Header-Content-Length: ")[1].split(b"\r\n")[0])
    tensor = body[size:]
    return b"HTTP/1.1 200 OK\r\nInference-Header-Content-Length: 2\r\nContent-Length: %d\r\n\r\n{}%s" % (
        2 + len(tensor),
        tensor,
    )


def flipped(data):
    answer = echo(data)
    return answer[:-1] + bytes([answer[-1] ^ 1])


def failing(_):
    return b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\n{}"


def test_the_canary_is_content_with_right_answers():
    with impostor(echo) as server:
        running = canary.Canary(server, interval_s=0).start()
        running.check()
        running.stop()
        assert running.answered >= 1


@pytest.mark.parametrize("answer_to", [flipped, failing, lambda _: None], ids=["one-bit", "status", "close"])
def test_the_canary_notices_a_wrong_answer(answer_to):
    with impostor(answer_to) as server:
        running = canary.Canary(server, interval_s=0).start()
        with pytest.raises(AssertionError, match="canary"):
            running.check()
        with pytest.raises(AssertionError, match="canary"):
            running.stop()


_LEAKING = """
import os, sys, threading
kept = []
for line in sys.stdin:
    what = line.strip()
    if what == "memory":
        kept.append(b"x" * 20_000)
    elif what == "descriptor":
        kept.append(os.open("/dev/null", os.O_RDONLY))
    elif what == "thread":
        kept.append(threading.Thread(target=threading.Event().wait, daemon=True))
        kept[-1].start()
    print("done", flush=True)
"""


@pytest.mark.parametrize("what, found", [("memory", True), ("descriptor", True), ("thread", True), ("nothing", False)])
def test_leaks_are_found(monkeypatch, what, found):
    monkeypatch.setattr(server_module, "is_sanitized", lambda: False)
    monkeypatch.setattr(resources, "SETTLE_LIMIT_S", 0.1)
    with subprocess.Popen(
        [sys.executable, "-c", _LEAKING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:

        def act():
            process.stdin.write(what + "\n")
            process.stdin.flush()
            assert process.stdout.readline() == "done\n"

        try:
            with pytest.raises(AssertionError) if found else contextlib.nullcontext():
                leaks.repeat(process, act)
        finally:
            process.kill()


def test_an_answer_that_ends_early_is_no_answer():
    with impostor(lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc") as server:
        with raw_http.Connection(server) as connection:
            connection.send(b"x")
            connection.finish_sending()
            with pytest.raises(ConnectionError):
                connection.read()


def test_the_metrics_page_is_read_as_it_is_written():
    page = prometheus.Page('# HELP a b\n# TYPE a counter\na{x="1",y="a\\"b"} 2\na{x="2"} 3\nb 4.5\n')
    assert page.kinds == {"a": "counter"}
    assert page.value("a", x="1") == 2 and page.total("a") == 5 and page.value("b") == 4.5 and page.value("c") == 0
    with pytest.raises(AssertionError):
        prometheus.Page("no sample at all\n")
