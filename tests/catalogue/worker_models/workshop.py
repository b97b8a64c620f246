"""Does what the request's text says, well or badly, for tests of the workers."""

import ctypes
import errno
import os
import pathlib
import signal
import socket
import sys
import tempfile
import time

import numpy as np
import triton_python_backend_utils as pb_utils


def _tried(action):
    """What became of it: "done", or the error's name."""
    try:
        result = action()
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error.errno))
    return "done" if result is None or result >= 0 else errno.errorcode.get(ctypes.get_errno(), "failed")


def _call(name, *arguments):
    library = ctypes.CDLL(None, use_errno=True)
    ctypes.set_errno(0)
    return _tried(lambda: getattr(library, name)(*arguments))


class TritonPythonModel:
    def initialize(self, args):
        folder = pathlib.Path(args["model_repository"])
        if (folder / "broken").exists():
            raise RuntimeError("the model is broken")
        if (folder / "ends").exists():
            os._exit(6)
        if (folder / "slow").exists():
            time.sleep(float((folder / "slow").read_text(encoding="utf-8")))

    def execute(self, requests):
        return [self._answer(request) for request in requests]

    def _answer(self, request):
        text = pb_utils.get_input_tensor_by_name(request, "INPUT0").as_numpy().reshape(-1)[0].decode()
        name, _, argument = text.partition(" ")
        answer = str(getattr(self, "_" + name)(argument))
        return pb_utils.InferenceResponse([pb_utils.Tensor("OUTPUT0", np.array([answer], dtype=object))])

    def _echo(self, argument):
        return f"{argument} {os.getpid()}"

    def _sleep(self, seconds):
        time.sleep(float(seconds))
        return os.getpid()

    def _allocate(self, _):
        kept = []
        while True:
            kept.append(bytearray(64 << 20))

    def _fork(self, _):
        """Leaves a child of the group and one of a session of its own behind, and says who they are."""
        reader, writer = os.pipe()
        for leaves in (False, True):
            if os.fork() == 0:
                try:
                    if leaves:
                        os.setsid()
                    signal.signal(signal.SIGTERM, signal.SIG_IGN)
                    if os.fork() == 0:
                        os.write(writer, f"{os.getpid()} ".encode())
                        while True:
                            signal.pause()
                finally:
                    os._exit(0)
            os.wait()
        found = b""
        while found.count(b" ") < 2:
            found += os.read(reader, 100)
        return found.decode().strip()

    def _files(self, _):
        """Opens as many as it may."""
        opened = []
        try:
            while len(opened) < 100_000:
                opened.append(os.open("/dev/null", os.O_RDONLY))
        except OSError as error:
            return f"{errno.errorcode[error.errno]} {len(opened)}"
        finally:
            for one in opened:
                os.close(one)
        return len(opened)

    def _fill(self, _):
        """Writes one file without end."""
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        with tempfile.TemporaryFile() as file:
            for written in range(1 << 14):
                try:
                    os.write(file.fileno(), bytes(1 << 20))
                except OSError as error:
                    return f"{errno.errorcode[error.errno]} {written}"
        return "all of it"

    def _print(self, megabytes):
        block = b"words that nobody reads, again and again, for ever and a day\n" * 16384
        for _ in range(int(megabytes)):
            os.write(1, block)
        return "printed"

    def _close(self, _):
        os.closerange(0, 1024)
        return "closed"

    def _leave(self, _):
        os.chdir("/")
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        return os.getcwd()

    def _probe(self, port):
        parent = os.getppid()
        with socket.socket(socket.AF_UNIX) as local:
            local.settimeout(1)
        found = {
            "ptrace": _call("ptrace", 16, parent, 0, 0),
            "mount": _call("mount", b"none", b"/mnt", b"tmpfs", 0, 0),
            "unshare": _call("unshare", 0x10000000),
            "connect": _tried(lambda: socket.create_connection(("127.0.0.1", int(port)), 1).close()),
            "descriptor": _tried(lambda: os.close(os.open(f"/proc/{parent}/fd/0", os.O_RDONLY))),
            "memory": _tried(lambda: os.close(os.open(f"/proc/{parent}/mem", os.O_RDONLY))),
            "token": "done" if "HEADRACE_TEST_TOKEN" in os.environ else "absent",
            "server's environment": _tried(lambda: os.close(os.open(f"/proc/{parent}/environ", os.O_RDONLY))),
            "kill": _tried(lambda: os.kill(parent, signal.SIGWINCH)),
        }
        return " ".join(f"{what}={outcome}".replace("server's environment", "environ") for what, outcome in found.items())

    def _descriptors(self, _):
        return sorted(int(name) for name in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{name}"))[:6]

    def _interpreter(self, _):
        return sys.executable
