"""HTTP/2 frame by frame: sends what it is told, right or wrong, and shows what comes back."""

import dataclasses
import socket
import struct

import hpack

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED = 0x1, 0x1, 0x4, 0x8
NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR = 0, 1, 2, 3
STREAM_CLOSED, FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL, COMPRESSION_ERROR = 5, 6, 7, 8, 9
ENHANCE_YOUR_CALM = 11


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


@dataclasses.dataclass
class Frame:
    """One frame of the server's."""

    kind: int
    flags: int
    stream: int
    payload: bytes

    @property
    def error_code(self):
        """Of RST_STREAM and GOAWAY."""
        return struct.unpack_from(">I", self.payload, 4 if self.kind == GOAWAY else 0)[0]


class Connection:
    """A raw client connection behind its preface; usable in `with`. `settings`: the payload of our SETTINGS."""

    def __init__(self, server, port=None, settings=b"", wrap=None, timeout_s=20.0):
        self.socket = socket.create_connection((server.host, port or server.port), timeout_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if wrap is not None:
            self.socket = wrap(self.socket)
        self.encoder = hpack.Encoder()
        self.decoder = hpack.Decoder()
        self.ended = False  # the server has closed
        self.headers = {}  # by stream: fields of the last header block
        self.body = {}  # by stream
        self.errors = {}  # by stream: code of RST_STREAM
        self.finished = set()  # streams that the server has ended
        self.goaway = None  # code of GOAWAY
        self._buffer = b""
        self.send(PREFACE + frame(SETTINGS, payload=settings))

    def send(self, data):
        """False when the server no longer takes bytes."""
        try:
            self.socket.sendall(data)
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False

    def request(self, stream, headers, end=True, method="GET", path="/v2/health/live"):
        """The HEADERS frame of a request."""
        fields = [(":method", method), (":scheme", "http"), (":authority", "localhost"), (":path", path), *headers]
        return frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream, self.encoder.encode(fields))

    def grpc(self, stream, path, body, metadata=(), content_type="application/grpc"):
        """A whole call: HEADERS and DATA."""
        headers = [("content-type", content_type), ("te", "trailers"), *metadata]
        data = [frame(DATA, 0, stream, body[i : i + 16384]) for i in range(0, len(body), 16384)]
        return self.request(stream, headers, False, "POST", path) + b"".join(data) + frame(DATA, END_STREAM, stream)

    def read_frame(self):
        """The next frame, or None when the server has closed."""
        while len(self._buffer) < 9 or len(self._buffer) < 9 + int.from_bytes(self._buffer[:3], "big"):
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                self.ended = True
                return None
            self._buffer += data
        size = int.from_bytes(self._buffer[:3], "big")
        kind, flags, stream = struct.unpack_from(">BBI", self._buffer, 3)
        payload, self._buffer = self._buffer[9 : 9 + size], self._buffer[9 + size :]
        return Frame(kind, flags, stream & 0x7FFFFFFF, payload)

    def step(self):
        """Takes the next frame in; False at the end."""
        got = self.read_frame()
        if got is None:
            return False
        if got.kind == SETTINGS and not got.flags & ACK:
            self.send(frame(SETTINGS, ACK))
        elif got.kind == PING and not got.flags & ACK:
            self.send(frame(PING, ACK, 0, got.payload))
        elif got.kind == HEADERS:
            self.headers.setdefault(got.stream, {}).update(self.decoder.decode(got.payload))
        elif got.kind == DATA:
            self.body[got.stream] = self.body.get(got.stream, b"") + got.payload
            if got.payload:
                self.send(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", len(got.payload))))
        elif got.kind == RST_STREAM:
            self.errors[got.stream] = got.error_code
            self.finished.add(got.stream)
        elif got.kind == GOAWAY:
            self.goaway = got.error_code
        if got.kind in (HEADERS, DATA) and got.flags & END_STREAM:
            self.finished.add(got.stream)
        return True

    def wait(self, stream):
        """Until the server has ended the stream; its fields."""
        while stream not in self.finished:
            assert self.step(), f"closed (GOAWAY {self.goaway}) before stream {stream} had ended"
        return self.headers.get(stream, {})

    def wait_end(self):
        """Until the server has closed; the code of its GOAWAY."""
        while self.step():
            pass
        return self.goaway

    def answers(self, stream):
        """Whether the connection still serves."""
        self.send(self.request(stream, []))
        return self.wait(stream).get(":status") == "200"

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def message(data, compressed=False):
    """A gRPC message with its prefix."""
    return struct.pack(">BI", int(compressed), len(data)) + data
