"""Catalogue 3.3: the binary tensor extension."""

import json
import struct

import pytest

from harness import leaks, prometheus, raw_http, wait
from harness.table import cases, verdict

BAD = verdict(400)
FOUR = struct.pack("<4f", 1, 2, 3, 4)


def sized(size, dtype="FP32", shape=(4,), name="INPUT0", **more):
    return {"name": name, "shape": list(shape), "datatype": dtype, "parameters": {"binary_data_size": size, **more}}


def head(*inputs, binary_output=True):
    document = {"inputs": list(inputs)}
    if binary_output:
        document["parameters"] = {"binary_data_output": True}
    return json.dumps(document).encode()


HEAD = head(sized(16))


def post(model, body, *lengths):
    """A request with these Inference-Header-Content-Length fields."""
    fields = [("Inference-Header-Content-Length", length) for length in lengths]
    return raw_http.request("POST", f"/v2/models/{model}/infer", body, fields)


def binary(model, json_head, data):
    return post(model, json_head + data, len(json_head))


def element(data):
    return struct.pack("<I", len(data)) + data


def strings(data, count):
    return binary("identity_bytes", head(sized(len(data), "BYTES", [count])), data)


def written(size):
    """A request whose binary_data_size is written as it stands."""
    text = HEAD.replace(b'"binary_data_size": 16', b'"binary_data_size": ' + size)
    assert text != HEAD
    return binary("fixed", text, FOUR)


HEADER_LENGTH = cases(
    68,
    *(
        (f"value-{name}", post("fixed", HEAD + FOUR, value), BAD)
        for name, value in (
            ("11-digits", "99999999999"),
            ("negative", "-1"),
            ("plus", f"+{len(HEAD)}"),
            ("blank-inside", "5 5"),
            ("letter-behind", f"{len(HEAD)}x"),
            ("empty", ""),
            ("hex", hex(len(HEAD))),
            ("fraction", f"{len(HEAD)}.0"),
            ("2-64", str(2**64)),
            ("2-64-and-more", str(2**64 + len(HEAD))),
            ("2-32-and-more", str(2**32 + len(HEAD))),
            ("2-63", str(2**63)),
            ("400-digits", "9" * 400),
            ("list", f"{len(HEAD)}, {len(HEAD)}"),
        )
    ),
    ("twice", post("fixed", HEAD + FOUR, len(HEAD), len(HEAD)), BAD),
    ("twice-different", post("fixed", HEAD + FOUR, len(HEAD), 0), BAD),
)

# (name, request, verdict)
REFUSED = [
    *HEADER_LENGTH,
    *cases(
        69,
        ("beyond-the-body", post("fixed", HEAD + FOUR, len(HEAD + FOUR) + 1), BAD),
        ("the-whole-body", post("fixed", HEAD, len(HEAD)), BAD),
        ("one-short", post("fixed", HEAD + FOUR, len(HEAD) - 1), BAD),
        ("one-long", post("fixed", HEAD + FOUR, len(HEAD) + 1), BAD),
        ("absent", post("fixed", HEAD + FOUR), BAD),
        ("absent-and-no-data", post("fixed", HEAD), BAD),
        ("raw-of-wrong-size", post("fixed", FOUR[:-1], 0), BAD),
        ("raw-of-other-count", post("fixed", FOUR + FOUR, 0), BAD),
        ("raw-of-two-variable-dims", post("matrix", FOUR * 2, 0), BAD),
        ("raw-not-whole-elements", post("identity_fp64", FOUR[:-4], 0), BAD),
        ("raw-and-nothing", post("fixed", b"", 0), BAD),
        ("length-of-empty-body", post("fixed", b"", 5), BAD),
    ),
    *cases(
        70,
        ("negative", written(b"-16"), BAD),
        ("fraction", written(b"16.5"), BAD),
        ("fraction-of-zero", written(b"16.0"), BAD),
        ("exponent", written(b"16e0"), BAD),
        ("text", written(b'"16"'), BAD),
        ("null", written(b"null"), BAD),
        ("2-63", written(b"%d" % 2**63), BAD),
        ("2-64", written(b"%d" % 2**64), BAD),
        ("2-64-and-16", written(b"%d" % (2**64 + 16)), BAD),
        (
            "sum-wraps",
            binary("pair", head(sized(2**64 - 8), sized(24, "INT32", name="INPUT1")), FOUR),
            BAD,
        ),
        (
            "sum-wraps-behind-a-good-one",
            binary("pair", head(sized(16), sized(2**64 - 16, "INT32", name="INPUT1")), FOUR),
            BAD,
        ),
    ),
    *cases(
        71,
        ("short", binary("fixed", head(sized(15)), FOUR[:-1]), BAD),
        ("long", binary("fixed", head(sized(17)), FOUR + b"x"), BAD),
        ("element-short", binary("fixed", head(sized(12)), FOUR[:12]), BAD),
        ("element-long", binary("fixed", head(sized(20)), FOUR + b"abcd"), BAD),
        ("zero", binary("fixed", head(sized(0)), b""), BAD),
        ("some-for-none", binary("identity_fp32", head(sized(4, shape=[0])), FOUR[:4]), BAD),
        (
            "shifted-between-two",
            binary("pair", head(sized(15), sized(5, "INT32", [1], "INPUT1")), FOUR + FOUR[:4]),
            BAD,
        ),
    ),
    *cases(
        72,
        ("one-byte", binary("fixed", HEAD, FOUR + b"x"), verdict(400, text="unexpected additional input data")),
        ("a-tensor", binary("fixed", HEAD, FOUR + FOUR), verdict(400, text="unexpected additional input data")),
        (
            "behind-json-data",
            binary(
                "fixed",
                json.dumps(
                    {"inputs": [{"name": "INPUT0", "shape": [4], "datatype": "FP32", "data": [1, 2, 3, 4]}]}
                ).encode(),
                FOUR,
            ),
            verdict(400, text="unexpected additional input data"),
        ),
    ),
    *cases(
        73,
        ("data-too", binary("fixed", head({**sized(16), "data": [1, 2, 3, 4]}), FOUR), verdict(400, text="only one")),
        (
            "shared-memory-too",
            binary("fixed", head(sized(16, shared_memory_region="r", shared_memory_byte_size=16)), FOUR),
            verdict(400, text="only one"),
        ),
        (
            "all-three",
            binary(
                "fixed",
                head({**sized(16, shared_memory_region="r", shared_memory_byte_size=16), "data": [1, 2, 3, 4]}),
                FOUR,
            ),
            verdict(400, text="only one"),
        ),
        ("none", binary("fixed", head({"name": "INPUT0", "shape": [4], "datatype": "FP32"}), b""), BAD),
    ),
    *cases(
        74,
        ("past-the-end", strings(struct.pack("<I", 5) + b"abcd", 1), BAD),
        ("all-ones", strings(b"\xff\xff\xff\xff" + b"abcd", 1), BAD),
        ("three-stray-bytes", strings(element(b"abc") + b"\x00\x00\x00", 1), BAD),
        ("stray-prefix", strings(element(b"abc") + element(b""), 1), BAD),
        ("count-short", strings(element(b"a") + element(b"b"), 1), BAD),
        ("count-long", strings(element(b"a") + element(b"b"), 3), BAD),
        ("half-a-prefix", strings(b"\x00\x00", 1), BAD),
        ("nothing", strings(b"", 1), BAD),
        ("some-for-none", strings(element(b""), 0), BAD),
        ("count-2-30", strings(element(b""), 2**30), BAD),
        ("wraps", strings(struct.pack("<I", 2**32 - 4) + element(b""), 2), BAD),
    ),
    *cases(
        75,
        ("two-inputs", post("pair", FOUR, 0), verdict(400, text="1 input")),
        ("optional-second", post("optional", FOUR, 0), verdict(400, text="1 input")),
    ),
]


@pytest.mark.parametrize("data, expected", REFUSED)
def test_wrong_binary_requests_are_refused_and_the_connection_goes_on(server, data, expected):
    with raw_http.Connection(server) as connection:
        connection.send(data)
        expected.check(connection.read())
        connection.send(binary("fixed", HEAD, FOUR))
        answer = connection.read()
        assert answer.status == 200 and answer.body.endswith(FOUR)


@pytest.mark.row(78)
@pytest.mark.parametrize("row", range(68, 76))
def test_a_thousand_repeats_leave_no_memory_behind(server, row):
    requests = [case.values[0] for case in REFUSED if case.id.startswith(f"row{row}-")]

    def send_all():
        with raw_http.Connection(server) as connection:
            for one in requests:
                connection.send(one)
                assert connection.read().status == 400

    leaks.repeat(server, send_all, repeats=1000 // len(requests) + 1)


@pytest.mark.row(68)
def test_blanks_around_the_header_are_no_part_of_it(server):
    body = HEAD + FOUR
    field = b"Inference-Header-Content-Length: \t %d \r\n" % len(HEAD)
    data = b"POST /v2/models/fixed/infer HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n" % len(body) + field
    assert raw_http.exchange(server, data + b"\r\n" + body).status == 200


@pytest.mark.row(70)
def test_a_negative_json_size_never_reaches_the_backend(server):
    before = prometheus.scrape(server).value("nv_inference_exec_count", model="fixed")
    for size in (b"-1", b"-9223372036854775808"):
        BAD.check(raw_http.exchange(server, written(size)))
    assert prometheus.scrape(server).value("nv_inference_exec_count", model="fixed") == before


def _outputs(answer):
    """Name -> raw bytes of a binary answer."""
    size = int(answer.headers["inference-header-content-length"])
    assert answer.headers["content-type"] == "application/octet-stream"
    document, rest = json.loads(answer.body[:size]), answer.body[size:]
    outputs = {}
    for output in document["outputs"]:
        count = output["parameters"]["binary_data_size"]
        outputs[output["name"]], rest = rest[:count], rest[count:]
    assert not rest
    return outputs


@pytest.mark.row(76)
class TestChunkedTensors:
    @pytest.mark.parametrize("piece", [1, 3, 7, 61, 1000])
    @pytest.mark.parametrize("padding", range(8))
    def test_odd_chunks_and_unaligned_tensors_give_the_right_answer(self, server, piece, padding):
        values = struct.pack("<60d", *(1.5 * i for i in range(60)))
        json_head = head(sized(len(values), "FP64", [6, 10])) + b" " * padding
        body = json_head + values
        data = (
            b"POST /v2/models/matrix/infer HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
            b"Inference-Header-Content-Length: %d\r\n\r\n" % len(json_head)
        )
        data += raw_http.chunked([body[i : i + piece] for i in range(0, len(body), piece)])
        answer = raw_http.exchange(server, data)
        assert answer.status == 200, answer
        assert _outputs(answer) == {"OUTPUT0": values}

    @pytest.mark.parametrize("offset", range(1, 8))
    def test_a_second_tensor_at_an_odd_offset(self, server, offset):
        floats, numbers = struct.pack("<3f", 1, 2, 3), struct.pack("<2i", -1, 7)
        json_head = head(sized(12, shape=[3]), sized(8, "INT32", [2], "INPUT1")) + b" " * offset
        answer = raw_http.exchange(server, binary("pair", json_head, floats + numbers))
        assert _outputs(answer) == {"OUTPUT0": floats, "OUTPUT1": numbers}

    def test_inputs_in_the_other_order(self, server):
        floats, numbers = struct.pack("<3f", 1, 2, 3), struct.pack("<2i", -1, 7)
        json_head = head(sized(8, "INT32", [2], "INPUT1"), sized(12, shape=[3]))
        answer = raw_http.exchange(server, binary("pair", json_head, numbers + floats))
        assert _outputs(answer) == {"OUTPUT0": floats, "OUTPUT1": numbers}

    def test_json_and_binary_inputs_together(self, server):
        numbers = struct.pack("<2i", -1, 7)
        json_head = head(
            {"name": "INPUT0", "shape": [2], "datatype": "FP32", "data": [1, 2]}, sized(8, "INT32", [2], "INPUT1")
        )
        answer = raw_http.exchange(server, binary("pair", json_head, numbers))
        assert _outputs(answer) == {"OUTPUT0": struct.pack("<2f", 1, 2), "OUTPUT1": numbers}

    def test_large_tensors_in_odd_chunks(self, server):
        values = bytes(range(251)) * 20_000
        json_head = head(sized(len(values), "UINT8", [len(values)]))
        body = json_head + values
        data = (
            b"POST /v2/models/identity_uint8/infer HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
            b"Inference-Header-Content-Length: %d\r\n\r\n" % len(json_head)
        )
        data += raw_http.chunked([body[i : i + 9973] for i in range(0, len(body), 9973)])
        assert _outputs(raw_http.exchange(server, data)) == {"OUTPUT0": values}


@pytest.mark.row(77)
@pytest.mark.parametrize("end", ["reset", "close", "half-close"])
def test_a_body_that_ends_early_is_cancelled_and_nothing_is_queued(server, end):
    def counts():
        page = prometheus.scrape(server)
        return [
            page.value(name, model="pair")
            for name in ("headrace_requests_received_total", "nv_inference_exec_count", "headrace_queue_depth")
        ]

    before = counts()
    floats, numbers = struct.pack("<3f", 1, 2, 3), struct.pack("<2i", -1, 7)
    json_head = head(sized(12, shape=[3]), sized(8, "INT32", [2], "INPUT1"))
    request = binary("pair", json_head, floats + numbers)
    start = len(request) - len(json_head) - 20
    for edge in (start, start + 1, len(request) - 20, len(request) - 19, len(request) - 8, len(request) - 1):
        connection = raw_http.Connection(server)
        connection.send(request[:edge])
        if end == "reset":
            connection.reset()
        elif end == "close":
            connection.close()
        else:
            connection.finish_sending()
            assert all(answer.status in (400, 408) for answer in connection.read_all())
            connection.close()
    wait.until(
        lambda: prometheus.scrape(server).value("headrace_http_connections", listener="http") <= 2,
        "only the canary's connections are left",
    )
    assert counts() == before
