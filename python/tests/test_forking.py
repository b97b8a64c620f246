"""A template and its copies, driven as the server drives them."""

import json
import mmap
import os
import socket
import struct
import textwrap

import fake_server
import pytest
from headrace_worker import wire

_SO_PASSCRED = 16
_LIMIT_S = 30


class Copy(fake_server.FakeServer):
    """The server's ends of one copy of `template`. `pid`: as the kernel names who answered; `answer`: what it said."""

    def __init__(self, template, **order):
        self.size, self.middle = template.size, template.middle
        data = os.memfd_create("region", os.MFD_CLOEXEC)
        os.ftruncate(data, self.size)
        self.map = mmap.mmap(data, self.size)
        self.call, call = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.side, side = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.read_end, output = os.pipe()
        for end in (self.call, self.side):
            end.settimeout(_LIMIT_S)
        self.names = template.names
        self._next = 4096
        self.forget()
        order = json.dumps({"mark": "0" * len(_MARK), "name": "copy", "cpus": [], "environment": {}, **order}).encode()
        template.call.setsockopt(socket.SOL_SOCKET, _SO_PASSCRED, 1)
        packet = wire.HEAD.pack(wire.MAGIC, wire.FORK, 0, len(order), 0) + order
        given = [call.fileno(), side.fileno(), data, output]
        socket.send_fds(template.call, [packet], given)
        packet, ancillary, _, _ = template.call.recvmsg(100_000, socket.CMSG_SPACE(12))
        ((_, _, credentials),) = ancillary
        self.pid = struct.unpack("3i", credentials)[0]
        self.answer = json.loads(packet[wire.HEAD.size :])
        call.close()
        side.close()
        os.close(data)
        os.close(output)

    def end(self):
        """The exit status, as its parent gets it."""
        self.call.close()
        self.side.close()
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def printed(self):
        """What it printed; until its end."""
        with os.fdopen(self.read_end, encoding="utf-8") as file:
            return file.read()


_MARK = "0001-template"
_COPIES = """
    import os, random, sys
    import numpy as np
    import triton_python_backend_utils as pb_utils

    class TritonPythonModel:
        def initialize(self, args):
            self.made = [os.getpid(), random.random(), float(np.random.random())]
            random.seed(1), np.random.seed(1)

        def after_fork(self, args):
            self.name = args["model_instance_name"]

        def execute(self, requests):
            print("asked", self.name)
            values = [*self.made, os.getpid(), random.random(), float(np.random.random()), os.sched_getaffinity(0).pop()]
            out = [pb_utils.Tensor("OUTPUT0", np.array(values, np.float64)),
                   pb_utils.Tensor("OUTPUT1", np.array([self.name, os.environ["GIVEN"]], object))]
            return [pb_utils.InferenceResponse(out) for _ in requests]
"""


@pytest.fixture(name="prepare")
def _prepare(serve):
    def prepare(source, **load):
        environment = {"HEADRACE_PROCESS": _MARK, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        return serve(textwrap.dedent(source), message=wire.PREPARE, environment=environment, **load)

    return prepare


def _load(copy, name):
    load = {
        "contract": "triton",
        "model_name": "model",
        "instance_name": name,
        "config": {},
        "output_names": ["OUTPUT0", "OUTPUT1"],
        "data": {"size": copy.size, "middle": copy.middle},
    }
    assert copy.load(**load) == {}


def test_copies_are_children_of_the_server_and_unlike_each_other(prepare):
    template = prepare(_COPIES)
    assert template.answer == {}
    told = []
    cpu = max(os.sched_getaffinity(0))
    for name in ("first", "second"):
        copy = Copy(template, cpus=[cpu], environment={"GIVEN": name}, mark=name.rjust(len(_MARK)))
        assert copy.answer == {}
        _load(copy, name)
        answers, _ = copy.execute({"key": 1, "tensors": {}})
        values, texts = answers[1].values("OUTPUT0"), answers[1].values("OUTPUT1")
        assert [one.decode() for one in texts] == [name, name]
        assert int(values[0]) == template.process.pid and int(values[3]) == copy.pid and values[6] == cpu
        environment = open(f"/proc/{copy.pid}/environ", "rb").read().split(b"\0")
        assert b"HEADRACE_PROCESS=" + name.rjust(len(_MARK)).encode() in environment
        # It has nothing of the template's but its memory.
        open_files = [os.readlink(f"/proc/{copy.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{copy.pid}/fd")]
        assert len([file for file in open_files if "memfd:region" in file]) == 2, "the descriptor and its mapping's"
        assert len([file for file in open_files if file.startswith("socket:")]) == 2
        told.append(values)
        assert copy.end() == 0
        assert copy.printed() == f"asked {name}\n"
    assert told[0][1:3] == told[1][1:3]
    assert not set(told[0][4:6]) & set(told[1][4:6])
    assert template.finalize() == ({}, 0)


def test_what_cannot_be_a_copy_says_so_and_the_template_goes_on(prepare):
    template = prepare(_COPIES)
    bad = Copy(template, mark="too short")
    assert "cannot take the place" in bad.answer["error"]["message"]
    assert bad.end() == 1
    good = Copy(template, environment={"GIVEN": "yes"})
    assert good.answer == {}
    _load(good, "good")
    assert good.end() == 0


@pytest.mark.parametrize(
    "body, why",
    [
        ("threading.Thread(target=threading.Event().wait, name='ticker', daemon=True).start()", "1 more thread ('ticker')"),
        ("self.fork_safe = False", "fork_safe = False"),
    ],
)
def test_model_that_must_not_be_copied_is_refused_with_the_reason(prepare, body, why):
    source = f"""
    import threading
    import triton_python_backend_utils as pb_utils

    class TritonPythonModel:
        def initialize(self, args):
            {body}

        def execute(self, requests):
            pass
    """
    template = prepare(source)
    assert template.answer["error"]["code"] == "UNSUPPORTED"
    assert why in template.answer["error"]["message"]
