"""Archives from URLs: what is fetched, from where, and what becomes of a download that goes wrong (rows 133, 134)."""

import contextlib
import json
import socket
import threading

import pytest
from harness import archives, torchserve_program, wait

MAR = archives.mar("m", {"handler.py": "def handle(data, context):\n    return data\n"}, "handler.py:handle")


class _Web:
    """Answers each connection with the bytes that `script(path)` gives, and closes it; with `hold`, keeps it open."""

    def __init__(self, script, hold=False):
        self._script, self._hold = script, hold
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.paths = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                head = b""
                while b"\r\n\r\n" not in head:
                    more = connection.recv(4096)
                    if not more:
                        break
                    head += more
                if not head:
                    continue
                path = head.split(b" ")[1].decode()
                self.paths.append(path)
                connection.sendall(self._script(path))
                if self._hold:
                    while connection.recv(4096):
                        pass

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


def _ok(body):
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def _redirect(location):
    return f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()


@pytest.fixture(scope="module", name="allowed")
def _allowed():
    """The server whose place is allowed. Its answers are looked up by path."""
    answers = {}
    web = _Web(lambda path: answers[path])
    web.answers = answers
    yield web
    web.close()


@pytest.fixture(scope="module", name="other")
def _other():
    web = _Web(lambda _path: _ok(MAR))
    yield web
    web.close()


@pytest.fixture(scope="module", name="folder")
def _folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("urls")
    for name in ("store", "work", "shared"):
        (folder / name).mkdir()
    (folder / "shared" / "a.mar").write_bytes(MAR)
    (folder / "secret.mar").write_bytes(MAR)
    (folder / "shared" / "link.mar").symlink_to(folder / "secret.mar")
    return folder


@pytest.fixture(scope="module", name="server")
def _server(folder, allowed):
    server = torchserve_program.TorchServeProgram(
        folder / "store",
        folder / "work",
        *("--disable-token-auth", "--enable-model-api", "--ncs"),
        allowed_urls=f"http://127.0.0.1:{allowed.port}/models/,file://{folder}/shared/.*,http://public[.]example/.*",
    )
    with server:
        yield server
        assert server.stop() == 0, server.output()


def _register(server, url):
    status, _, body = server.ask("POST", f"/models?url={url}", port=server.management_port)
    return status, json.loads(body)


def _nothing_written(folder):
    return list((folder / "store").iterdir()) == []


@pytest.mark.row(133)
def test_cve_2023_43654_nothing_comes_from_where_nobody_allowed_it(server, folder, allowed, other):
    before = list(allowed.paths)
    for url in (
        "file:///etc/passwd",
        f"file://localhost{folder}/shared/a.mar",
        other.url("/models/a.mar"),
        f"http://127.0.0.1:{allowed.port}@127.0.0.1:{other.port}/models/a.mar",
        f"http://127.0.0.1.evil.example:{allowed.port}/models/a.mar",
        f"http://localhost:{allowed.port}/models/a.mar",
        f"http://2130706433:{allowed.port}/models/a.mar",
        f"http://0177.0.0.1:{allowed.port}/models/a.mar",
        f"http://[::ffff:127.0.0.1]:{allowed.port}/models/a.mar",
        f"http://127.0.0.1:{allowed.port}/other/a.mar",
        f"http://127.0.0.1:{allowed.port}/models2/a.mar",
        f"http://127.0.0.1:{allowed.port}/models%252f..%252fa.mar",
        "gopher://127.0.0.1/models/a.mar",
    ):
        status, body = _register(server, url)
        assert (status, body["type"]) == (404, "ModelNotFoundException"), (url, body)
        assert body["message"].startswith(("Given URL ", "Model not found at: ")), body
        assert _nothing_written(folder), url
    assert other.paths == []
    assert allowed.paths == before


@pytest.mark.row(133)
def test_cve_2024_35198_dots_and_links_lead_nowhere(server, folder):
    for url in (
        f"file://{folder}/shared/../secret.mar",
        "file://../secret.mar",
        "../secret.mar",
        "http://public.example/../a.mar",
    ):
        status, body = _register(server, url)
        assert status == 404
        assert body["message"].startswith("Relative path is not allowed in url: "), body
        assert _nothing_written(folder), url
    status, body = _register(server, f"file://{folder}/shared/link.mar")
    assert (status, body["type"]) == (404, "ModelNotFoundException"), body
    assert _nothing_written(folder)


@pytest.mark.row(133)
def test_redirects_are_looked_at_one_by_one(server, folder, allowed, other):
    for name, location in (
        ("away", other.url("/models/a.mar")),
        ("file", f"file://{folder}/shared/a.mar"),
        ("metadata", "http://169.254.169.254/latest/meta-data"),
        ("below", "/other/a.mar"),
    ):
        allowed.answers[f"/models/{name}.mar"] = _redirect(location)
        status, body = _register(server, allowed.url(f"/models/{name}.mar"))
        assert (status, body["type"]) == (404, "ModelNotFoundException"), body
        assert _nothing_written(folder)
    allowed.answers["/models/round.mar"] = _redirect("/models/round.mar")
    status, body = _register(server, allowed.url("/models/round.mar"))
    assert (status, body["type"]) == (400, "DownloadArchiveException"), body
    assert "redirects" in body["message"]
    assert allowed.paths.count("/models/round.mar") == 6
    assert other.paths == []
    assert _nothing_written(folder)


@pytest.mark.row(133)
def test_what_is_allowed_comes_and_goes(server, folder, allowed):
    allowed.answers["/models/moved.mar"] = _redirect("/models/a.mar")
    allowed.answers["/models/a.mar"] = _ok(MAR)
    for url in (allowed.url("/models/moved.mar"), f"file://{folder}/shared/a.mar"):
        status, body = _register(server, url)
        assert status == 200, body
        files = [file.name for file in (folder / "store").iterdir()]
        assert files == [url.rsplit("/", 1)[1]]
        assert (folder / "store" / files[0]).stat().st_mode & 0o777 == 0o600
        status, _, _ = server.ask("DELETE", "/models/m", port=server.management_port)
        assert status == 200
        assert _nothing_written(folder)


@pytest.mark.row(134)
def test_downloads_that_are_not_whole_leave_nothing(server, folder, allowed):
    whole = _ok(MAR)
    for name, answer in (
        ("short", whole[:-1]),
        ("empty", b""),
        ("lies", whole.replace(b"Content-Length: ", b"Content-Length: 1")),
        ("chunks", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n"),
        ("huge", b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n"),
        ("missing", b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone"),
        ("partial", whole.replace(b"200 OK", b"206 Partial Content")),
    ):
        allowed.answers[f"/models/{name}.mar"] = answer
        url = allowed.url(f"/models/{name}.mar")
        status, body = _register(server, url)
        assert (status, body["type"]) == (400, "DownloadArchiveException"), (name, body)
        assert body["message"].startswith(f"Failed to download archive from: {url}")
        assert _nothing_written(folder), name


@pytest.mark.row(134)
def test_a_download_that_stalls_does_not_hold_the_end_up(folder, tmp_path):
    web = _Web(lambda _path: b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nslow", hold=True)
    server = torchserve_program.TorchServeProgram(
        folder / "store",
        tmp_path,
        *("--disable-token-auth", "--enable-model-api", "--ncs"),
        allowed_urls=web.url("/"),
    )
    answers = []
    with server:
        request = threading.Thread(
            target=lambda: _suppressed(lambda: answers.append(_register(server, web.url("/a.mar"))))
        )
        request.start()
        wait.until(lambda: web.paths, "the download begins", 60)
        assert server.stop() == 0, server.output()
        request.join()
    web.close()
    assert _nothing_written(folder)
    if answers:  # the server's end may come before its answer does
        assert answers[0][0] in (400, 503)


def _suppressed(call):
    with contextlib.suppress(OSError, ValueError):
        call()
