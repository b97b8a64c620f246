"""Plays the server's ends of a worker's channels: over socket pairs and a memory file, with a real worker process."""

import json
import mmap
import os
import pathlib
import socket
import struct
import subprocess
import sys

from headrace_worker import wire

_PYTHON = pathlib.Path(__file__).resolve().parent.parent
_TIME_LIMIT_S = 30


class Response:
    """One response as it came: tensors are {name: (dtype, dims, bytes)}, extras a dict."""

    def __init__(self, key, flags, tensors, extras):
        self.key, self.flags, self.tensors, self.extras = key, flags, tensors, extras
        self.places = {}

    @property
    def error(self):
        return self.extras.get("error")

    def values(self, name):
        """A tensor's elements as a flat list; texts as bytes."""
        dtype, _, data = self.tensors[name]
        if dtype == wire.BYTES:
            return unpack_texts(data)
        return list(memoryview(data).cast(_CASTS[dtype]))


_CASTS = {1: "?", 2: "B", 3: "H", 4: "I", 5: "Q", 6: "b", 7: "h", 8: "i", 9: "q", 11: "f", 12: "d"}


def pack_texts(texts):
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)


def unpack_texts(data):
    texts, at = [], 0
    while at < len(data):
        (size,) = struct.unpack_from("<I", data, at)
        texts.append(bytes(data[at + 4 : at + 4 + size]))
        at += 4 + size
    return texts


def numbers(dtype, values):
    """(dtype, dims, bytes) of a vector."""
    return dtype, (len(values),), struct.pack(f"<{len(values)}{_CASTS[dtype]}", *values)


def texts(*values):
    return wire.BYTES, (len(values),), pack_texts(values)


class FakeServer:
    """Owns one worker. `call` and `side` are the sockets; the server's half of the region is handed out in order."""

    def __init__(self, size=16 << 20, environment=None, interpreter=sys.executable):
        self.size, self.middle = size, size // 2
        data = os.memfd_create("region", os.MFD_CLOEXEC)
        os.ftruncate(data, size)
        self.map = mmap.mmap(data, size)
        self.call, call = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.side, side = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (self.call, self.side):
            end.settimeout(_TIME_LIMIT_S)
        named = f"call={call.fileno()} side={side.fileno()} data={data}"
        self.process = subprocess.Popen(
            [interpreter, str(_PYTHON / "headrace_worker" / "main.py")],
            pass_fds=(call.fileno(), side.fileno(), data),
            env={"PATH": os.environ["PATH"], **(environment or {}), "HEADRACE_WORKER": named},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        call.close()
        side.close()
        os.close(data)
        self.names = {"input": [], "output": []}
        self._next = 4096
        self.forget()

    def forget(self):
        """Starts anew with what the worker has said."""
        self.messages, self.released, self.dropped = [], [], []
        # The id of the first request of each EXECUTE, if it has no other.
        self.code = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.call.close()
        self.side.close()
        self.process.kill()
        self.process.communicate(timeout=_TIME_LIMIT_S)

    def place(self, data):
        """Writes into the server's half; returns the offset."""
        offset, self._next = self._next, self._next + ((len(data) + 63) & -64)
        self.map[offset : offset + len(data)] = data
        return offset

    def _send(self, end, kind, body=b"", flags=0):
        if len(body) > wire.INLINE_LIMIT:
            end.sendall(wire.HEAD.pack(wire.MAGIC, kind, flags | wire.BODY_IN_REGION, len(body), self.place(body)))
            return
        end.sendall(wire.HEAD.pack(wire.MAGIC, kind, flags, len(body), 0) + body)

    def _receive(self, end):
        packet = end.recv(100_000)
        if not packet:
            raise EOFError(self.output())
        magic, kind, flags, size, offset = wire.HEAD.unpack_from(packet)
        assert magic == wire.MAGIC
        if flags & wire.BODY_IN_REGION:
            assert offset >= self.middle
            return kind, flags, self.map[offset : offset + size]
        assert len(packet) == 24 + size
        return kind, flags, packet[24:]

    def output(self):
        """All that the process wrote; waits for its end."""
        return self.process.communicate(timeout=_TIME_LIMIT_S)[0].decode()

    def ask(self, kind, body=b""):
        """One question on the call channel: (type, flags, body) of the answer."""
        self._send(self.call, kind, body)
        return self._receive(self.call)

    def hello(self):
        kind, _, body = self._receive(self.call)
        assert kind == wire.HELLO
        return json.loads(body)

    def load(self, message=wire.LOAD, **load):
        """Greets and loads; the JSON of the answer."""
        self.hello()
        load.setdefault("contract", "triton")
        load.setdefault("data", {"size": self.size, "middle": self.middle})
        self.names = {"input": load.get("input_names", []), "output": load.get("output_names", [])}
        return json.loads(self.ask(message, json.dumps(load).encode())[2])

    def pack_execute(self, requests):
        """The body of an EXECUTE. Each request is a dict: key, tensors {name: (dtype, dims, bytes)}, extras, ..."""
        data = bytearray()
        placed = []
        for request in requests:
            places = {}
            for name, (_, _, content) in request.get("tensors", {}).items():
                places[name] = len(data)
                data += content + bytes(-len(content) % 64)
            placed.append(places)
        offset = self.place(data)
        body = struct.pack("<IIQQ", len(requests), 0, offset, len(data))
        for request, places in zip(requests, placed):
            tensors = b""
            for name, (dtype, dims, content) in request.get("tensors", {}).items():
                index = self.names["input"].index(name) if name in self.names["input"] else wire.NAME_FOLLOWS
                tensors += wire.pack_tensor(index, name.encode(), dtype, dims, offset + places[name], len(content))
            extras = dict(request.get("extras", {}))
            if self.code is not None and request is requests[0]:
                extras.setdefault("id", self.code)
            extras = json.dumps(extras).encode() if extras else b""
            head = struct.pack(
                "<QQQIIII",
                request["key"],
                request.get("correlation_id", 0),
                request.get("timeout_us", 0),
                request.get("flags", 0),
                request.get("cancel_slot", wire.NO_SLOT),
                len(request.get("tensors", {})),
                len(extras),
            )
            body += head + tensors + extras + bytes(-len(extras) % 8)
        return body, offset

    def send_execute(self, body, flags=0):
        """Hands over what `pack_execute` made; any number before the first answer is received."""
        self._send(self.call, wire.EXECUTE, body, flags)

    def receive_executed(self):
        """The body of the next answer."""
        kind, _, body = self._receive(self.call)
        assert kind == wire.EXECUTED
        return body

    def parse_responses(self, body):
        count, _ = struct.unpack_from("<II", body)
        at, responses = 8, []
        for _ in range(count):
            key, flags, tensor_count, extras_size, _ = struct.unpack_from("<QIIII", body, at)
            at += 24
            tensors, places = {}, []
            for _ in range(tensor_count):
                offset, size, index, dtype, rank, name_size, _ = struct.unpack_from("<QQHBBHH", body, at)
                dims = struct.unpack_from(f"<{rank}q", body, at + 24)
                at += 24 + 8 * rank
                name = self.names["output"][index] if index != wire.NAME_FOLLOWS else body[at : at + name_size].decode()
                at += (name_size + 7) & -8
                tensors[name] = (dtype, dims, self.map[offset : offset + size])
                places.append((name, offset))
            extras = json.loads(body[at : at + extras_size]) if extras_size else {}
            at += (extras_size + 7) & -8
            response = Response(key, flags, tensors, extras)
            response.places = dict(places)
            responses.append(response)
        assert at == len(body)
        return responses

    def execute(self, *requests):
        """({key: Response}, flags) of one EXECUTE."""
        self.start_execute(*requests)
        return self.end_execute()

    def next_message(self, *kinds):
        """(type, body) of the next side message of these types; RELEASE and DROPPED of others are noted meanwhile."""
        while True:
            kind, _, body = self._receive(self.side)
            if kind == wire.RELEASE:
                self.released += wire.parse_offsets(body)
            elif kind == wire.DROPPED:
                self.dropped += wire.parse_offsets(body)
            if kind in kinds:
                return kind, body
            if kind not in (wire.RELEASE, wire.DROPPED):
                self.messages.append((kind, body))

    def next_response(self):
        """The next RESPONSE; its blocks are released at once."""
        _, body = self.next_message(wire.RESPONSE)
        (response,) = self.parse_responses(body)
        offsets = [place for name, place in response.places.items() if response.tensors[name][2]]
        if offsets:
            self._send(self.side, wire.RELEASE, wire.pack_numbers(offsets))
        return response

    def next_call(self):
        """(key, tensors as of Response, extras, correlation_id, timeout_us, flags) of the next CALL; its blocks are
        released."""
        _, body = self.next_message(wire.CALL)
        key, correlation_id, timeout_us, flags, _, count, extras_size = struct.unpack_from("<QQQIIII", body)
        tensors, at, offsets = {}, 40, []
        for _ in range(count):
            offset, size, index, dtype, rank, name_size, _ = struct.unpack_from("<QQHBBHH", body, at)
            assert index == wire.NAME_FOLLOWS
            dims = struct.unpack_from(f"<{rank}q", body, at + 24)
            at += 24 + 8 * rank
            tensors[body[at : at + name_size].decode()] = (dtype, dims, self.map[offset : offset + size])
            at += (name_size + 7) & -8
            offsets += [offset] if size else []
        if offsets:
            self._send(self.side, wire.RELEASE, wire.pack_numbers(offsets))
        return key, tensors, json.loads(body[at : at + extras_size]), correlation_id, timeout_us, flags

    def answer_call(self, key, tensors=None, flags=wire.FINAL, extras=None):
        """One CALL_RESPONSE; returns the offsets of its blocks."""
        packed, offsets = [], []
        for name, (dtype, dims, content) in (tensors or {}).items():
            offset = self.place(content) if content else 0
            offsets.append(offset)
            packed.append(wire.pack_tensor(wire.NAME_FOLLOWS, name.encode(), dtype, dims, offset, len(content)))
        text = json.dumps(extras).encode() if extras else b""
        body = wire.pack_responses([wire.pack_response(key, flags, packed, text)])
        self._send(self.side, wire.CALL_RESPONSE, body)
        return offsets

    def start_execute(self, *requests):
        """Sends an EXECUTE; `end_execute` has its answer."""
        body, self.block = self.pack_execute(requests)
        self._send(self.call, wire.EXECUTE, body)

    def end_execute(self):
        kind, flags, answer = self._receive(self.call)
        assert kind == wire.EXECUTED
        return {response.key: response for response in self.parse_responses(answer)}, flags

    def settle(self):
        """Waits until all that the worker has said so far has been read."""
        self._send(self.side, wire.IS_READY, b'{"id":1}')
        return self.next_json(wire.READINESS)

    def next_json(self, *kinds):
        return json.loads(self.next_message(*kinds)[1])

    def reply(self, number, value=None, error=None):
        body = {"id": number, "value": value} if error is None else {"id": number, "error": error}
        self._send(self.side, wire.REPLY, json.dumps(body).encode())

    def finalize(self):
        """The JSON of FINALIZED and the exit status."""
        answer = json.loads(self.ask(wire.FINALIZE)[2])
        return answer, self.process.wait(_TIME_LIMIT_S)
