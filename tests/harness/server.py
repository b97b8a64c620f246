"""The program as a child process that a test can start, ask and stop."""

import contextlib
import os
import pathlib
import queue
import re
import signal
import subprocess
import threading
import time

_HTTP = re.compile(r"Started HTTPService at (\S+):(\d+)")
_GRPC = re.compile(r"Started GRPCInferenceService at (\S+):(\d+)")
_METRICS = re.compile(r"Started Metrics Service at (\S+):(\d+)")
START_LIMIT_S = 120
STOP_LIMIT_S = 60


def program():
    """The program under test: HEADRACE_BINARY, or the release build."""
    root = pathlib.Path(__file__).resolve().parents[2]
    return os.environ.get("HEADRACE_BINARY", str(root / "build" / "release" / "headrace"))


def is_sanitized():
    """Whether the program is built with sanitizers, whose memory figures mean little and which are slower."""
    return pathlib.Path(program()).resolve().parent.name in ("asan", "tsan")


class Server:
    """A server on free ports. `with Server(repository) as server:` starts it and makes sure that it is gone."""

    def __init__(self, repository, *options, wait=True, command=None, environment=None):
        """`command`: another program that takes the same options. `environment`: beside the test's own."""
        command = [*(command or (program(), "serve")), f"--model-repository={repository}", "--http-address=127.0.0.1"]
        command += ["--http-port=0", "--metrics-port=0", "--grpc-port=0", *options]
        self.host = "127.0.0.1"
        self.port = None
        self.grpc_port = None  # None where gRPC is not allowed
        self.metrics_port = None
        self.start(command, environment)
        if wait:
            self.wait_started()

    def start(self, command, environment):
        """Starts the process and reads what it writes."""
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
        self.lines = []
        self._news = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            self._news.put(line)
        self._news.put(None)

    def wait_line(self, pattern, limit_s=START_LIMIT_S):
        """The first match of `pattern` in the output, now or to come."""
        expression = re.compile(pattern)
        deadline = time.monotonic() + limit_s
        for line in list(self.lines):
            if match := expression.search(line):
                return match
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"no line matches {pattern!r}:\n" + self.output())
            try:
                line = self._news.get(timeout=left)
            except queue.Empty:
                continue
            if line is None:
                raise RuntimeError(f"the program ended before a line matched {pattern!r}:\n" + self.output())
            if match := expression.search(line):
                return match

    def wait_started(self):
        """Until the models are loaded; learns the ports."""
        grpc = self.wait_line(_GRPC.pattern + "|" + _HTTP.pattern)
        self.grpc_port = int(grpc.group(2)) if grpc.group(2) else None
        self.port = int(self.wait_line(_HTTP.pattern).group(2))
        self.metrics_port = int(self.wait_line(_METRICS.pattern).group(2))

    def output(self):
        return "\n".join(self.lines[-60:])

    @property
    def url(self):
        return f"{self.host}:{self.port}"

    @property
    def grpc_url(self):
        return f"{self.host}:{self.grpc_port}"

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process.poll() is None

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def wait(self, limit_s=STOP_LIMIT_S):
        """The exit status; all that the program said is in `lines` then."""
        status = self.process.wait(limit_s)
        self._reader.join(1)  # longer only where a child of the program lives on
        return status

    def stop(self):
        """Ends it in order; the exit status."""
        if self.alive():
            self.signal(signal.SIGTERM)
        return self.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.alive():
            self.process.kill()
        self.process.wait()
        try:  # children that it left behind hold its output open
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._reader.join(5)
        self.process.stdout.close()


@contextlib.contextmanager
def running(repository, *options, **settings):
    """A `Server` that must be alive still when its tests are through, and end in order."""
    with Server(repository, *options, **settings) as server:
        yield server
        assert server.alive(), server.output()
        assert server.stop() == 0, server.output()
