"""A Headrace of our own, on free ports, that serves what is to be measured."""

import collections
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time
from typing import Any, Optional

from headrace_optimize.client import Client, ServerError
from headrace_optimize.errors import OptimizeError

_HTTP = re.compile(r"Started HTTPService at (\S+):(\d+)")
_START_LIMIT_S = 120.0
_STOP_LIMIT_S = 30.0
_LINES_KEPT = 60
_FAULT = re.compile(r"\[(?:error|warning)\]|^[EW]\d{4}|ERROR|WARN", re.IGNORECASE)


def program() -> str:
    """The program that started us, or the one that HEADRACE_BINARY names."""
    found = os.environ.get("HEADRACE_BINARY", "")
    if not found:
        raise OptimizeError("HEADRACE_BINARY names no program: start this as `headrace optimize`")
    return found


class Server:
    """Explicit mode, so that loading can be timed. `with Server(repository) as server:`"""

    def __init__(self, repository: pathlib.Path, *options: str):
        self._command = [program(), "serve", f"--model-repository={repository}", "--model-control-mode=explicit"]
        self._command += ["--http-address=127.0.0.1", "--http-port=0", "--allow-grpc=false", "--allow-metrics=false"]
        self._command += list(options)
        self._process: Optional[subprocess.Popen[str]] = None
        self._lines: collections.deque[str] = collections.deque(maxlen=_LINES_KEPT)
        self._started = threading.Event()
        self.host, self.port = "127.0.0.1", 0

    def __enter__(self) -> "Server":
        self._process = subprocess.Popen(  # pylint: disable=consider-using-with
            self._command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        )
        threading.Thread(target=self._read, args=(self._process,), daemon=True).start()
        if not self._started.wait(_START_LIMIT_S) or not self.port:
            self.stop()
            raise OptimizeError(f"the server does not start: {self.last_lines(3)}")
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _read(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self._lines.append(line.rstrip("\n"))
            if match := _HTTP.search(line):
                self.host, self.port = match[1], int(match[2])
                self._started.set()
        self._started.set()

    def stop(self) -> None:
        """Ends the process, by force if need be."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def last_lines(self, count: int) -> str:
        """The last of what it said, faults first if there are any."""
        faults = [line for line in self._lines if _FAULT.search(line)]
        return " | ".join((faults or list(self._lines))[-count:])

    def how_it_ended(self) -> str:
        """Empty while it runs."""
        code = self._process.poll() if self._process is not None else None
        if code is None:
            return ""
        if code < 0:
            return f"the server died of {signal.Signals(-code).name} with this model"
        return f"the server ended with code {code} with this model: {self.last_lines(2)}"

    def client(self) -> Client:
        """A new connection."""
        return Client(self.host, self.port)

    def load(self, model: str) -> float:
        """Loads a model; seconds that it took. OptimizeError with the server's reason."""
        client = self.client()
        start = time.monotonic()
        try:
            client.exchange("POST", f"/v2/repository/models/{model}/load", b"{}")
        except ServerError:
            raise
        except OSError as error:
            time.sleep(0.2)  # the end of the process follows that of its connections
            raise OptimizeError(self.how_it_ended() or f"the server does not answer: {error}") from error
        finally:
            client.close()
        return time.monotonic() - start

    def config(self, model: str) -> dict[str, Any]:
        """The configuration in force."""
        client = self.client()
        try:
            return client.get_json(f"/v2/models/{model}/config")
        finally:
            client.close()

    def rss_bytes(self) -> int:
        """Resident memory of the process."""
        if self._process is None:
            return 0
        try:
            status = pathlib.Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        except OSError:
            return 0
        match = re.search(r"VmRSS:\s+(\d+) kB", status)
        return int(match[1]) * 1024 if match else 0


def python() -> str:
    """The interpreter that runs us, for child processes."""
    return sys.executable
