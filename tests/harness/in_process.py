"""A server in this process, through the C interface of a libtritonserver.so: ours, or a published one. It is meant for a
process of its own (run): what the library starts ends with it."""

import ctypes
import json
import pathlib
import subprocess
import sys
import textwrap

_EXPLICIT = 2
_PARAMETER_STRING = 0
_PARAMETER_INT = 1


class TritonError(Exception):
    """What an entry returned: "<code>: <text>"."""


class Library:
    """The entries, with their errors as exceptions."""

    def __init__(self, path):
        self._library = ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL)
        for name in ("ErrorCodeString", "ErrorMessage"):
            getattr(self._library, f"TRITONSERVER_{name}").restype = ctypes.c_char_p
        self._library.TRITONSERVER_ParameterNew.restype = ctypes.c_void_p

    def __getattr__(self, name):
        entry = getattr(self._library, f"TRITONSERVER_{name}")
        entry.restype = ctypes.c_void_p

        def call(*arguments):
            error = entry(*[self._argument(argument) for argument in arguments])
            if error:
                pointer = ctypes.c_void_p(error)
                code = self._library.TRITONSERVER_ErrorCodeString(pointer).decode()
                text = self._library.TRITONSERVER_ErrorMessage(pointer).decode()
                self._library.TRITONSERVER_ErrorDelete(pointer)
                raise TritonError(f"{code}: {text}")

        return call

    @staticmethod
    def _argument(argument):
        if isinstance(argument, (str, pathlib.Path)):
            return ctypes.c_char_p(str(argument).encode())
        if isinstance(argument, bool):
            return ctypes.c_bool(argument)
        return argument

    def parameter(self, name, value):
        """A TRITONSERVER_Parameter: a text, or an integer."""
        if isinstance(value, str):
            held, kind = ctypes.c_char_p(value.encode()), _PARAMETER_STRING
            pointer = ctypes.cast(held, ctypes.c_void_p)
        else:
            held, kind = ctypes.c_int64(value), _PARAMETER_INT
            pointer = ctypes.cast(ctypes.byref(held), ctypes.c_void_p)
        return ctypes.c_void_p(
            self._library.TRITONSERVER_ParameterNew(ctypes.c_char_p(name.encode()), kind, pointer)
        )

    def text_of(self, entry, *arguments):
        """The document that an entry gives as a message."""
        message = ctypes.c_void_p()
        getattr(self, entry)(*arguments, ctypes.byref(message))
        base, size = ctypes.c_char_p(), ctypes.c_size_t()
        self.MessageSerializeToJson(message, ctypes.byref(base), ctypes.byref(size))
        text = ctypes.string_at(base, size.value).decode()
        self.MessageDelete(message)
        return json.loads(text)


class Server:
    """Loads nothing by itself."""

    def __init__(self, library, repository, backends, explicit=True):
        self.api = Library(library)
        options = ctypes.c_void_p()
        self.api.ServerOptionsNew(ctypes.byref(options))
        self.api.ServerOptionsSetModelRepositoryPath(options, repository)
        self.api.ServerOptionsSetModelControlMode(options, _EXPLICIT if explicit else 0)
        self.api.ServerOptionsSetBackendDirectory(options, backends)
        self.api.ServerOptionsSetModelLoadRetryCount(options, ctypes.c_uint32(0))
        self.api.ServerOptionsSetLogInfo(options, False)
        self.api.ServerOptionsSetGpuMetrics(options, False)
        self.api.ServerOptionsSetStrictModelConfig(options, False)
        self.handle = ctypes.c_void_p()
        self.api.ServerNew(ctypes.byref(self.handle), options)
        self.api.ServerOptionsDelete(options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.api.ServerDelete(self.handle)

    def register(self, path, mapping=()):
        """`mapping`: pairs of a directory's name and the name that the model shall have, or a number where a text belongs."""
        parameters = [self.api.parameter(*pair) for pair in mapping]
        array = (ctypes.c_void_p * max(1, len(parameters)))(*parameters)
        self.api.ServerRegisterModelRepository(self.handle, path, array, ctypes.c_uint32(len(parameters)))

    def unregister(self, path):
        self.api.ServerUnregisterModelRepository(self.handle, path)

    def load(self, name):
        self.api.ServerLoadModel(self.handle, name)

    def unload(self, name):
        self.api.ServerUnloadModel(self.handle, name)

    def is_ready(self, name):
        ready = ctypes.c_bool()
        self.api.ServerModelIsReady(self.handle, name, ctypes.c_int64(-1), ctypes.byref(ready))
        return ready.value

    def metadata(self, name):
        return self.api.text_of("ServerModelMetadata", self.handle, name, ctypes.c_int64(-1))

    def index(self):
        """Name -> state."""
        entries = self.api.text_of("ServerModelIndex", self.handle, ctypes.c_uint32(0))
        return {entry["name"]: entry.get("state", "") for entry in entries}


def said(call, *arguments):
    """What a call gives, or the error that it ends with."""
    try:
        return call(*arguments)
    except TritonError as error:
        return str(error)


def run(body, *arguments, environment=None, timeout_s=120):
    """Runs `body`, Python with this module's names and `arguments` (texts), in a process of its own; what it puts into
    `result`."""
    script = "import json, sys\nfrom harness.in_process import *\nresult = {}\n"
    script += f"arguments = json.loads({json.dumps(json.dumps([str(a) for a in arguments]))})\n"
    script += textwrap.dedent(body) + "\nprint('\\nRESULT ' + json.dumps(result), flush=True)\n"
    root = pathlib.Path(__file__).resolve().parents[1]
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=root,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=timeout_s,
        text=True,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    assert lines and done.returncode == 0, done.stdout
    return json.loads(lines[0].removeprefix("RESULT "))
