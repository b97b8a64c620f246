"""--debug-model: the first worker of a model keeps the terminal, so that pdb works in a handler."""

import concurrent.futures
import fcntl
import os
import pty
import re
import select
import subprocess
import sys
import termios
import time

import requests

from harness import archives
from harness import server as server_module

_HANDLER = """
def handle(rows, context):
    answer = ["untouched"]
    if rows:
        breakpoint()
    return answer
"""
_LIMIT_S = 60


class Terminal:
    """A program with a terminal of its own, and what it writes there."""

    def __init__(self, *command):
        self._master, slave = pty.openpty()
        self.text = ""

        def take_terminal():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, preexec_fn=take_terminal)
        os.close(slave)

    def wait(self, pattern):
        """The first match in what was written."""
        deadline = time.monotonic() + _LIMIT_S
        while not (match := re.search(pattern, self.text)):
            ready, _, _ = select.select([self._master], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"{pattern!r} did not come:\n{self.text[-3000:]}"
            self.text += os.read(self._master, 65536).decode(errors="replace")
        return match

    def type(self, line):
        os.write(self._master, line.encode() + b"\n")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        os.close(self._master)


def test_debugger_stops_in_a_handler_and_changes_its_answer(tmp_path):
    archives.add(tmp_path, "held", archives.mar("held", {"held.py": _HANDLER}, "held.py"))
    command = (
        server_module.program(),
        "serve",
        f"--model-repository={tmp_path}",
        "--debug-model=held",
        "--http-port=0",
        "--grpc-port=0",
        "--metrics-port=0",
        f"--backend-config=handler,interpreter={sys.executable}",
    )
    with Terminal(*command) as terminal, concurrent.futures.ThreadPoolExecutor(1) as pool:
        port = terminal.wait(r"Started HTTPService at [\d.]+:(\d+)").group(1)
        answer = pool.submit(requests.post, f"http://127.0.0.1:{port}/predictions/held", timeout=_LIMIT_S)
        terminal.wait(r"\(Pdb\) ")
        terminal.type("answer[0] = 'changed by hand'")
        terminal.type("continue")
        assert answer.result(_LIMIT_S).text == "changed by hand"
