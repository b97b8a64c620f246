"""HTTP byte by byte: sends what it is given and reads answers without mending anything."""

import dataclasses
import json
import socket


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

    def __init__(self, server, timeout_s=20.0):
        self.socket = socket.create_connection((server.host, server.port), timeout=timeout_s)
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
        while len(self._buffer) < length:
            self._fill()
        body, self._buffer = self._buffer[:length], self._buffer[length:]
        return Response(int(status), headers, body)

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


def exchange(server, data, head_only=False):
    """Sends `data` on a connection of its own and returns the answer to it."""
    with Connection(server) as connection:
        connection.send(data)
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
