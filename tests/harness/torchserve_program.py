"""The program under its name `torchserve`, as a child process that a test can start, ask and stop."""

import http.client
import json
import os
import pathlib
import re
import socket
import subprocess
import sys

from harness import server as server_module

# Nothing of the machine's own settings gets in.
_CLEARED = ("TS_CONFIG_FILE", "TEMP", "TMP", "LOG_LOCATION", "METRICS_LOCATION")


def program():
    return str(pathlib.Path(server_module.program()).resolve().parent / "torchserve")


def environment(work):
    """Of a command in the directory `work`, which has its pid file, too."""
    kept = {name: value for name, value in os.environ.items() if name not in _CLEARED and not name.startswith("TS_")}
    # Workers run the PATH's python3, which is to be the one with the tests' packages.
    path = os.pathsep.join((str(pathlib.Path(sys.executable).parent), kept.get("PATH", os.defpath)))
    return {**kept, "PATH": path, "TMPDIR": str(work)}


def run(work, *arguments, limit_s=server_module.START_LIMIT_S, **variables):
    """One command to its end: (exit status, what it printed)."""
    done = subprocess.run(
        [program(), *map(str, arguments)],
        cwd=work,
        env={**environment(work), **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=limit_s,
        check=False,
    )
    return done.returncode, done.stdout


def write_config(work, **keys):
    """config.properties on free ports, with further keys; a key that is None is left out."""
    settings = {
        "inference_address": "http://127.0.0.1:0",
        "management_address": "http://127.0.0.1:0",
        "metrics_address": "http://127.0.0.1:0",
        "grpc_inference_port": 0,
        "grpc_management_port": 0,
        "disable_system_metrics": "true",
        **keys,
    }
    path = pathlib.Path(work) / "config.properties"
    path.write_text("".join(f"{key}={value}\n" for key, value in settings.items() if value is not None))
    return path


class TorchServeProgram(server_module.Server):
    """`torchserve --start --foreground` in the directory `work`, over the model store `store`."""

    def __init__(self, store, work, *flags, wait=True, variables=None, **keys):
        self.work = pathlib.Path(work)
        self.host = "127.0.0.1"
        self.port = self.management_port = self.metrics_port = self.grpc_port = self.grpc_management_port = None
        write_config(self.work, **keys)
        settings = {**environment(work), **(variables or {})}
        # `env -C` changes the directory; `-i` keeps the machine's own settings out.
        command = ["env", "-i", "-C", str(work), *(f"{name}={value}" for name, value in settings.items())]
        command += [program(), "--start", "--foreground", f"--model-store={store}", *flags]
        self.start(command, {})
        if wait:
            self.wait_started()

    def wait_started(self):
        """Until the models are loaded; learns the ports."""
        self.wait_line(r"^Model server started\.$")
        self.port = self._port("Inference API")
        self.management_port = self._port("Management API")
        self.metrics_port = self._port("Metrics API")
        self.grpc_port = self._port("gRPC inference API")
        self.grpc_management_port = self._port("gRPC management API")

    def _port(self, what):
        """Nothing where it is no port."""
        for line in self.lines:
            if match := re.search(rf" - {what} bind to: \S*:(\d+)$", line):
                return int(match.group(1))
        return None

    def keys(self):
        """The tokens: {"management": ..., "inference": ..., "API": ...}."""
        parts = json.loads((self.work / "key_file.json").read_text())
        return {name: part["key"] for name, part in parts.items()}

    def ask(self, method, path, *, port=None, key=None, body=None, headers=None):
        """(status, headers, body as text) of one request; by default at the inference listener."""
        connection = http.client.HTTPConnection(self.host, port or self.port, timeout=60)
        return _ask(connection, method, path, key, body, headers)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self._path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def ask_socket(path, method, target, key=None):
    """The same over a Unix socket."""
    return _ask(_UnixConnection(path), method, target, key, None, None)


def _ask(connection, method, path, key, body, headers):
    try:
        authorization = {"Authorization": f"Bearer {key}"} if key else {}
        connection.request(method, path, body=body, headers={**(headers or {}), **authorization})
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read().decode()
    finally:
        connection.close()
