#!/usr/bin/env python3
"""What the Python runtime costs a request, without a server: an EXECUTE of an identity model, read, run and answered, in
microseconds of CPU for each request: bench/python_runtime.py [BATCH_SIZE...]

On one core of a Xeon at 2.x GHz with CPython 3.11 and numpy 2.4: 5.2 in batches of 64, of which 1.0 is the codec and about
1.4 the model's own calls; 9 alone.
"""

import os
import pathlib
import socket
import struct
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "python"))

from headrace_worker import runtime, wire  # noqa: E402

_MODEL = """
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def execute(self, requests):
        responses = []
        for request in requests:
            tensor = pb_utils.get_input_tensor_by_name(request, "INPUT0")
            responses.append(pb_utils.InferenceResponse([pb_utils.Tensor("OUTPUT0", tensor.as_numpy())]))
        return responses
"""
_BLOCK = 4096
_ROUNDS, _REQUESTS = 9, 6400


def _execute(batch_size):
    """The body of an EXECUTE with one tensor of 16 floats for each request."""
    body = struct.pack("<IIQQ", batch_size, 0, _BLOCK, 64 * batch_size)
    for i in range(batch_size):
        tensor = wire.pack_tensor(0, b"", 11, (16,), _BLOCK + 64 * i, 64)
        body += struct.pack("<QQQIIII", i, 0, 0, 0, wire.NO_SLOT, 1, 0) + tensor
    return memoryview(body)


def _worker(folder):
    """A runtime in this process with the model loaded; what it sends is thrown away."""
    data = os.memfd_create("region")
    os.ftruncate(data, 16 << 20)
    ends = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(2)]
    worker = runtime.Runtime(ends[0][1].detach(), ends[1][1].detach(), data)
    worker._call.send = lambda *_: 0
    version = folder / "1"
    version.mkdir()
    (version / "model.py").write_text(_MODEL, encoding="utf-8")
    worker._load(
        wire.pack_json(
            {
                "contract": "triton",
                "model_name": "identity",
                "model_version": 1,
                "model_directory": str(folder),
                "version_directory": str(version),
                "model_file": "model.py",
                "instance_name": "identity_0_0",
                "input_names": ["INPUT0"],
                "output_names": ["OUTPUT0"],
            }
        )
    )
    return worker, ends


def _cost_us(worker, body, batch_size):
    """The least of several rounds: microseconds of CPU for each request."""
    least = float("inf")
    for _ in range(_ROUNDS):
        started = time.process_time()
        for _ in range(_REQUESTS // batch_size):
            worker._space.reset()
            worker._execute(body)
        least = min(least, (time.process_time() - started) / (_REQUESTS // batch_size * batch_size))
    return least * 1e6


def _main():
    sizes = [int(size) for size in sys.argv[1:]] or [1, 8, 64]
    with tempfile.TemporaryDirectory() as folder:
        worker, _ends = _worker(pathlib.Path(folder))
        for size in sizes:
            print(f"batch of {size:3}: {_cost_us(worker, _execute(size), size):5.1f} us for each request")


if __name__ == "__main__":
    _main()
