"""Catalogue 3.1: HTTP framing that can be read in two ways is refused, and nothing behind it is executed."""

import json
import struct

import pytest

from harness import leaks, prometheus, raw_http, wait
from harness import server as server_module
from harness.table import cases, verdict

LIVE = b"GET /v2/health/live HTTP/1.1\r\nHost: h\r\n\r\n"
INFER = b"POST /v2/models/fixed/infer HTTP/1.1\r\n"
BODY = json.dumps({"inputs": [{"name": "INPUT0", "shape": [4], "datatype": "FP32", "data": [1, 2, 3, 4]}]}).encode()
BAD = verdict(400)


def post(headers, body=b"", host=b"Host: h\r\n"):
    """An inference request with exactly these header bytes."""
    return INFER + host + headers + b"\r\n" + body


def length(value, body=BODY):
    return post(b"Content-Length: %s\r\n" % value, body)


def chunks(text, extra=b""):
    """A request whose body bytes are `text`, chunked."""
    return post(b"Transfer-Encoding: chunked\r\n" + extra, text)


def coded(value, body=None):
    return post(b"Transfer-Encoding: %s\r\n" % value, raw_http.chunked([BODY]) if body is None else body)


def get(headers, target=b"/v2/health/live", version=b"HTTP/1.1"):
    return b"GET %s %s\r\n%s\r\n" % (target, version, headers)


WHOLE = raw_http.chunked([BODY])
SIZE = b"%x" % len(BODY)
OWN = b"Content-Length: %d\r\n" % len(BODY)

REFUSED = [
    *cases(
        1,
        ("length-first", post(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", WHOLE), BAD),
        ("coding-first", post(b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", WHOLE), BAD),
        ("length-0", post(b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", WHOLE), BAD),
    ),
    *cases(
        2,
        ("small-large", post(b"Content-Length: 5\r\n" + OWN, BODY), BAD),
        ("large-small", post(OWN + b"Content-Length: 5\r\n", BODY), BAD),
    ),
    *cases(
        3,
        ("repeated", post(OWN + OWN, BODY), BAD),
        ("list", length(b"%d, %d" % (len(BODY), len(BODY))), BAD),
        ("list-no-blank", length(b"%d,%d" % (len(BODY), len(BODY))), BAD),
    ),
    *cases(
        4,
        ("alone", length(b""), BAD),
        ("blank", length(b" "), BAD),
        ("before-real", post(b"Content-Length:\r\n" + OWN, BODY), BAD),
        ("after-real", post(OWN + b"Content-Length:\r\n", BODY), BAD),
    ),
    *cases(
        5,
        *(
            (f"value-{value.decode()}", length(value), BAD)
            for value in (b"+5", b"-5", b"0x5", b"1_0", b"5 5", b"1Z", b"5;", b"5.0", b"0b1", b"5,", b"\xb2")
            if value != b"\xb2"
        ),
        ("superscript", length(b"\xb2"), BAD),
    ),
    *cases(
        6,
        ("2-63", length(b"%d" % 2**63, b""), verdict(400, 413)),
        ("2-64", length(b"%d" % 2**64, b""), verdict(400, 413)),
        ("2-64-and-5", length(b"%d" % (2**64 + 5), b"12345"), verdict(400, 413)),
        ("400-digits", length(b"1" + b"0" * 400, b""), verdict(400, 413)),
    ),
    *cases(
        7,
        ("negative", length(b"-1", b""), BAD),
        ("negative-large", length(b"-9223372036854775808", b""), BAD),
    ),
    *cases(
        8,
        *(
            (name, chunks(size + b"\r\n" + BODY + b"\r\n0\r\n\r\n"), BAD)
            for name, size in (
                ("hex-prefix", b"0x" + SIZE),
                ("plus", b"+" + SIZE),
                ("minus-zero", b"-0"),
                ("underscore", SIZE[:1] + b"_" + SIZE[1:]),
                ("blank-before", b" " + SIZE),
                ("blank-behind", SIZE + b" "),
                ("tab-behind", SIZE + b"\t"),
                ("empty", b""),
                ("letters", b"zz"),
            )
        ),
    ),
    *cases(
        9,
        ("16-digits", chunks(b"FFFFFFFFFFFFFFFF\r\nabc"), verdict(400, 413)),
        ("17-digits", chunks(b"10000000000000000\r\nabc"), verdict(400, 413)),
        ("wraps-to-5", chunks(b"10000000000000005\r\nabcde\r\n0\r\n\r\n"), verdict(400, 413)),
        ("sum-wraps", chunks(b"1\r\n{\r\nFFFFFFFFFFFFFFFF\r\n"), verdict(400, 413)),
    ),
    *cases(
        10,
        ("after-size", chunks(SIZE + b"\n" + BODY + b"\r\n0\r\n\r\n"), BAD),
        ("after-data", chunks(SIZE + b"\r\n" + BODY + b"\n0\r\n\r\n"), BAD),
        ("after-last", chunks(SIZE + b"\r\n" + BODY + b"\r\n0\n\r\n"), BAD),
        ("at-end-of-chunks", chunks(SIZE + b"\r\n" + BODY + b"\r\n0\r\n\n"), BAD),
        ("after-header", b"GET /v2 HTTP/1.1\r\nHost: h\n\r\n", BAD),
        ("after-headers", b"GET /v2 HTTP/1.1\r\nHost: h\r\n\n", BAD),
        ("in-request-line", b"GET /v2 HTTP/1.1\nHost: h\r\n\r\n", BAD),
        ("everywhere", b"GET /v2 HTTP/1.1\nHost: h\n\n", BAD),
        ("before-request", b"\nGET /v2 HTTP/1.1\r\nHost: h\r\n\r\n", BAD),
    ),
    *cases(
        11,
        ("in-header", b"GET /v2 HTTP/1.1\r\nHost: h\rX: 1\r\n\r\n", BAD),
        ("in-value", b"GET /v2 HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n", BAD),
        ("end-of-headers", b"GET /v2 HTTP/1.1\r\nHost: h\r\n\rX", BAD),
        ("chunk-line", chunks(SIZE + b"\rX" + BODY + b"\r\n0\r\n\r\n"), BAD),
        ("chunk-data", chunks(SIZE + b"\r\n" + BODY + b"\rX0\r\n\r\n"), BAD),
        ("request-line", b"GET /v2 HTTP/1.1\rHost: h\r\n\r\n", BAD),
        ("double", b"GET /v2 HTTP/1.1\r\r\nHost: h\r\n\r\n", BAD),
    ),
    *cases(
        12,
        ("two-letters", chunks(SIZE + b"\r\n" + BODY + b"XX0\r\n\r\n"), BAD),
        ("letters-behind", chunks(SIZE + b"\r\n" + BODY + b"\r\nXX"), BAD),
        ("one-byte-too-many", chunks(SIZE + b"\r\n" + BODY + b" \r\n0\r\n\r\n"), BAD),
        ("nothing", chunks(SIZE + b"\r\n" + BODY + b"0\r\n\r\n"), BAD),
    ),
    *cases(
        13,
        ("1-mib", chunks(SIZE + b";" + b"a" * (1 << 20) + b"\r\n" + BODY + b"\r\n0\r\n\r\n"), BAD),
        ("257", chunks(SIZE + b";" + b"a" * 300 + b"\r\n" + BODY + b"\r\n0\r\n\r\n"), BAD),
        ("on-last-chunk", chunks(SIZE + b"\r\n" + BODY + b"\r\n0;" + b"a" * 300 + b"\r\n\r\n"), BAD),
        ("cr", chunks(SIZE + b";a\rb\r\n" + BODY + b"\r\n0\r\n\r\n"), BAD),
        ("unbalanced-quote", chunks(SIZE + b';a="b\r\n' + BODY + b"\r\n0\r\n\r\n"), BAD),
    ),
    *cases(
        14,
        ("1-mib", chunks(SIZE + b"\r\n" + BODY + b"\r\n0\r\nX: " + b"a" * (1 << 20) + b"\r\n\r\n"), verdict(400, 431)),
        (
            "many",
            chunks(SIZE + b"\r\n" + BODY + b"\r\n0\r\n" + b"X-Name: value\r\n" * 80_000 + b"\r\n"),
            verdict(400, 431),
        ),
    ),
    *cases(
        15,
        *(
            (name, coded(value), verdict(400, 501))
            for name, value in (
                ("comma-before", b",chunked"),
                ("comma-behind", b"chunked,"),
                ("identity", b"identity"),
                ("chunked-twice-listed", b"chunked, chunked"),
                ("gzip-chunked", b"gzip, chunked"),
                ("chunked-gzip", b"chunked, gzip"),
                ("xchunked", b"xchunked"),
                ("chunkedx", b"chunkedx"),
                ("vertical-tab", b"\x0bchunked"),
                ("no-break-space", b"\xa0chunked"),
                ("quoted", b'"chunked"'),
                ("parameter", b"chunked;q=1"),
                ("empty", b""),
            )
        ),
        (
            "two-fields",
            post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", WHOLE),
            verdict(400, 501),
        ),
        (
            "two-fields-identity",
            post(b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n", WHOLE),
            verdict(400, 501),
        ),
    ),
    *cases(
        16,
        (
            "http-1-0",
            b"POST /v2/models/fixed/infer HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + WHOLE,
            BAD,
        ),
        (
            "http-1-0-keep-alive",
            b"POST /v2/models/fixed/infer HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n" + WHOLE,
            BAD,
        ),
    ),
    *cases(
        17,
        ("blank-before-colon", post(b"Content-Length : %d\r\n" % len(BODY), BODY), BAD),
        ("tab-before-colon", post(b"Content-Length\t: %d\r\n" % len(BODY), BODY), BAD),
        ("first-header-indented", get(b" Host: h\r\n"), BAD),
        ("folded", get(b"Host: h\r\nX: a\r\n b\r\n"), BAD),
        ("folded-tab", get(b"Host: h\r\nX: a\r\n\tb\r\n"), BAD),
        ("folded-length", post(b"Content-Length:\r\n %d\r\n" % len(BODY), BODY), BAD),
        ("no-colon", get(b"Host: h\r\nX\r\n"), BAD),
        ("empty-name", get(b"Host: h\r\n: a\r\n"), BAD),
        ("empty-name-first", get(b": a\r\nHost: h\r\n"), BAD),
    ),
    *cases(
        18,
        *(
            (f"name-{byte:02x}", get(b"Host: h\r\nX%cY: 1\r\n" % byte), BAD)
            for byte in (0x00, 0x0D, 0x0A, 0x7F, 0x01, 0x1F, 0x20, 0x22, 0x28, 0x2C, 0x2F, 0x40, 0x5B, 0x7B, 0x80, 0xFF)
        ),
        *((f"value-{byte:02x}", get(b"Host: h\r\nX: a%cb\r\n" % byte), BAD) for byte in (0x00, 0x0D, 0x0A)),
        *((f"control-{byte:02x}", get(b"Host: h\r\nX: a%cb\r\n" % byte), BAD) for byte in (0x01, 0x0B, 0x1F, 0x7F)),
    ),
    *cases(
        19,
        ("256", get(b"Host: h\r\n" + b"a" * 256 + b": 1\r\n"), verdict(431)),
        ("65535", get(b"Host: h\r\n" + b"a" * 65535 + b": 1\r\n"), verdict(431)),
        ("65536-and-length", get(b"Host: h\r\n" + b"a" * 65536 + b"Content-Length: 1\r\n"), verdict(431)),
    ),
    *cases(
        20,
        ("101-headers", get(b"Host: h\r\n" + b"".join(b"X%d: 1\r\n" % i for i in range(100))), verdict(431)),
        ("33-kib", get(b"Host: h\r\n" + (b"X: " + b"a" * 1000 + b"\r\n") * 34), verdict(431)),
        ("33-kib-one-value", get(b"Host: h\r\nX: " + b"a" * (33 * 1024) + b"\r\n"), verdict(431)),
        ("33-kib-blanks", get(b"Host: h\r\nX:" + b" " * (80 * 1024) + b"a\r\n"), verdict(431)),
        ("9-kib-request-line", get(b"Host: h\r\n", b"/v2?" + b"a" * (9 * 1024)), verdict(414)),
    ),
    *cases(
        21,
        *(
            (name, get(b"Host: h\r\n", version=version), verdict(400, 505))
            for name, version in (
                ("1.32", b"HTTP/1.32"),
                ("1.2", b"HTTP/1.2"),
                ("0.9", b"HTTP/0.9"),
                ("2.0", b"HTTP/2.0"),
                ("3.0", b"HTTP/3.0"),
                ("huge", b"HTTP/4294967295.255"),
                ("wraps-to-1.1", b"HTTP/4294967297.257"),
                ("cr-cr", b"HTTP/\r\r1.1"),
                ("lower-case", b"http/1.1"),
                ("one-number", b"HTTP/1"),
                ("comma", b"HTTP/1,1"),
                ("blank", b"HTTP /1.1"),
                ("other-protocol", b"RTSP/1.1"),
            )
        ),
        ("no-version", b"GET /v2\r\nHost: h\r\n\r\n", verdict(400, 505)),
        ("quoted-method", b'"GET" /v2 HTTP/1.1\r\nHost: h\r\n\r\n', verdict(400, 501)),
        ("lower-case-method", b"get /v2 HTTP/1.1\r\nHost: h\r\n\r\n", verdict(400, 405, 501)),
        ("unknown-method", b"BREW /v2 HTTP/1.1\r\nHost: h\r\n\r\n", verdict(400, 405, 501)),
        ("empty-method", b" /v2 HTTP/1.1\r\nHost: h\r\n\r\n", BAD),
    ),
    *cases(
        23,
        ("none", b"GET /v2 HTTP/1.1\r\n\r\n", BAD),
        ("none-with-others", b"GET /v2 HTTP/1.1\r\nX: 1\r\n\r\n", BAD),
        ("two", get(b"Host: a\r\nHost: b\r\n"), BAD),
        ("two-equal", get(b"Host: a\r\nHost: a\r\n"), BAD),
        ("blank-inside", get(b"Host: a b\r\n"), BAD),
        ("tab-inside", get(b"Host: a\tb\r\n"), BAD),
        ("list", get(b"Host: a, b\r\n"), BAD),
        ("slash", get(b"Host: a/b\r\n"), BAD),
        ("user", get(b"Host: a@b\r\n"), BAD),
    ),
]


def executed(server):
    """How often the model that these requests name has been executed."""
    return prometheus.scrape(server).value("nv_inference_exec_count", model="fixed")


@pytest.mark.parametrize("data, expected", REFUSED)
def test_framing_is_refused_and_nothing_behind_it_is_answered(server, data, expected):
    before = executed(server)
    answers = raw_http.answers_until_close(server, data + LIVE)
    assert len(answers) == 1, answers
    expected.check(answers[0])
    assert answers[0].headers.get("connection", "").lower() == "close"
    assert executed(server) == before


@pytest.mark.parametrize("row", sorted({case.id.split("-")[0] for case in REFUSED}))
def test_framing_leaves_no_memory_behind(server, row):
    data = [case.values[0] + LIVE for case in REFUSED if case.id.split("-")[0] == row]

    def send_all():
        for one in data:
            raw_http.answers_until_close(server, one)

    large = sum(len(one) for one in data) > 1 << 20
    leaks.repeat(server, send_all, repeats=20 if large else 100)


ACCEPTED = [
    *cases(
        5,
        ("leading-zero", length(b"0%d" % len(BODY))),
        ("many-leading-zeros", length(b"0" * 100 + b"%d" % len(BODY))),
        ("blanks-around", post(b"Content-Length: \t %d \t\r\n" % len(BODY), BODY)),
        ("no-blank", post(b"Content-Length:%d\r\n" % len(BODY), BODY)),
    ),
    *cases(
        8,
        ("leading-zeros", chunks(b"000" + SIZE + b"\r\n" + BODY + b"\r\n0\r\n\r\n")),
        ("upper-case", chunks(SIZE.upper() + b"\r\n" + BODY + b"\r\n0\r\n\r\n")),
        ("many-zeros-at-end", chunks(SIZE + b"\r\n" + BODY + b"\r\n000\r\n\r\n")),
    ),
    *cases(
        13,
        ("short", chunks(SIZE + b";name=value\r\n" + BODY + b"\r\n0\r\n\r\n")),
        ("quoted", chunks(SIZE + b';name="a b"\r\n' + BODY + b"\r\n0\r\n\r\n")),
    ),
    *cases(15, ("case-does-not-count", coded(b"CHUNKED")), ("blanks-around", coded(b" chunked "))),
    *cases(18, ("value-of-high-bytes", post(b"X: \x80\xff\r\n" + OWN, BODY))),
    *cases(19, ("255", post(b"a" * 255 + b": 1\r\n" + OWN, BODY))),
    *cases(20, ("100-headers", post(b"".join(b"X%d: 1\r\n" % i for i in range(98)) + OWN, BODY))),
    *cases(23, ("port", post(OWN, BODY, b"Host: [::1]:8000\r\n")), ("empty", post(OWN, BODY, b"Host:\r\n"))),
]


@pytest.mark.parametrize("data", ACCEPTED)
def test_framing_at_the_edge_of_the_rules_is_accepted(server, data):
    with raw_http.Connection(server) as connection:
        connection.send(data + LIVE)
        first, second = connection.read(), connection.read()
    assert first.status == 200 and first.json()["outputs"][0]["data"] == [1, 2, 3, 4]
    assert second.status == 200


@pytest.mark.parametrize(
    "trailer",
    cases(
        14,
        ("content-length", b"Content-Length: 5\r\n"),
        ("authorization", b"Authorization: Bearer x\r\n"),
        ("transfer-encoding", b"Transfer-Encoding: chunked\r\n"),
        ("encoding", b"Content-Encoding: gzip\r\n"),
        ("harmless", b"X-Sum: 1\r\n"),
    ),
)
def test_trailers_are_never_merged_into_the_head(server, trailer):
    body = SIZE + b"\r\n" + BODY + b"\r\n0\r\n" + trailer + b"\r\n"
    with raw_http.Connection(server) as connection:
        connection.send(chunks(body) + LIVE)
        first = connection.read()
        if first.status == 200:
            assert first.json()["outputs"][0]["data"] == [1, 2, 3, 4]
            assert connection.read().status == 200
        else:
            BAD.check(first)
            assert connection.closed_by_server()


TARGETS = cases(
    22,
    *(
        (name, target, method)
        for name, target, method in (
            ("absolute-form", b"http://h/v2/health/live", b"GET"),
            ("absolute-form-other-host", b"http://example.com/v2", b"GET"),
            ("authority-form", b"h:80", b"GET"),
            ("asterisk", b"*", b"GET"),
            ("asterisk-options", b"*", b"OPTIONS"),
            ("double-slash", b"//v2/health/live", b"GET"),
            ("double-slash-inside", b"/v2//health/live", b"GET"),
            ("dot-dot", b"/v2/../v2/health/live", b"GET"),
            ("dot", b"/v2/./health/live", b"GET"),
            ("encoded-dot-dot", b"/v2/%2e%2e/v2/health/live", b"GET"),
            ("encoded-slash", b"/v2%2fhealth/live", b"GET"),
            ("encoded-slash-in-name", b"/v2/models/a%2fb", b"GET"),
            ("encoded-letters", b"/v2/%68ealth/live", b"GET"),
            ("nul", b"/v2/models/fixed%00", b"GET"),
            ("bad-escape", b"/v2/%zz", b"GET"),
            ("half-escape", b"/v2/%2", b"GET"),
            ("fragment", b"/v2#x", b"GET"),
            ("no-slash", b"v2", b"GET"),
            ("backslash", b"\\v2", b"GET"),
            ("8-kib-query", b"/v2/health/live?" + b"a" * 8192, b"GET"),
            ("matrix-parameter", b"/v2;x=1", b"GET"),
            ("parent-of-everything", b"/../../../../etc/passwd", b"GET"),
            ("double-encoded", b"/v2/%252e%252e/v2", b"GET"),
            ("absolute-infer", b"http://h/v2/models/fixed/infer", b"POST"),
        )
    ),
)


@pytest.mark.parametrize("target, method", TARGETS)
def test_unusual_targets_reach_no_endpoint(server, target, method):
    data = method + b" " + target + b" HTTP/1.1\r\nHost: h\r\n\r\n"
    allowed = (400, 404, 414) if method != b"OPTIONS" else (400, 404, 405)
    verdict(*allowed).check(raw_http.exchange(server, data))


@pytest.mark.row(22)
def test_a_query_does_not_change_the_endpoint(server):
    assert raw_http.exchange(server, get(b"Host: h\r\n", b"/v2?a=b&c=%20")).json()["name"]


@pytest.mark.row(24)
@pytest.mark.parametrize(
    "target, status", [("/v2/health/live", 200), ("/nothing", 404), ("/v2/models/fixed/infer", 405)]
)
def test_a_body_of_a_get_is_never_the_next_request(server, target, status):
    body = b"GET /v2/mo"
    data = b"GET %s HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n%s" % (target.encode(), body)
    with raw_http.Connection(server) as connection:
        connection.send(data + LIVE)
        assert connection.read().status in (status, 400)
        try:
            assert connection.read().status == 200
        except ConnectionError:
            return
        connection.send(LIVE)
        assert connection.read().status == 200


@pytest.mark.row(25)
@pytest.mark.parametrize(
    "garbage", [b"\x00\x01\x02\x03garbage\r\n\r\n", b"}{\r\n\r\n", bytes(range(128, 256)) + b"\r\n\r\n"]
)
def test_garbage_behind_a_valid_request_ends_the_connection_after_its_answer(server, garbage):
    answers = raw_http.answers_until_close(server, length(b"%d" % len(BODY)) + garbage)
    assert [answer.status for answer in answers][0] == 200
    assert answers[0].json()["outputs"][0]["data"] == [1, 2, 3, 4]
    assert len(answers) == 2
    BAD.check(answers[1])


@pytest.mark.row(26)
def test_pipelined_requests_are_answered_in_order(server):
    models = ["identity_fp32", "identity_int64", "slow", "batched", "pair", "nothing"]
    requests, expected = b"", []
    for i in range(100):
        model = "slow" if i == 50 else models[i % len(models)]
        if model == "slow" and i != 50:
            model = "identity_fp32"
        dtype = "INT64" if model == "identity_int64" else "FP32"
        shape = [1, 2] if model == "batched" else [2]
        inputs = [{"name": "INPUT0", "shape": shape, "datatype": dtype, "data": [i, i + 1]}]
        if model == "pair":
            inputs.append({"name": "INPUT1", "shape": [1], "datatype": "INT32", "data": [i]})
        body = json.dumps({"id": f"request-{i}", "inputs": inputs}).encode()
        requests += raw_http.request("POST", f"/v2/models/{model}/infer", body)
        expected.append((model, i))
    with raw_http.Connection(server) as connection:
        connection.send(requests)
        for model, i in expected:
            answer = connection.read()
            if model == "nothing":
                assert answer.status == 404
            else:
                document = answer.json()
                assert (document["id"], document["model_name"]) == (f"request-{i}", model)
                assert document["outputs"][0]["data"] == [i, i + 1]
        connection.send(LIVE)
        assert connection.read().status == 200


@pytest.mark.row(27)
class TestExpect:
    def test_too_large_a_body_is_refused_before_it_is_sent(self, small_cap_server):
        with raw_http.Connection(small_cap_server) as connection:
            connection.send(post(b"Expect: 100-continue\r\nContent-Length: %d\r\n" % (1 << 30)))
            answer = connection.read()
            verdict(413).check(answer)
            assert connection.closed_by_server()

    def test_an_unknown_expectation_is_refused(self, server):
        answers = raw_http.answers_until_close(server, post(b"Expect: 200-ok\r\n" + OWN, BODY))
        assert len(answers) == 1
        verdict(417).check(answers[0])

    def test_a_body_is_asked_for(self, server):
        with raw_http.Connection(server) as connection:
            connection.send(post(b"Expect: 100-continue\r\n" + OWN))
            interim = connection.read(head_only=True)
            assert interim.status == 100
            connection.send(BODY)
            assert connection.read().json()["outputs"][0]["data"] == [1, 2, 3, 4]

    def test_an_unknown_model_is_refused_without_its_body(self, server):
        with raw_http.Connection(server) as connection:
            head = b"POST /v2/models/nothing/infer HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
            connection.send(head + b"Content-Length: 1000000\r\n\r\n")
            verdict(404).check(connection.read())


ENDPOINTS = (
    ("/v2", "GET"),
    ("/v2/health/live", "GET"),
    ("/v2/health/ready", "GET"),
    ("/v2/models/fixed", "GET"),
    ("/v2/models/fixed/versions/1", "GET"),
    ("/v2/models/fixed/ready", "GET"),
    ("/v2/models/fixed/config", "GET"),
    ("/v2/models/stats", "GET"),
    ("/v2/models/fixed/stats", "GET"),
    ("/v2/models/fixed/infer", "POST"),
    ("/v2/models/fixed/versions/1/infer", "POST"),
    ("/v2/repository/index", "POST"),
    ("/v2/repository/models/fixed/load", "POST"),
    ("/v2/repository/models/fixed/unload", "POST"),
    ("/v2/systemsharedmemory/status", "GET"),
    ("/v2/systemsharedmemory/region/r/register", "POST"),
    ("/v2/systemsharedmemory/unregister", "POST"),
    ("/v2/cudasharedmemory/status", "GET"),
    ("/v2/cudasharedmemory/region/r/register", "POST"),
    ("/v2/cudasharedmemory/unregister", "POST"),
)


@pytest.mark.row(28)
@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "DELETE", "TRACE", "PATCH", "GET", "POST"])
def test_methods_that_an_endpoint_does_not_have_are_refused(server, method):
    before = executed(server)
    with raw_http.Connection(server) as connection:
        for path, allowed in ENDPOINTS:
            if method == allowed:
                continue
            body = BODY if method in ("PUT", "DELETE", "POST", "PATCH") else b""
            connection.send(raw_http.request(method, path, body))
            answer = connection.read(head_only=method == "HEAD")
            assert answer.status == 405, (method, path, answer)
            assert allowed in answer.headers["allow"]
            if method != "HEAD":
                assert answer.json()["error"] == "Method Not Allowed"
    assert executed(server) == before


@pytest.mark.row(28)
def test_connect_is_refused(server):
    for path, _ in ENDPOINTS:
        answer = raw_http.exchange(server, b"CONNECT %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path.encode())
        assert answer.status in (400, 405), answer
    assert raw_http.exchange(server, b"CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n").status in (400, 404, 405)


@pytest.mark.row(29)
class TestManyChunks:
    def test_a_million_one_byte_chunks_are_cut_and_cost_nothing(self, server):
        data = chunks(b"1\r\n \r\n" * 1_000_000)

        def send():
            answers = raw_http.answers_until_close(server, data)
            # A reset may overtake the answer when the client goes on sending behind it.
            assert not answers or (len(answers) == 1 and answers[0].status == 400), answers

        leaks.repeat(server, send, warm_up=3)

    def test_one_chunk_too_many_is_refused(self, server):
        verdict(400, text="chunk").check(raw_http.answers_until_close(server, chunks(b"1\r\n \r\n" * 65_537))[0])

    def test_the_largest_count_is_accepted(self, server):
        body = BODY + b" " * (65_536 - len(BODY))
        answer = raw_http.exchange(server, chunks(b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"))
        assert answer.status == 200, answer


@pytest.mark.row(33)
@pytest.mark.parametrize("model", ["fixed", "slow"])
def test_a_client_that_has_finished_sending_gets_its_answer(server, model):
    body = BODY
    with raw_http.Connection(server) as connection:
        connection.send(raw_http.request("POST", f"/v2/models/{model}/infer", body))
        connection.finish_sending()
        answers = connection.read_all()
    assert [answer.status for answer in answers] == [200]
    assert answers[0].json()["outputs"][0]["data"] == [1, 2, 3, 4]


def padded(size):
    """An inference body of exactly `size` bytes."""
    return BODY + b" " * (size - len(BODY))


@pytest.mark.row(35)
class TestBodyCap:
    CAP = 1 << 20

    def test_one_byte_over_is_refused_at_the_head(self, small_cap_server):
        with raw_http.Connection(small_cap_server) as connection:
            connection.send(post(b"Content-Length: %d\r\n" % (self.CAP + 1)))
            verdict(413).check(connection.read())
            assert connection.closed_by_server()

    def test_one_byte_over_in_chunks_is_refused(self, small_cap_server):
        body = padded(self.CAP + 1)
        answers = raw_http.answers_until_close(
            small_cap_server, chunks(raw_http.chunked([body[: self.CAP], body[self.CAP :]])) + LIVE
        )
        assert len(answers) == 1
        verdict(413).check(answers[0])

    @pytest.mark.parametrize("less", [0, 1])
    def test_up_to_the_cap_is_served(self, small_cap_server, less):
        body = padded(self.CAP - less)
        assert raw_http.exchange(small_cap_server, length(b"%d" % len(body), body)).status == 200
        pieces = [body[i : i + 10_000] for i in range(0, len(body), 10_000)]
        assert raw_http.exchange(small_cap_server, chunks(raw_http.chunked(pieces))).status == 200

    def test_no_memory_stays(self, small_cap_server):
        body = padded(self.CAP + 1)

        def send():
            raw_http.answers_until_close(small_cap_server, length(b"%d" % len(body), body))
            raw_http.answers_until_close(small_cap_server, chunks(raw_http.chunked([body])))

        leaks.repeat(small_cap_server, send)


SPLITTING = "x\r\nInjected: yes\r\n\r\nHTTP/1.1 200 OK"


@pytest.mark.row(40)
class TestResponseSplitting:
    @staticmethod
    def _check(answers):
        for answer in answers:
            assert "injected" not in answer.headers
            assert answer.status in (400, 404, 505), answer
            answer.json()
        assert answers

    def test_by_the_request_id(self, server):
        document = json.loads(BODY)
        document["id"] = SPLITTING
        self._check([raw_http.infer_json(server, "fixed", document)])

    @pytest.mark.parametrize("escape", ["%0d%0a", "%0D%0AInjected:%20yes"])
    def test_by_the_model_name(self, server, escape):
        target = f"/v2/models/x{escape}/infer"
        self._check([raw_http.call(server, "POST", target, BODY)])

    def test_by_raw_bytes_in_the_target(self, server):
        self._check(
            raw_http.answers_until_close(server, b"GET /v2/models/x\r\nInjected: yes HTTP/1.1\r\nHost: h\r\n\r\n")
        )

    def test_by_a_parameter(self, server):
        document = json.loads(BODY)
        document["parameters"] = {SPLITTING: "value"}
        self._check([raw_http.infer_json(server, "fixed", document)])

    def test_by_an_input_name(self, server):
        document = json.loads(BODY)
        document["inputs"][0]["name"] = SPLITTING
        self._check([raw_http.infer_json(server, "fixed", document)])

    def test_by_an_echoed_encoding(self, server):
        headers = [("Content-Encoding", "x"), ("Accept-Encoding", "gzip;q=0, x-injected")]
        answer = raw_http.infer_json(server, "fixed", BODY, headers)
        assert answer.status == 415 and "injected" not in str(answer.headers).lower()


def client_hello():
    """A TLS 1.2 ClientHello of ordinary form."""
    ciphers = struct.pack(">4H", 0xC02F, 0xC030, 0x009C, 0x002F)
    body = b"\x03\x03" + bytes(range(32)) + b"\x00" + struct.pack(">H", len(ciphers)) + ciphers + b"\x01\x00\x00\x00"
    message = b"\x01" + struct.pack(">I", len(body))[1:] + body
    return b"\x16\x03\x01" + struct.pack(">H", len(message)) + message


@pytest.mark.row(41)
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(client_hello(), id="tls"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSX\r\n\r\n", id="no-http2"),
        pytest.param(b"\x80\x2e\x01\x00\x02", id="ssl2"),
        pytest.param(b"SSH-2.0-client\r\n\r\n", id="ssh"),
    ],
)
def test_other_protocols_are_cut(server, data):
    answers = raw_http.answers_until_close(server, data)
    assert len(answers) <= 1
    for answer in answers:
        assert answer.status in (400, 505), answer


@pytest.mark.row(42)
class TestSplits:
    def test_any_split_point_gives_the_same_answer(self, server):
        filler = b"X-Filler: " + b"a" * (300 - len(length(b"%d" % len(BODY))) - 12) + b"\r\n"
        data = post(filler + OWN, BODY)
        assert len(data) == 300
        whole = raw_http.exchange(server, data)
        assert whole.status == 200
        for split in range(1, len(data)):
            with raw_http.Connection(server) as connection:
                connection.send(data[:split])
                connection.send(data[split:])
                answer = connection.read()
                assert (answer.status, answer.body) == (whole.status, whole.body), split

    def test_any_split_point_of_a_chunked_request_gives_the_same_answer(self, server):
        data = chunks(raw_http.chunked([BODY[:40], BODY[40:41], BODY[41:]], b";x=y"))
        whole = raw_http.exchange(server, data)
        assert whole.status == 200
        with raw_http.Connection(server) as connection:
            for split in range(1, len(data)):
                connection.send(data[:split])
                connection.send(data[split:])
                assert connection.read().body == whole.body, split

    def test_a_mebibyte_byte_by_byte_gives_the_same_answer(self, server):
        size = (1 << 20) if not server_module.is_sanitized() else (1 << 17)
        body = padded(size)
        data = memoryview(length(b"%d" % len(body), body))
        with raw_http.Connection(server) as connection:
            for i in range(len(data)):
                connection.send(data[i : i + 1])
            answer = connection.read()
        assert answer.body == raw_http.exchange(server, bytes(data)).body
        assert answer.status == 200
