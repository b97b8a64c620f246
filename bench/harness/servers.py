"""The servers that are compared: the stock Triton, Headrace, and the floor programs."""

import http.client
import os
import pathlib
import shlex
import socket
import subprocess
import tempfile
import time

from harness import processes

ROOT = pathlib.Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
READY_LIMIT_S = 120


class Missing(Exception):
    """Something that the benchmark compares is not installed or not built."""


def headrace_program():
    """HEADRACE_BINARY, or the release build."""
    path = pathlib.Path(os.environ.get("HEADRACE_BINARY", ROOT / "build" / "release" / "headrace"))
    if not path.exists():
        raise Missing(f"{path} is not built; make build")
    return path.resolve()


def backend_directory():
    """The built backends, beside the program; HEADRACE_BACKENDS names others."""
    named = os.environ.get("HEADRACE_BACKENDS")
    return pathlib.Path(named) if named else headrace_program().parent / "backends"


def peer(name):
    """A program of the peers: below bin/ of the directory that HEADRACE_PEERS names."""
    directory = os.environ.get("HEADRACE_PEERS")
    if not directory:
        raise Missing("HEADRACE_PEERS does not name the directory with bin/tritonserver")
    path = pathlib.Path(directory) / "bin" / name
    if not path.exists():
        raise Missing(f"{path} does not exist")
    return path


def has_peer(name):
    """Whether peer(name) would be there."""
    try:
        return peer(name).exists()
    except Missing:
        return False


def free_port():
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


class Server:
    """A running server. A context manager: leaving it stops the server."""

    def __init__(self, name, command, port, environment=None, grpc_port=None):
        self.name = name
        self.port = port
        self.grpc_port = grpc_port or port
        self.command = command
        self.started = time.monotonic()
        self._log = tempfile.NamedTemporaryFile(prefix=f"bench-{name.replace(' ', '-')}-")
        self.process = processes.start(
            command,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
        )

    @property
    def url(self):
        return f"http://{HOST}:{self.port}"

    @property
    def pid(self):
        return self.process.pid

    def cpu_seconds(self):
        return processes.cpu_seconds(self.pid)

    def pss_bytes(self):
        return processes.pss_bytes(self.pid)

    def log_tail(self):
        return pathlib.Path(self._log.name).read_text(errors="replace")[-2000:]

    def fail(self, what):
        raise RuntimeError(f"{self.name}: {what}\n{shlex.join(self.command)}\n{self.log_tail()}")

    def wait_ready(self, path="/v2/health/ready", pause_s=0.002):
        """Asks until the answer is 200; the seconds from the start of the process until then."""
        while time.monotonic() - self.started < READY_LIMIT_S:
            if self.process.poll() is not None:
                self.fail(f"ended with status {self.process.returncode}")
            try:
                connection = http.client.HTTPConnection(HOST, self.port, timeout=5)
                connection.request("GET", path)
                if connection.getresponse().status == 200:
                    return time.monotonic() - self.started
            except (OSError, http.client.HTTPException):
                pass
            finally:
                connection.close()
            time.sleep(pause_s)
        return self.fail(f"not ready after {READY_LIMIT_S} s")

    def stop(self):
        processes.stop(self.process)
        self._log.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def _model_flags(repository, port, backends):
    return [
        f"--model-repository={repository}",
        f"--backend-directory={backends or backend_directory()}",
        f"--http-port={port}",
        f"--http-address={HOST}",
        f"--metrics-port={free_port()}",
    ]


def triton(repository, *options, backends=None, grpc=False):
    """The stock Triton, at its defaults, with or without gRPC."""
    port, grpc_port = free_port(), free_port()
    command = [peer("tritonserver"), *_model_flags(repository, port, backends)]
    command += [f"--grpc-port={grpc_port}", f"--grpc-address={HOST}"] if grpc else ["--allow-grpc=false"]
    command += ["--disable-auto-complete-config", *options]
    return Server("Triton", [str(part) for part in command], port, grpc_port=grpc_port)


def headrace(repository, *options, name="Headrace", backends=None):
    """Headrace, at its defaults: gRPC comes on the port for HTTP too."""
    port = free_port()
    command = [headrace_program(), "serve", *_model_flags(repository, port, backends), *options]
    return Server(name, [str(part) for part in command], port)


def torchserve(store, model, work):
    """The stock TorchServe with one worker, serving `model` from `model`.mar in the model store. `work`: a directory that
    does not exist yet, for its logs."""
    work.mkdir()
    ports = [free_port() for _ in range(5)]
    settings = {
        "inference_address": f"http://127.0.0.1:{ports[0]}",
        "management_address": f"http://127.0.0.1:{ports[1]}",
        "metrics_address": f"http://127.0.0.1:{ports[2]}",
        "grpc_inference_port": ports[3],
        "grpc_management_port": ports[4],
        "default_workers_per_model": 1,
        "disable_system_metrics": "true",
    }
    config = work / "config.properties"
    config.write_text("".join(f"{key}={value}\n" for key, value in settings.items()), encoding="utf-8")
    command = [peer("torchserve"), "--start", "--foreground", "--ncs", "--disable-token-auth"]
    command += ["--models", f"{model}={model}.mar", "--model-store", store, "--ts-config", config]
    logs = {"LOG_LOCATION": str(work), "METRICS_LOCATION": str(work), "TEMP": str(work)}
    return Server("TorchServe", [str(part) for part in command], ports[0], logs)


def floor_program():
    """The floor of bench/floor_http.cc."""
    build = headrace_program().parent if "HEADRACE_FLOOR" not in os.environ else None
    path = pathlib.Path(os.environ.get("HEADRACE_FLOOR", f"{build}/bench/floor_http"))
    if not path.exists():
        raise Missing(f"{path} is not built; make build")
    return path


_FLOOR_NAMES = {
    "bare": "floor",
    "hop": "floor + hop",
    "net": "floor, our HTTP",
    "net-hop": "floor + hop, our HTTP",
}


def floor(mode):
    """What the socket calls alone cost. `mode` is bare, hop, net or net-hop."""
    port = free_port()
    return Server(_FLOOR_NAMES[mode], [str(floor_program()), mode, str(port)], port)


def floor_echo():
    """What the kernel takes to bring a body in and out again."""
    port = free_port()
    path = floor_program().with_name("floor_echo")
    if not path.exists():
        raise Missing(f"{path} is not built; make build")
    return Server("floor, echo", [str(path), str(port)], port)


def wait_listening(server):
    """Until the server accepts connections."""
    while time.monotonic() - server.started < READY_LIMIT_S:
        if server.process.poll() is not None:
            server.fail(f"ended with status {server.process.returncode}")
        try:
            socket.create_connection((HOST, server.port), timeout=5).close()
            return
        except OSError:
            time.sleep(0.005)
    server.fail("does not listen")
