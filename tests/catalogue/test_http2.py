"""Catalogue 3.5: HTTP/2 frames, the framing of gRPC, and TLS. What the messages of gRPC hold is test_grpc.py's."""

import gzip
import ssl
import struct
import subprocess

import pytest

from harness import http2, leaks, prometheus, wait
from harness.http2 import frame

LIVE = "/inference.GRPCInferenceService/ServerLive"
READY = "/inference.GRPCInferenceService/ModelReady"
OK, INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL = "0", "3", "8", "12", "13"


def abuses(server, reason):
    return prometheus.scrape(server).total("headrace_http2_abuses_total", reason=reason)


def headers_block(connection, stream=1, flags=http2.END_HEADERS | http2.END_STREAM):
    block = connection.request(stream, [])[9:]
    return frame(http2.HEADERS, flags, stream, block)


# What h2spec asks for, its kinds of faults one by one: the fault, and the codes that may answer it. The whole of
# h2spec is run by hand (docs/transport.md).
FAULTS = {
    "data on stream 0": (lambda c: frame(http2.DATA, 1, 0, b"x"), http2.PROTOCOL_ERROR),
    "headers on stream 0": (lambda c: headers_block(c, 0), http2.PROTOCOL_ERROR),
    "headers on an even stream": (lambda c: headers_block(c, 2), http2.PROTOCOL_ERROR),
    "a smaller stream number": (lambda c: headers_block(c, 5) + headers_block(c, 3), http2.PROTOCOL_ERROR),
    "data on an idle stream": (lambda c: frame(http2.DATA, 1, 1, b"x"), http2.PROTOCOL_ERROR),
    "reset of an idle stream": (lambda c: frame(http2.RST_STREAM, 0, 1, bytes(4)), http2.PROTOCOL_ERROR),
    "window of an idle stream": (lambda c: frame(http2.WINDOW_UPDATE, 0, 1, b"\0\0\0\1"), http2.PROTOCOL_ERROR),
    "window update of 0": (lambda c: frame(http2.WINDOW_UPDATE, 0, 0, bytes(4)), http2.PROTOCOL_ERROR),
    "window overflow": (
        lambda c: frame(http2.WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff") * 2,
        http2.FLOW_CONTROL_ERROR,
    ),
    "settings on a stream": (lambda c: frame(http2.SETTINGS, 0, 1), http2.PROTOCOL_ERROR),
    "settings of 5 bytes": (lambda c: frame(http2.SETTINGS, 0, 0, bytes(5)), http2.FRAME_SIZE_ERROR),
    "acknowledgement with a payload": (lambda c: frame(http2.SETTINGS, 1, 0, bytes(6)), http2.FRAME_SIZE_ERROR),
    "initial window of 2^31": (
        lambda c: frame(http2.SETTINGS, 0, 0, struct.pack(">HI", 4, 1 << 31)),
        http2.FLOW_CONTROL_ERROR,
    ),
    "frame size of 1": (lambda c: frame(http2.SETTINGS, 0, 0, struct.pack(">HI", 5, 1)), http2.PROTOCOL_ERROR),
    "ping of 7 bytes": (lambda c: frame(http2.PING, 0, 0, bytes(7)), http2.FRAME_SIZE_ERROR),
    "ping on a stream": (lambda c: frame(http2.PING, 0, 1, bytes(8)), http2.PROTOCOL_ERROR),
    "goaway on a stream": (lambda c: frame(http2.GOAWAY, 0, 1, bytes(8)), http2.PROTOCOL_ERROR),
    "push promise": (lambda c: frame(http2.PUSH_PROMISE, 4, 1, bytes(4)), http2.PROTOCOL_ERROR),
    "continuation without headers": (lambda c: frame(http2.CONTINUATION, 4, 1), http2.PROTOCOL_ERROR),
    "a frame inside of a header block": (
        lambda c: headers_block(c, 1, http2.END_STREAM) + frame(http2.PING, 0, 0, bytes(8)),
        http2.PROTOCOL_ERROR,
    ),
    "padding longer than the frame": (
        lambda c: headers_block(c, 1, http2.END_HEADERS) + frame(http2.DATA, http2.PADDED, 1, b"\xff"),
        http2.PROTOCOL_ERROR,
    ),
    "a frame of 16 KiB and one byte": (
        lambda c: headers_block(c, 1, http2.END_HEADERS) + frame(http2.DATA, 1, 1, bytes(16385)),
        http2.FRAME_SIZE_ERROR,
    ),
    "an index beyond the table": (
        lambda c: frame(http2.HEADERS, 5, 1, b"\xff\x80\x01"),
        http2.COMPRESSION_ERROR,
    ),
    "a table of 2^32 bytes": (
        lambda c: frame(http2.HEADERS, 5, 1, b"\x3f\xe1\xff\xff\xff\x0f\x82"),
        http2.COMPRESSION_ERROR,
    ),
}


@pytest.mark.row(79)
@pytest.mark.parametrize("fault", FAULTS)
def test_faults_of_the_connection_end_it_with_their_code(server, fault):
    make, code = FAULTS[fault]
    with http2.Connection(server) as connection:
        connection.send(make(connection))
        assert connection.wait_end() == code


BAD_FIELDS = {
    "upper case": [("X-Upper", "x")],
    "connection": [("connection", "keep-alive")],
    "transfer-encoding": [("transfer-encoding", "chunked")],
    "te": [("te", "gzip")],
    "pseudo field behind": [("x", "x"), (":path", "/")],
    "unknown pseudo field": [(":unknown", "x")],
    "two paths": [(":path", "/")],
    "content-length of another body": [("content-length", "5")],
}


@pytest.mark.row(79)
@pytest.mark.parametrize("fault", BAD_FIELDS)
def test_faults_of_a_head_end_its_stream(server, fault):
    with http2.Connection(server) as connection:
        connection.send(connection.request(1, BAD_FIELDS[fault]))
        connection.wait(1)
        assert connection.errors[1] == http2.PROTOCOL_ERROR
        assert connection.answers(3)


@pytest.mark.row(80)
class TestMessageLimit:
    CAP = 64 << 20

    def test_one_byte_over_is_refused_by_its_prefix(self, server):
        with http2.Connection(server, server.grpc_port) as connection:
            connection.send(connection.grpc(1, LIVE, struct.pack(">BI", 0, self.CAP + 1) + b"x"))
            fields = connection.wait(1)
            assert fields["grpc-status"] == RESOURCE_EXHAUSTED
            assert "larger than max" in fields["grpc-message"]
            assert connection.answers(3) is False  # this port serves gRPC alone

    def test_a_small_message_that_inflates_over_it_is_refused(self, server):
        bomb = gzip.compress(bytes(self.CAP + 1), 9)

        def send():
            with http2.Connection(server) as connection:
                connection.send(connection.grpc(1, LIVE, http2.message(bomb, True), [("grpc-encoding", "gzip")]))
                assert connection.wait(1)["grpc-status"] == RESOURCE_EXHAUSTED
                assert connection.answers(3)

        leaks.repeat(server, send, repeats=20, warm_up=3)


@pytest.mark.row(83)
@pytest.mark.parametrize(
    "path, body, metadata, status",
    [
        pytest.param(LIVE, http2.message(b"12345")[:7], [], INTERNAL, id="cut in the message"),
        pytest.param(LIVE, http2.message(b"")[:3], [], INTERNAL, id="cut in the prefix"),
        pytest.param(LIVE, b"\x02" + http2.message(b"")[1:], [], INTERNAL, id="compressed flag 2"),
        pytest.param(LIVE, http2.message(b"x", True), [], INTERNAL, id="compressed without an encoding"),
        pytest.param(LIVE, http2.message(b"x", True), [("grpc-encoding", "gzip")], INTERNAL, id="no gzip"),
        pytest.param(LIVE, http2.message(b""), [("grpc-encoding", "br")], UNIMPLEMENTED, id="unknown encoding"),
        pytest.param(LIVE, b"", [], UNIMPLEMENTED, id="no message"),
        pytest.param(LIVE, http2.message(b"") * 2, [], UNIMPLEMENTED, id="two messages"),
        pytest.param(LIVE, b"\0\xff\xff\xff\xff", [], RESOURCE_EXHAUSTED, id="length 2^32-1"),
        pytest.param("/inference.GRPCInferenceService/No", http2.message(b""), [], UNIMPLEMENTED, id="method"),
        pytest.param("/none/ServerLive", http2.message(b""), [], UNIMPLEMENTED, id="service"),
        pytest.param("/", http2.message(b""), [], UNIMPLEMENTED, id="no method"),
        pytest.param(LIVE, http2.message(b""), [("grpc-timeout", "1x")], INVALID_ARGUMENT, id="timeout"),
    ],
)
def test_faults_of_a_call_end_it_alone(server, path, body, metadata, status):
    with http2.Connection(server) as connection:
        connection.send(connection.grpc(1, path, body, metadata))
        fields = connection.wait(1)
        assert (fields[":status"], fields["grpc-status"]) == ("200", status)
        connection.send(connection.grpc(3, LIVE, http2.message(b"")))
        assert connection.wait(3)["grpc-status"] == OK
        assert connection.body[3] == http2.message(b"\x08\x01")


@pytest.mark.row(83)
def test_another_content_type_is_no_call(server):
    for port, status in ((server.port, "404"), (server.grpc_port, "415")):
        with http2.Connection(server, port) as connection:
            connection.send(connection.grpc(1, LIVE, http2.message(b""), content_type="application/json"))
            assert connection.wait(1)[":status"] == status


@pytest.mark.row(89)
def test_rapid_reset_ends_the_connection(server):
    before = abuses(server, "resets")
    with http2.Connection(server) as connection:
        reset = struct.pack(">I", http2.CANCEL)
        for first in range(1, 40_001, 400):
            streams = range(first, first + 400, 2)
            attack = (connection.request(s, []) + frame(http2.RST_STREAM, 0, s, reset) for s in streams)
            if not connection.send(b"".join(attack)):
                break
        assert connection.wait_end() in (http2.ENHANCE_YOUR_CALM, None)  # a reset may overtake it
    wait.until(lambda: abuses(server, "resets") == before + 1, "counted")


@pytest.mark.row(90)
def test_faults_that_make_the_server_reset_streams_end_the_connection(server):
    before = abuses(server, "resets")
    with http2.Connection(server) as connection:
        for first in range(1, 40_001, 400):
            # A window of 0 is a fault of the stream.
            attack = (
                connection.request(s, [], False) + frame(http2.WINDOW_UPDATE, 0, s, b"\x7f\xff\xff\xff")
                for s in range(first, first + 400, 2)
            )
            if not connection.send(b"".join(attack)):
                break
        assert connection.wait_end() in (http2.ENHANCE_YOUR_CALM, None)
    wait.until(lambda: abuses(server, "resets") == before + 1, "counted")


@pytest.mark.row(91)
def test_a_flood_of_continuations_ends_the_connection(server):
    with http2.Connection(server) as connection:
        connection.send(headers_block(connection, 1, http2.END_STREAM))
        for _ in range(8):
            connection.send(frame(http2.CONTINUATION, 0, 1))
        for _ in range(1000):
            if not connection.send(frame(http2.CONTINUATION, 0, 1)):
                break
        connection.wait_end()
        assert connection.headers == {}


FLOODS = {
    "settings": frame(http2.SETTINGS),
    "priority": frame(http2.PRIORITY, 0, 3, bytes(5)),
    "empty data": frame(http2.DATA, 0, 1),
    "window update": frame(http2.WINDOW_UPDATE, 0, 0, b"\0\0\0\1"),
    "ping": frame(http2.PING, 0, 0, bytes(8)),
}


@pytest.mark.row(92)
@pytest.mark.parametrize("kind", FLOODS)
def test_a_flood_of_control_frames_ends_the_connection(server, kind):
    with http2.Connection(server) as connection:
        connection.send(connection.request(1, [], False, "POST", "/v2/repository/index"))
        for _ in range(100):
            if not connection.send(FLOODS[kind] * 1000):
                break
        assert connection.wait_end() in (http2.ENHANCE_YOUR_CALM, None)


@pytest.mark.row(93)
class TestHeaderCompression:
    def test_a_bomb_is_cut(self, server):
        before = abuses(server, "headers")
        with http2.Connection(server) as connection:
            head = connection.request(1, [], False)[9:]
            large = b"\x40\x01a" + b"\x7f" + b"\x81\x1e" + b"b" * 3968  # a field of 3968 bytes, into the table
            connection.send(frame(http2.HEADERS, 5, 1, head + large + b"\xbe" * 1000))
            assert connection.wait_end() == http2.ENHANCE_YOUR_CALM
        wait.until(lambda: abuses(server, "headers") == before + 1, "counted")

    def test_a_head_over_the_limit_is_refused(self, server):
        with http2.Connection(server) as connection:
            connection.send(connection.request(1, [(f"x-{i}", "v" * 4000) for i in range(4)] + [("y", "v" * 1000)]))
            assert connection.wait(1)[":status"] == "431"
            assert connection.answers(3)


@pytest.mark.row(94)
def test_streams_beyond_the_limit_are_refused_and_can_be_tried_again(server):
    with http2.Connection(server) as connection:
        # Before the server's settings are acknowledged a client may open more.
        for stream in range(1, 203, 2):
            connection.send(connection.request(stream, [], False, "POST", "/v2/repository/index"))
        connection.wait(201)
        assert connection.errors == {201: http2.REFUSED_STREAM}
        for stream in range(1, 201, 2):
            connection.send(frame(http2.DATA, http2.END_STREAM, stream, b"{}"))
        for stream in range(1, 201, 2):
            assert connection.wait(stream)[":status"] == "200"
        connection.send(connection.request(203, [], True, "POST", "/v2/repository/index"))
        assert connection.wait(203)[":status"] == "200"


@pytest.mark.row(95)
def test_pings_without_data_end_the_connection_after_two_strikes(server):
    with http2.Connection(server) as connection:
        assert connection.answers(1)
        for _ in range(4):
            connection.send(frame(http2.PING, 0, 0, bytes(8)))
        assert connection.wait_end() == http2.ENHANCE_YOUR_CALM


@pytest.mark.row(96)
@pytest.mark.parametrize(
    "metadata, status",
    [
        pytest.param([("a", "x" * 17_000)], RESOURCE_EXHAUSTED, id="17 KiB"),
        pytest.param([(f"a{i}", "x") for i in range(101)], RESOURCE_EXHAUSTED, id="101 fields"),
        pytest.param([("a-bin", "%%%")], INVALID_ARGUMENT, id="no base64"),
        pytest.param([("a-bin", "QQ=A")], INVALID_ARGUMENT, id="padding inside"),
        pytest.param([("a", b"\xc3\xa9")], INVALID_ARGUMENT, id="non-ASCII"),
        pytest.param([("a-bin", "QQ==")], OK, id="good"),
    ],
)
def test_metadata(server, metadata, status):
    with http2.Connection(server) as connection:
        call = connection.grpc(1, LIVE, http2.message(b""), metadata)
        size = int.from_bytes(call[:3], "big")
        if size > 16384:  # one header block, two frames
            head, rest = call[9 : 9 + size], call[9 + size :]
            call = frame(http2.HEADERS, 0, 1, head[:16000]) + frame(http2.CONTINUATION, 4, 1, head[16000:]) + rest
        connection.send(call)
        assert connection.wait(1)["grpc-status"] == status
        assert connection.answers(3)


def _openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=60)


@pytest.fixture(name="identities", scope="session")
def _identities(tmp_path_factory):
    """A root, what it has signed, and what it has not."""
    folder = tmp_path_factory.mktemp("identities")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    for name in ("root", "stranger"):
        _openssl("req", "-x509", *key, "-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.pem", "-days", "2",
                 "-subj", f"/CN={name}")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    # "-days -1" ends before it begins: expired.
    for name, days in (("server", "2"), ("client", "2"), ("expired", "-1")):
        _openssl("req", *key, "-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.csr", "-subj", f"/CN={name}")
        _openssl("x509", "-req", "-in", f"{folder}/{name}.csr", "-CA", f"{folder}/root.pem", "-CAkey",
                 f"{folder}/root.key", "-CAcreateserial", "-out", f"{folder}/{name}.pem", "-days", days, "-extfile",
                 f"{folder}/names")
    return folder


@pytest.fixture(name="mutual_server", scope="module")
def _mutual_server(catalogue_repository, identities):
    from harness import server as server_module  # pylint: disable=import-outside-toplevel

    options = (
        "--grpc-use-ssl-mutual=true",
        f"--grpc-server-cert={identities}/server.pem",
        f"--grpc-server-key={identities}/server.key",
        f"--grpc-root-cert={identities}/root.pem",
    )
    with server_module.running(catalogue_repository, *options) as running:
        yield running


def _wrap(identities, client=None, root="root", version=None):
    context = ssl.create_default_context(cafile=f"{identities}/{root}.pem")
    context.set_alpn_protocols(["h2"])
    if client:
        context.load_cert_chain(f"{identities}/{client}.pem", f"{identities}/{client}.key")
    if version:
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
    return lambda raw: context.wrap_socket(raw, server_hostname="127.0.0.1")


@pytest.mark.row(97)
class TestTls:
    def _call(self, server, wrap):
        with http2.Connection(server, server.grpc_port, wrap=wrap) as connection:
            connection.send(connection.grpc(1, LIVE, http2.message(b"")))
            return connection.wait(1)["grpc-status"]

    def test_a_known_client_is_served(self, mutual_server, identities):
        assert self._call(mutual_server, _wrap(identities, "client")) == OK

    @pytest.mark.parametrize("client", [None, "stranger", "expired"])
    def test_other_clients_fail_the_handshake(self, mutual_server, identities, client):
        # With TLS 1.3 the client hears of it when it reads.
        with pytest.raises((ssl.SSLError, AssertionError, ConnectionError)):
            self._call(mutual_server, _wrap(identities, client))
        assert self._call(mutual_server, _wrap(identities, "client")) == OK

    def test_a_client_that_does_not_know_the_server_goes_away(self, mutual_server, identities):
        with pytest.raises(ssl.SSLError):
            self._call(mutual_server, _wrap(identities, "client", root="stranger"))
        assert self._call(mutual_server, _wrap(identities, "client")) == OK

    @pytest.mark.filterwarnings("ignore::DeprecationWarning")
    def test_tls_1_0_fails_the_handshake(self, mutual_server, identities):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            self._call(mutual_server, _wrap(identities, "client", version=ssl.TLSVersion.TLSv1))

    def test_failures_are_counted_and_logged_once_a_second(self, mutual_server, identities):
        before = prometheus.scrape(mutual_server).total("headrace_tls_handshake_failures_total")
        lines = len([line for line in mutual_server.lines if "TLS handshake failed" in line])
        for _ in range(30):
            with pytest.raises((ssl.SSLError, AssertionError, ConnectionError)):
                self._call(mutual_server, _wrap(identities))
        wait.until(
            lambda: prometheus.scrape(mutual_server).total("headrace_tls_handshake_failures_total") == before + 30,
            "counted",
        )
        logged = len([line for line in mutual_server.lines if "TLS handshake failed" in line]) - lines
        # Once a second and loop, and thirty handshakes take few seconds.
        assert logged <= 20, logged
