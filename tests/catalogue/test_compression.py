"""Catalogue 3.1: compressed bodies."""

import gzip
import json
import zlib

import pytest

from harness import leaks, raw_http, resources
from harness import server as server_module
from harness.table import cases, verdict

DOCUMENT = {"inputs": [{"name": "INPUT0", "shape": [4], "datatype": "FP32", "data": [1, 2, 3, 4]}]}
BODY = json.dumps(DOCUMENT).encode()
ZIPPED = gzip.compress(BODY, mtime=0)
MIB = 1 << 20


def infer(server, body, encoding, headers=()):
    return raw_http.infer_json(server, "fixed", body, [("Content-Encoding", encoding), *headers])


@pytest.mark.row(36)
@pytest.mark.parametrize("encoding, compress", [("gzip", gzip.compress), ("deflate", zlib.compress)])
class TestBombs:
    def test_over_the_cap_is_refused_within_little_memory(self, small_cap_server, encoding, compress):
        self._check(small_cap_server, compress(BODY + b" " * (64 * MIB)), encoding, MIB + 8 * MIB)

    def test_a_thousand_to_one_is_refused_before_the_cap(self, server, encoding, compress):
        self._check(server, compress(BODY + b" " * (128 * MIB)), encoding, 64 * MIB + 8 * MIB)

    @staticmethod
    def _check(server, body, encoding, growth_max):
        verdict(413).check(infer(server, body, encoding))  # one round to warm the pools up
        before = resources.restart_peak(server.pid)
        verdict(413).check(infer(server, body, encoding))
        if not server_module.is_sanitized():
            assert resources.peak_resident_bytes(server.pid) - before < growth_max

    def test_up_to_the_cap_is_served(self, small_cap_server, encoding, compress):
        body = compress(BODY + b" " * (MIB - len(BODY)))
        assert infer(small_cap_server, body, encoding).status == 200
        verdict(413).check(infer(small_cap_server, compress(BODY + b" " * (MIB + 1 - len(BODY))), encoding))

    def test_nothing_stays(self, small_cap_server, encoding, compress):
        body = compress(BODY + b" " * (4 * MIB))
        leaks.repeat(small_cap_server, lambda: infer(small_cap_server, body, encoding))


def _damaged(position):
    return ZIPPED[:position] + bytes([ZIPPED[position] ^ 0xFF]) + ZIPPED[position + 1 :]


DAMAGED = cases(
    37,
    ("truncated-trailer", "gzip", ZIPPED[:-1]),
    ("truncated-data", "gzip", ZIPPED[: len(ZIPPED) // 2]),
    ("truncated-header", "gzip", ZIPPED[:5]),
    ("header-only", "gzip", ZIPPED[:10]),
    ("bad-crc", "gzip", _damaged(len(ZIPPED) - 8)),
    ("bad-size", "gzip", _damaged(len(ZIPPED) - 4)),
    ("bad-magic", "gzip", _damaged(0)),
    ("bad-method", "gzip", _damaged(2)),
    ("bad-flags", "gzip", _damaged(3)),
    ("trailing-junk", "gzip", ZIPPED + b"junk"),
    ("trailing-zero", "gzip", ZIPPED + b"\x00"),
    ("two-members", "gzip", ZIPPED + ZIPPED),
    ("empty-member-behind", "gzip", ZIPPED + gzip.compress(b"", mtime=0)),
    ("zlib-said-gzip", "gzip", zlib.compress(BODY)),
    ("gzip-said-deflate", "deflate", ZIPPED),
    ("raw-deflate", "deflate", zlib.compress(BODY)[2:-4]),
    ("zlib-bad-sum", "deflate", zlib.compress(BODY)[:-1] + b"\x00"),
    ("zlib-truncated", "deflate", zlib.compress(BODY)[:-5]),
    ("zlib-trailing", "deflate", zlib.compress(BODY) + b"x"),
    ("zlib-dictionary", "deflate", b"\x78\xbb\x00\x00\x00\x01" + zlib.compress(BODY)[2:]),
    ("plain", "gzip", BODY),
    ("zipped-twice", "gzip", gzip.compress(ZIPPED, mtime=0)),
)


@pytest.mark.parametrize("encoding, body", DAMAGED)
def test_damaged_bodies_are_refused(server, encoding, body):
    verdict(400).check(infer(server, body, encoding))


@pytest.mark.row(37)
def test_an_empty_body_is_refused(server):
    verdict(400).check(infer(server, b"", "gzip"))


@pytest.mark.row(37)
def test_damaged_bodies_leave_no_memory_behind(server):
    def send_all():
        for case in DAMAGED:
            infer(server, case.values[1], case.values[0])

    leaks.repeat(server, send_all)


@pytest.mark.row(37)
def test_truncation_at_every_byte_is_refused(server):
    with raw_http.Connection(server) as connection:
        for size in range(1, len(ZIPPED)):
            connection.send(
                raw_http.request("POST", "/v2/models/fixed/infer", ZIPPED[:size], [("Content-Encoding", "gzip")])
            )
            verdict(400).check(connection.read())


@pytest.mark.parametrize(
    "encoding",
    cases(
        38,
        ("twice", "gzip, gzip"),
        ("gzip-deflate", "gzip, deflate"),
        ("brotli", "br"),
        ("zstd", "zstd"),
        ("compress", "compress"),
        ("unknown", "x"),
        ("parameter", "gzip;q=1"),
    ),
)
def test_other_encodings_are_unsupported(server, encoding):
    for body in (BODY, ZIPPED, BODY + b" " * (128 * 1024)):
        answer = infer(server, body, encoding)
        verdict(415).check(answer)
        assert answer.headers["accept-encoding"] == "gzip, deflate"


@pytest.mark.row(38)
def test_two_encoding_fields_are_unsupported(server):
    verdict(415).check(infer(server, ZIPPED, "gzip", [("Content-Encoding", "gzip")]))


@pytest.mark.row(38)
@pytest.mark.parametrize(
    "encoding, body", [("identity", BODY), ("", BODY), ("gzip", ZIPPED), ("deflate", zlib.compress(BODY))]
)
def test_known_encodings_are_served(server, encoding, body):
    answer = infer(server, body, encoding)
    assert answer.status == 200 and answer.json()["outputs"][0]["data"] == [1, 2, 3, 4]


def decoded(answer):
    encoding = answer.headers.get("content-encoding", "identity")
    if encoding == "gzip":
        return gzip.decompress(answer.body)
    if encoding == "deflate":
        return zlib.decompress(answer.body)
    assert encoding == "identity"
    return answer.body


@pytest.mark.parametrize(
    "accept, encodings",
    cases(
        39,
        ("gzip-q0", "gzip;q=0", ("identity",)),
        ("all-q0", "gzip;q=0, deflate;q=0.000", ("identity",)),
        ("star-q0", "*;q=0", ("identity",)),
        ("identity-q0", "identity;q=0", ("identity", "gzip", "deflate")),
        ("garbage", ";;;q=,,,=", ("identity",)),
        ("garbage-q", "gzip;q=abc", ("identity", "gzip")),
        ("huge-q", "gzip;q=99999999999999999999", ("identity", "gzip")),
        ("negative-q", "gzip;q=-1", ("identity", "gzip")),
        ("unknown", "br, zstd", ("identity",)),
        ("8-kib", "a," * 4096, ("identity",)),
        ("8-kib-of-q", "gzip;" + "q=0;" * 2000, ("identity", "gzip")),
        ("high-bytes", "\x80\xff", ("identity",)),
        ("empty", "", ("identity",)),
        ("gzip", "gzip", ("gzip",)),
        ("upper-case", "GZIP", ("gzip",)),
        ("deflate", "deflate", ("deflate",)),
        ("higher-q-wins", "gzip;q=0.5, deflate;q=0.8", ("deflate",)),
        ("gzip-wins", "deflate;q=0.1,gzip;q=0.2", ("gzip",)),
    ),
)
def test_accept_encoding_never_gives_garbage(server, accept, encodings):
    answer = raw_http.infer_json(server, "fixed", BODY, [("Accept-Encoding", accept)])
    if answer.status == 406:
        return
    assert answer.status == 200
    assert answer.headers.get("content-encoding", "identity") in encodings
    assert json.loads(decoded(answer))["outputs"][0]["data"] == [1, 2, 3, 4]
