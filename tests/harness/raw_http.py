"""HTTP byte by byte: sends what it is given and reads answers without mending anything."""

import dataclasses
import json
import socket
import struct


@dataclasses.dataclass
class Response:
    """One parsed answer."""

    status: int
    headers: dict
    body: bytes

    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        return self.json()["error"]


class Connection:
    """A raw client connection; usable in `with`."""

    def __init__(self, server, timeout_s=30.0, receive_buffer=None):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout_s)
        self.socket.connect((server.host, server.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""

    def send(self, data):
        self.socket.sendall(data)

    def _fill(self):
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError(f"closed by the server; unread: {self._buffer[:200]!r}")
        self._buffer += data

    def read(self, head_only=False):
        """The next answer. Raises ConnectionError when the server closed without one."""
        while b"\r\n\r\n" not in self._buffer:
            self._fill()
        head, self._buffer = self._buffer.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        version, status, _ = lines[0].split(" ", 2)
        assert version in ("HTTP/1.1", "HTTP/1.0"), lines[0]
        headers = {}
        for line in lines[1:]:
            name, value = line.split(":", 1)
            headers[name.strip().lower()] = value.strip()
        length = 0 if head_only else int(headers.get("content-length", 0))
        body = bytearray(self._buffer[:length])
        self._buffer = self._buffer[length:]
        while len(body) < length:
            data = self.socket.recv(min(1 << 20, length - len(body)))
            if not data:
                raise ConnectionError(f"closed by the server after {len(body)} of {length} body bytes")
            body += data
        return Response(int(status), headers, bytes(body))

    def send_what_goes(self, data):
        """Sends until the server stops taking; a refusal may come before the last byte is sent."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def finish_sending(self):
        """Half-closes: nothing more will come from here."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        """Closes so that the server gets a RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def read_all(self):
        """All answers until the server closes."""
        answers = []
        while True:
            try:
                if not self._buffer:
                    self._fill()
            except (ConnectionError, OSError) as error:
                if isinstance(error, TimeoutError):
                    raise AssertionError(f"the server did not close; answers so far: {answers}") from error
                return answers
            answers.append(self.read())

    def received_some(self):
        """Whether bytes of an unfinished answer have come."""
        return bool(self._buffer)

    def closed_by_server(self):
        """True once the server has closed; False if it sends something else first."""
        try:
            return not self._buffer and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def request(method, path, body=b"", headers=(), version="HTTP/1.1"):
    """The bytes of a well-formed request."""
    lines = [f"{method} {path} {version}", "Host: localhost"]
    lines += [f"{name}: {value}" for name, value in headers]
    if body or method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def chunked(pieces, extension=b""):
    """The chunks of a body, with the last one."""
    return b"".join(b"%x%s\r\n%s\r\n" % (len(p), extension, p) for p in pieces if p) + b"0\r\n\r\n"


def answers_until_close(server, data):
    """Sends `data` on a connection of its own; all answers until the server has closed it."""
    with Connection(server) as connection:
        connection.send_what_goes(data)
        return connection.read_all()


def exchange(server, data, head_only=False):
    """Sends `data` on a connection of its own and returns the answer to it."""
    with Connection(server) as connection:
        connection.send_what_goes(data)
        return connection.read(head_only)


def call(server, method, path, body=b"", headers=()):
    """One well-formed request on a connection of its own."""
    return exchange(server, request(method, path, body, headers))


def infer_json(server, model, document, headers=()):
    """POST of `document` (an object, or ready-made bytes) to the model's infer endpoint."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return call(server, "POST", f"/v2/models/{model}/infer", body, headers)


def infer_binary(server, model, head, tensors, headers=()):
    """POST of a JSON head and raw tensor bytes."""
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    return call(
        server,
        "POST",
        f"/v2/models/{model}/infer",
        text + tensors,
        [("Inference-Header-Content-Length", len(text)), *headers],
    )
