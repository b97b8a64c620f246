"""Catalogue 3.2: JSON and the meaning of v2 requests."""

import json
import re
import struct
import threading

import numpy
import pytest

from harness import leaks, models, prometheus, raw_http, wait
from harness import server as server_module
from harness.table import cases, verdict

BAD = verdict(400)
MIB = 1 << 20


def tensor(data, dtype="FP32", shape=None, name="INPUT0", **more):
    return {"name": name, "shape": [len(data)] if shape is None else shape, "datatype": dtype, "data": data, **more}


def request(*inputs, **more):
    return {"inputs": list(inputs), **more}


def literal(data, dtype="FP32", shape="[1]"):
    """A request whose data is written as it stands."""
    return b'{"inputs":[{"name":"INPUT0","shape":%s,"datatype":"%s","data":%s}]}' % (
        shape.encode(),
        dtype.encode(),
        data if isinstance(data, bytes) else data.encode(),
    )


FIXED = request(tensor([1, 2, 3, 4]))
BODY = json.dumps(FIXED).encode()
DTYPE_RANGES = {
    "INT8": (-128, 127),
    "INT16": (-(2**15), 2**15 - 1),
    "INT32": (-(2**31), 2**31 - 1),
    "INT64": (-(2**63), 2**63 - 1),
    "UINT8": (0, 255),
    "UINT16": (0, 2**16 - 1),
    "UINT32": (0, 2**32 - 1),
    "UINT64": (0, 2**64 - 1),
}


def nested(depth, innermost=b"1"):
    return b"[" * depth + innermost + b"]" * depth


def with_member(name, value):
    """BODY with one more member, written as it stands."""
    return BODY[:-1] + b',"%s":%s}' % (name.encode(), value)


DEEP = 250_000

# (name, model, body, verdict)
REFUSED = [
    *cases(
        43,
        ("empty", "fixed", b"", BAD),
        ("null", "fixed", b"null", BAD),
        ("array", "fixed", b"[]", BAD),
        ("number", "fixed", b"42", BAD),
        ("string", "fixed", b'"text"', BAD),
        ("true", "fixed", b"true", BAD),
        ("blanks", "fixed", b"   \r\n\t ", BAD),
        ("empty-object", "fixed", b"{}", verdict(400, text="inputs")),
        ("behind-the-end", "fixed", BODY + b"x", BAD),
        ("two-documents", "fixed", BODY + BODY, BAD),
        ("trailing-comma", "fixed", BODY[:-1] + b",}", BAD),
        ("comment", "fixed", b"/**/" + BODY, BAD),
        ("single-quotes", "fixed", BODY.replace(b'"', b"'"), BAD),
        ("no-quotes", "fixed", BODY.replace(b'"inputs"', b"inputs"), BAD),
        ("no-colon", "fixed", BODY.replace(b'"inputs":', b'"inputs" '), BAD),
    ),
    *cases(
        44,
        ("member-64-deep", "fixed", with_member("x", nested(64)), BAD),
        ("member-250000-deep", "fixed", with_member("x", nested(DEEP)), BAD),
        ("member-objects-250000-deep", "fixed", with_member("x", b'{"a":' * DEEP + b"1" + b"}" * DEEP), BAD),
        ("data-65-deep", "identity_fp32", literal(nested(65)), BAD),
        ("data-250000-deep", "identity_fp32", literal(nested(DEEP)), BAD),
        ("data-250000-open", "identity_fp32", literal(b"[" * DEEP), BAD),
        ("parameters-65-deep", "fixed", with_member("parameters", b'{"x":' + nested(65) + b"}"), BAD),
        ("parameters-250000-deep", "fixed", with_member("parameters", b'{"x":' + nested(DEEP) + b"}"), BAD),
        ("inputs-250000-deep", "fixed", b'{"inputs":' + nested(DEEP) + b"}", BAD),
        ("whole-250000-deep", "fixed", nested(DEEP), BAD),
    ),
    *cases(
        45,
        ("key-twice", "fixed", BODY[:-1] + b"," + BODY[1:], BAD),
        ("key-twice-in-input", "fixed", BODY.replace(b'"shape":', b'"name":"INPUT0","shape":'), BAD),
        ("escaped-key-twice", "fixed", BODY[:-1] + b',"\\u0069nputs":[]}', BAD),
        ("unknown-key-twice", "fixed", with_member("x", b'1,"x":2'), BAD),
        ("parameter-twice", "fixed", with_member("parameters", b'{"a":1,"a":2}'), BAD),
        ("input-twice", "fixed", request(tensor([1, 2, 3, 4]), tensor([1, 2, 3, 4])), BAD),
        ("input-twice-of-two", "pair", request(tensor([1]), tensor([1])), BAD),
        ("output-twice", "fixed", {**FIXED, "outputs": [{"name": "OUTPUT0"}, {"name": "OUTPUT0"}]}, BAD),
    ),
    *cases(
        46,
        ("outputs", "fixed", with_member("outputs", b"[" + b'{"name":"OUTPUT0"},' * 999_999 + b'{"name":"X"}]'), BAD),
        ("inputs", "fixed", b'{"inputs":[' + b'{"name":"INPUT0"},' * 999_999 + b'{"name":"X"}]}', BAD),
        (
            "whole-inputs",
            "fixed",
            b'{"inputs":[' + b",".join([json.dumps(tensor([1, 2, 3, 4])).encode()] * 100_000) + b"]}",
            BAD,
        ),
    ),
    *cases(
        47,
        ("lone-byte", "fixed", BODY.replace(b"INPUT0", b"INPUT\xff"), BAD),
        ("lone-continuation", "fixed", with_member("id", b'"\x80"'), BAD),
        ("overlong-slash", "fixed", with_member("id", b'"\xc0\xaf"'), BAD),
        ("overlong-nul", "fixed", with_member("id", b'"\xc0\x80"'), BAD),
        ("overlong-3", "fixed", with_member("id", b'"\xe0\x80\xaf"'), BAD),
        ("surrogate-as-utf8", "fixed", with_member("id", b'"\xed\xa0\x80"'), BAD),
        ("beyond-unicode", "fixed", with_member("id", b'"\xf4\x90\x80\x80"'), BAD),
        ("truncated", "fixed", with_member("id", b'"\xe2\x82"'), BAD),
        ("lone-high-surrogate", "fixed", with_member("id", b'"\\ud800"'), BAD),
        ("lone-low-surrogate", "fixed", with_member("id", b'"\\udc00"'), BAD),
        ("two-high-surrogates", "fixed", with_member("id", b'"\\ud800\\ud800"'), BAD),
        ("nul-in-name", "fixed", BODY.replace(b"INPUT0", b"INPUT0\\u0000"), BAD),
        ("nul-in-output-name", "fixed", with_member("outputs", b'[{"name":"OUTPUT0\\u0000"}]'), BAD),
        ("nul-in-id", "fixed", with_member("id", b'"a\\u0000b"'), BAD),
        ("raw-nul", "fixed", with_member("id", b'"a\x00b"'), BAD),
        ("raw-newline", "fixed", with_member("id", b'"a\nb"'), BAD),
        ("byte-order-mark", "fixed", b"\xef\xbb\xbf" + BODY, BAD),
        ("utf-16", "fixed", BODY.decode().encode("utf-16"), BAD),
        ("bad-escape", "fixed", with_member("id", b'"\\x41"'), BAD),
        ("short-escape", "fixed", with_member("id", b'"\\u12"'), BAD),
        ("invalid-in-data", "identity_bytes", literal(b'["\xff"]', "BYTES"), BAD),
        ("lone-surrogate-in-data", "identity_bytes", literal(b'["\\ud800"]', "BYTES"), BAD),
        ("invalid-in-unknown-member", "fixed", with_member("x", b'"\xff"'), BAD),
    ),
    *cases(
        48,
        *(
            (f"{token}-{dtype}", f"identity_{dtype.lower()}", literal(f"[{token}]", dtype), BAD)
            for dtype in ("FP32", "FP64", "INT32")
            for token in (
                "NaN",
                "nan",
                "Infinity",
                "-Infinity",
                "inf",
                "0x1",
                "01",
                "-01",
                "+1",
                ".5",
                "5.",
                "1e",
                "1e+",
                "--1",
                "-",
                "1_0",
                "1,,2",
                "0b1",
            )
        ),
        ("1e400-FP64", "identity_fp64", literal("[1e400]", "FP64"), BAD),
        ("-1e400-FP64", "identity_fp64", literal("[-1e400]", "FP64"), BAD),
        ("1e39-FP32", "identity_fp32", literal("[1e39]", "FP32"), BAD),
        ("400-digits-FP64", "identity_fp64", literal("[" + "9" * 400 + "]", "FP64"), BAD),
    ),
    *cases(
        49,
        *(
            (
                f"{kind}-{dtype}",
                f"identity_{dtype.lower()}",
                literal(f"[0, {value}]", dtype, "[2]"),
                verdict(400, text=r"data\[1\]"),
            )
            for dtype, (low, high) in DTYPE_RANGES.items()
            for kind, value in (("below", low - 1), ("above", high + 1), ("far", 10**30), ("fraction", "1.5"))
        ),
        *(
            (name, f"identity_{dtype.lower()}", literal(f"[{value}]", dtype), verdict(400, text=r"data\[0\]"))
            for name, dtype, value in (
                ("300-int8", "INT8", "300"),
                ("string-int32", "INT32", '"1"'),
                ("number-bool", "BOOL", "1"),
                ("string-bool", "BOOL", '"true"'),
                ("null-fp32", "FP32", "null"),
                ("bool-fp32", "FP32", "true"),
                ("string-fp64", "FP64", '"1"'),
                ("number-bytes", "BYTES", "1"),
                ("object-int32", "INT32", "{}"),
                ("null-bytes", "BYTES", "null"),
            )
        ),
    ),
    *cases(
        50,
        *(
            (dtype, f"identity_{dtype.lower()}", literal("[1.0]", dtype), verdict(400, text="binary"))
            for dtype in ("FP16", "BF16")
        ),
    ),
    *cases(
        51,
        ("2-4-2-60", "matrix", literal("[1]", "FP64", f"[{2**4}, {2**60 + 2}]"), verdict(400, text="overflow")),
        ("2-2-2-60", "matrix", literal("[1]", "FP64", f"[{2**2}, {2**60 + 2}]"), verdict(400, text="overflow")),
        ("2-32-2-32", "matrix", literal("[1]", "FP64", f"[{2**32}, {2**32}]"), verdict(400, text="overflow")),
        ("2-31-2-31", "matrix", literal("[1]", "FP64", f"[{2**31}, {2**31}]"), BAD),
        ("2-40", "matrix", literal("[1]", "FP64", f"[1, {2**40}]"), BAD),
        ("2-62", "identity_fp64", literal("[1]", "FP64", f"[{2**62}]"), verdict(400, text="overflow")),
        ("2-64", "identity_fp64", literal("[1]", "FP64", f"[{2**64}]"), BAD),
    ),
    *cases(
        52,
        ("negative", "identity_fp32", literal("[1]", shape="[-1]"), BAD),
        ("fraction", "identity_fp32", literal("[1]", shape="[1.5]"), BAD),
        ("fraction-of-zero", "identity_fp32", literal("[1]", shape="[1.0]"), BAD),
        ("string", "identity_fp32", literal("[1]", shape='["1"]'), BAD),
        ("null", "identity_fp32", literal("[1]", shape="null"), BAD),
        ("object", "identity_fp32", literal("[1]", shape="{}"), BAD),
        ("nested", "identity_fp32", literal("[1]", shape="[[1]]"), BAD),
        ("empty-for-batch-model", "batched", literal("[1]", shape="[]"), BAD),
        ("rank-1000", "identity_fp32", literal("[1]", shape="[" + "1," * 999 + "1]"), BAD),
        ("rank-2-for-1", "identity_fp32", literal("[1]", shape="[1, 1]"), BAD),
        ("zero-for-fixed", "fixed", literal("[]", shape="[0]"), BAD),
        ("zero-batch", "batched", literal("[]", shape="[0, 1]"), BAD),
        ("missing", "identity_fp32", b'{"inputs":[{"name":"INPUT0","datatype":"FP32","data":[1]}]}', BAD),
    ),
    *cases(
        53,
        ("one-too-few", "identity_fp32", literal("[1, 2]", shape="[3]"), BAD),
        ("one-too-many", "identity_fp32", literal("[1, 2, 3, 4]", shape="[3]"), BAD),
        ("none", "identity_fp32", literal("[]", shape="[3]"), BAD),
        ("one-for-zero", "identity_fp32", literal("[1]", shape="[0]"), BAD),
        ("ragged", "matrix", literal("[[1, 2], [3]]", "FP64", "[2, 2]"), BAD),
        ("ragged-of-right-count", "matrix", literal("[[1, 2, 3, 4], [5, 6]]", "FP64", "[2, 3]"), BAD),
        ("million-too-many", "identity_fp32", literal("[" + "1," * 1_000_000 + "1]", shape="[3]"), BAD),
        ("scalar", "identity_fp32", literal("1", shape="[1]"), BAD),
        ("object", "identity_fp32", literal('{"0": 1}', shape="[1]"), BAD),
        ("fixed-shape", "fixed", request(tensor([1, 2, 3])), BAD),
        ("fixed-shape-cube", "cube", request(tensor([1] * 8, shape=[2, 4])), BAD),
    ),
    *cases(
        54,
        ("above", "batched", request(tensor([1] * 9, shape=[9, 1])), verdict(400, text="batch")),
        ("zero", "batched", request(tensor([], shape=[0, 1])), BAD),
        ("huge", "batched", request(tensor([1], shape=[2**31, 1])), BAD),
    ),
    *cases(
        55,
        ("missing", "pair", request(tensor([1])), verdict(400, text="input")),
        ("none", "fixed", request(), BAD),
        ("unknown", "fixed", request(tensor([1, 2, 3, 4], name="INPUT7")), BAD),
        ("unknown-besides", "fixed", request(tensor([1, 2, 3, 4]), tensor([1], name="INPUT7")), BAD),
        ("case-changed", "fixed", request(tensor([1, 2, 3, 4], name="input0")), BAD),
        ("empty-name", "fixed", request(tensor([1, 2, 3, 4], name="")), BAD),
        ("required-missing", "optional", request(tensor([1], "INT32", name="INPUT1")), BAD),
        ("output-as-input", "fixed", request(tensor([1, 2, 3, 4], name="OUTPUT0")), BAD),
    ),
    *cases(
        56,
        *(
            (f"dtype-{dtype or 'empty'}", "fixed", request(tensor([1, 2, 3, 4], dtype)), BAD)
            for dtype in ("fp32", "Fp32", "", "FLOAT", "TYPE_FP32", "FP32 ", "FP33", "INVALID", "FP64", "INT32")
        ),
        ("number", "fixed", request({**tensor([1, 2, 3, 4]), "datatype": 11}), BAD),
        ("null", "fixed", request({**tensor([1, 2, 3, 4]), "datatype": None}), BAD),
    ),
    *cases(
        57,
        ("unknown", "fixed", {**FIXED, "outputs": [{"name": "OUTPUT7"}]}, BAD),
        ("input-name", "fixed", {**FIXED, "outputs": [{"name": "INPUT0"}]}, BAD),
        ("no-name", "fixed", {**FIXED, "outputs": [{}]}, BAD),
        ("not-objects", "fixed", {**FIXED, "outputs": ["OUTPUT0"]}, BAD),
        ("not-a-list", "fixed", {**FIXED, "outputs": {"name": "OUTPUT0"}}, BAD),
    ),
    *cases(
        60,
        ("1-mib", "fixed", {**FIXED, "id": "a" * MIB}, BAD),
        ("257", "fixed", {**FIXED, "id": "a" * 257}, BAD),
        ("newline", "fixed", {**FIXED, "id": "a\r\nb"}, BAD),
        ("escape", "fixed", {**FIXED, "id": "\x1b[31m"}, BAD),
        ("delete", "fixed", {**FIXED, "id": "\x7f"}, BAD),
        ("number", "fixed", {**FIXED, "id": 1}, BAD),
        ("null", "fixed", {**FIXED, "id": None}, BAD),
    ),
    *cases(
        61,
        *(
            (f"reserved-{name}", "fixed", {**FIXED, "parameters": {name: "x"}}, BAD)
            for name in ("triton_x", "triton_", "headers", "sequence_start", "sequence_end", "priority", "timeout")
        ),
        ("binary-output-number", "fixed", {**FIXED, "parameters": {"binary_data_output": 1}}, BAD),
        ("nested-object", "fixed", {**FIXED, "parameters": {"a": {"b": 1}}}, BAD),
        ("list", "fixed", {**FIXED, "parameters": {"a": [1]}}, BAD),
        ("null", "fixed", {**FIXED, "parameters": {"a": None}}, BAD),
        ("10000-keys", "fixed", {**FIXED, "parameters": {f"key{i}": i for i in range(10_000)}}, BAD),
        ("not-an-object", "fixed", {**FIXED, "parameters": []}, BAD),
        ("not-an-object-in-input", "fixed", request(tensor([1, 2, 3, 4], parameters=1)), BAD),
        ("huge-number", "fixed", with_member("parameters", b'{"a":1e400}'), BAD),
        ("huge-integer", "fixed", with_member("parameters", b'{"a":%d}' % 2**70), BAD),
    ),
    *cases(
        62,
        ("priority-negative", "fixed", {**FIXED, "parameters": {"priority": -1}}, BAD),
        ("priority-2-64", "fixed", {**FIXED, "parameters": {"priority": 2**64}}, BAD),
        ("priority-fraction", "fixed", {**FIXED, "parameters": {"priority": 1.5}}, BAD),
        ("timeout-negative", "fixed", {**FIXED, "parameters": {"timeout": -1}}, BAD),
        ("timeout-2-64", "fixed", {**FIXED, "parameters": {"timeout": 2**64}}, BAD),
        ("timeout-text", "fixed", {**FIXED, "parameters": {"timeout": "1"}}, BAD),
        ("sequence-object", "fixed", {**FIXED, "parameters": {"sequence_id": {}}}, BAD),
        ("sequence-negative", "fixed", {**FIXED, "parameters": {"sequence_id": -1}}, BAD),
        ("sequence-fraction", "fixed", {**FIXED, "parameters": {"sequence_id": 0.5}}, BAD),
        ("sequence-bool", "fixed", {**FIXED, "parameters": {"sequence_id": True}}, BAD),
        ("sequence-257", "fixed", {**FIXED, "parameters": {"sequence_id": "a" * 257}}, BAD),
    ),
    *cases(
        63,
        *(
            (
                f"value-{value}",
                "fixed",
                {**FIXED, "outputs": [{"name": "OUTPUT0", "parameters": {"classification": value}}]},
                BAD,
            )
            for value in (-1, 1.5, "1", True, None, 2**64)
        ),
        (
            "of-strings",
            "identity_bytes",
            {
                **request(tensor(["a"], "BYTES")),
                "outputs": [{"name": "OUTPUT0", "parameters": {"classification": 1}}],
            },
            BAD,
        ),
    ),
    *cases(
        65,
        (
            "shared-memory-input",
            "fixed",
            request(
                {
                    "name": "INPUT0",
                    "shape": [4],
                    "datatype": "FP32",
                    "parameters": {"shared_memory_region": "r", "shared_memory_byte_size": 16},
                }
            ),
            verdict(400, 501),
        ),
        (
            "shared-memory-output",
            "fixed",
            {
                **FIXED,
                "outputs": [
                    {"name": "OUTPUT0", "parameters": {"shared_memory_region": "r", "shared_memory_byte_size": 16}}
                ],
            },
            verdict(400, 501),
        ),
    ),
    *cases(66, ("binary-is-not-guessed", "fixed", BODY + struct.pack("<4f", 1, 2, 3, 4), BAD)),
]


@pytest.mark.parametrize("model, document, expected", REFUSED)
def test_wrong_requests_are_refused_and_the_connection_goes_on(server, model, document, expected):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    with raw_http.Connection(server) as connection:
        connection.send(raw_http.request("POST", f"/v2/models/{model}/infer", body))
        expected.check(connection.read())
        connection.send(raw_http.request("POST", "/v2/models/fixed/infer", BODY))
        assert connection.read().json()["outputs"][0]["data"] == [1, 2, 3, 4]


@pytest.mark.parametrize("row", sorted({case.id.split("-")[0] for case in REFUSED}))
def test_wrong_requests_leave_no_memory_behind(server, row):
    requests = []
    for case in REFUSED:
        if case.id.split("-")[0] == row:
            model, document, _ = case.values
            body = document if isinstance(document, bytes) else json.dumps(document).encode()
            requests.append(raw_http.request("POST", f"/v2/models/{model}/infer", body))

    def send_all():
        with raw_http.Connection(server) as connection:
            for one in requests:
                connection.send(one)
                assert connection.read().status >= 400

    large = sum(len(one) for one in requests) > 4 * MIB
    leaks.repeat(server, send_all, repeats=30 if large else 100, warm_up=5)


# (name, model, body, data of the first output)
SERVED = [
    *cases(44, ("member-63-deep", "fixed", with_member("x", nested(63)), [1, 2, 3, 4])),
    *cases(
        47,
        ("nul-in-bytes", "identity_bytes", literal(b'["a\\u0000b", "\\u0000"]', "BYTES", "[2]"), ["a\0b", "\0"]),
        ("surrogate-pair", "identity_bytes", literal(b'["\\ud83d\\ude00"]', "BYTES"), ["\U0001f600"]),
        ("utf8", "identity_bytes", literal('["äß\U0001f600"]'.encode(), "BYTES"), ["äß\U0001f600"]),
        ("escapes", "identity_bytes", literal(rb'["\"\\\/\b\f\n\r\t"]', "BYTES"), ['"\\/\b\f\n\r\t']),
        ("escaped-key", "fixed", BODY.replace(b'"inputs"', b'"\\u0069nputs"'), [1, 2, 3, 4]),
    ),
    *cases(
        48,
        ("minus-zero", "identity_fp64", literal("[-0, -0.0]", "FP64", "[2]"), [0, 0]),
        ("tiny", "identity_fp64", literal("[1e-400, -1e-400]", "FP64", "[2]"), [0, 0]),
        (
            "extremes",
            "identity_fp64",
            literal("[1.7976931348623157e308, 5e-324]", "FP64", "[2]"),
            [1.7976931348623157e308, 5e-324],
        ),
        ("exponents", "identity_fp32", literal("[1E2, 1e+2, 100e0, 0.1e3]", "FP32", "[4]"), [100, 100, 100, 100]),
    ),
    *cases(
        49,
        *(
            (f"limits-{dtype}", f"identity_{dtype.lower()}", literal(f"[{low}, {high}]", dtype, "[2]"), [low, high])
            for dtype, (low, high) in DTYPE_RANGES.items()
        ),
        ("bools", "identity_bool", literal("[true, false]", "BOOL", "[2]"), [True, False]),
    ),
    *cases(52, ("zero-where-allowed", "identity_fp32", literal("[]", shape="[0]"), [])),
    *cases(
        53,
        ("flat", "matrix", literal("[1, 2, 3, 4, 5, 6]", "FP64", "[2, 3]"), [1, 2, 3, 4, 5, 6]),
        ("nested-as-shape", "matrix", literal("[[1, 2, 3], [4, 5, 6]]", "FP64", "[2, 3]"), [1, 2, 3, 4, 5, 6]),
        (
            "cube",
            "cube",
            literal("[[[1, 2], [3, 4]], [[5, 6], [7, 8]]]", "FP32", "[2, 2, 2]"),
            [1, 2, 3, 4, 5, 6, 7, 8],
        ),
    ),
    *cases(54, ("largest", "batched", request(tensor(list(range(8)), shape=[8, 1])), list(range(8)))),
    *cases(55, ("optional-missing", "optional", request(tensor([1, 2])), [1, 2])),
    *cases(57, ("empty-list", "fixed", {**FIXED, "outputs": []}, [1, 2, 3, 4])),
    *cases(
        61,
        (
            "free",
            "fixed",
            {**FIXED, "parameters": {"text": "x", "number": 2**63 - 1, "flag": True, "real": 0.5}},
            [1, 2, 3, 4],
        ),
    ),
    *cases(
        62,
        # Without levels the model ignores it, as Triton does.
        ("priority-without-levels", "fixed", {**FIXED, "parameters": {"priority": 10}}, [1, 2, 3, 4]),
        ("timeout", "fixed", {**FIXED, "parameters": {"timeout": 2**64 - 1}}, [1, 2, 3, 4]),
    ),
]


@pytest.mark.parametrize("model, document, expected", SERVED)
def test_requests_at_the_edge_are_served(server, model, document, expected):
    answer = raw_http.infer_json(server, model, document)
    assert answer.status == 200, answer
    assert answer.json()["outputs"][0]["data"] == expected


@pytest.mark.row(43)
def test_truncation_at_every_byte_is_refused_with_its_position(server):
    body = json.dumps({**request(tensor([1.5, 2, 3, 4])), "id": "a\tb ä".replace("\t", ""), "parameters": {"a": "b"}})
    body = body.encode()
    with raw_http.Connection(server) as connection:
        for size in range(1, len(body)):
            connection.send(raw_http.request("POST", "/v2/models/fixed/infer", body[:size]))
            answer = connection.read()
            BAD.check(answer)
            assert re.search(r"\d", answer.error), (body[:size], answer.error)


@pytest.mark.row(57)
def test_an_empty_output_list_means_all(server):
    document = {**request(tensor([1]), tensor([2], "INT32", name="INPUT1")), "outputs": []}
    outputs = raw_http.infer_json(server, "pair", document).json()["outputs"]
    assert {output["name"]: output["data"] for output in outputs} == {"OUTPUT0": [1], "OUTPUT1": [2]}


@pytest.mark.row(60)
@pytest.mark.parametrize("text", ["a", "a" * 256, "ä€\U0001f600", '"\\/', "<script>", " ", "%d%n{}"])
def test_an_id_is_echoed_as_it_is(server, text):
    answer = raw_http.infer_json(server, "fixed", {**FIXED, "id": text})
    assert answer.status == 200, answer
    assert answer.json()["id"] == text


@pytest.mark.row(60)
def test_an_empty_id_is_not_echoed(server):
    assert "id" not in raw_http.infer_json(server, "fixed", {**FIXED, "id": ""}).json()


@pytest.mark.row(63)
def test_more_classes_than_there_are_become_all(server):
    document = {**FIXED, "outputs": [{"name": "OUTPUT0", "parameters": {"classification": 10**9}}]}
    output = raw_http.infer_json(server, "fixed", document).json()["outputs"][0]
    assert output["datatype"] == "BYTES" and output["shape"] == [4]
    assert output["data"] == ["4.000000:3", "3.000000:2", "2.000000:1", "1.000000:0"]


@pytest.mark.row(63)
def test_no_classes_mean_no_classification(server):
    document = {**FIXED, "outputs": [{"name": "OUTPUT0", "parameters": {"classification": 0}}]}
    answer = raw_http.infer_json(server, "fixed", document)
    assert answer.status == 400 or answer.json()["outputs"][0]["data"] == [1, 2, 3, 4]


@pytest.mark.row(44)
class TestDeepControlBodies:
    @pytest.mark.parametrize("depth", [65, DEEP])
    def test_repository_index(self, server, depth):
        body = b'{"ready":' + nested(depth) + b"}"
        BAD.check(raw_http.call(server, "POST", "/v2/repository/index", body))

    @pytest.mark.parametrize("depth", [65, DEEP])
    def test_load_and_unload(self, explicit_server, depth):
        deep = nested(depth)
        text = json.dumps(deep.decode()).encode()
        # Triton answers 500 to every configuration that it cannot take.
        refused_by_the_loader = verdict(400, 500)
        for path, body, expected in (
            ("load", b'{"parameters":{"config":' + deep + b"}}", BAD),
            ("load", b'{"parameters":{"config":' + text + b"}}", refused_by_the_loader),
            ("load", b'{"parameters":{"config":"{\\"name\\":' + deep + b'}"}}', refused_by_the_loader),
            ("load", b'{"parameters":' + deep + b"}", BAD),
            ("load", deep, BAD),
            ("unload", b'{"parameters":{"unload_dependents":' + deep + b"}}", BAD),
        ):
            expected.check(raw_http.call(explicit_server, "POST", f"/v2/repository/models/fixed/{path}", body))
        assert raw_http.call(explicit_server, "GET", "/v2/models/fixed/ready").status == 200


@pytest.fixture(scope="module")
def explicit_server(tmp_path_factory):
    """A server with one model and others that load slowly, fail or work slowly."""
    repository = models.standard(tmp_path_factory.mktemp("explicit"))
    delay = models.parameter("creation_delay_sec", 1)
    models.add(repository, "slow_start", models.identity_config([("FP32", [-1])], extra=delay))
    work = models.parameter("execute_delay_ms", 1000)
    models.add(repository, "slow_work", models.identity_config([("FP32", [-1])], extra=work))
    models.add(repository, "failing", models.identity_config([("FP32", [-1])]).replace("OUTPUT0", "OUTPUT1"))
    options = ("--model-control-mode=explicit", "--load-model=fixed", "--load-model=slow_work", "--exit-on-error=false")
    with server_module.running(repository, *options) as running:
        yield running


def _states(server, name):
    entries = raw_http.call(server, "POST", "/v2/repository/index").json()
    return [entry.get("state") for entry in entries if entry["name"] == name]


@pytest.mark.row(59)
class TestModelsThatAreNotReady:
    UNAVAILABLE = verdict(503)

    def _check(self, answer, text):
        self.UNAVAILABLE.check(answer)
        assert int(answer.headers["retry-after"]) >= 1
        assert re.search(text, answer.error, re.IGNORECASE), answer.error

    @staticmethod
    def _infer(server, model):
        return raw_http.infer_json(server, model, request(tensor([1])))

    def test_loading(self, explicit_server):
        answers = []
        thread = threading.Thread(
            target=lambda: answers.append(
                raw_http.call(explicit_server, "POST", "/v2/repository/models/slow_start/load")
            )
        )
        thread.start()
        wait.until(lambda: "LOADING" in _states(explicit_server, "slow_start"), "the model is loading")
        self._check(self._infer(explicit_server, "slow_start"), "not at ready state|loading")
        thread.join(30)
        assert answers[0].status == 200, answers
        assert self._infer(explicit_server, "slow_start").status == 200

    def test_unloading(self, explicit_server):
        with raw_http.Connection(explicit_server) as working:
            body = json.dumps(request(tensor([1]))).encode()
            working.send(raw_http.request("POST", "/v2/models/slow_work/infer", body))
            wait.until(
                lambda: prometheus.scrape(explicit_server).value("headrace_requests_in_flight", model="slow_work"),
                "the request is in work",
            )
            unload = raw_http.call(explicit_server, "POST", "/v2/repository/models/slow_work/unload")
            assert unload.status == 200, unload
            assert _states(explicit_server, "slow_work") == ["UNLOADING"]
            self._check(self._infer(explicit_server, "slow_work"), "not at ready state|unloading")
            assert working.read().status == 200
        wait.until(lambda: _states(explicit_server, "slow_work") == ["UNAVAILABLE"], "the model is unloaded")

    def test_failed(self, explicit_server):
        answer = raw_http.call(explicit_server, "POST", "/v2/repository/models/failing/load")
        assert answer.status in (400, 500), answer
        assert "failing" in answer.error
        self._check(self._infer(explicit_server, "failing"), "not at ready state")


NAMES = cases(
    58,
    *(
        (f"model-{i}", f"/v2/models/{name}")
        for i, name in enumerate(("nothing", "FIXED", "fixed.", "fixed%20", "a" * 2000, "..", "%2e%2e", "%00x"))
    ),
    *(
        (f"version-{version}", f"/v2/models/fixed/versions/{version}")
        for version in (
            "2",
            "0",
            "-1",
            "007",
            "01",
            "abc",
            "1.0",
            "+1",
            str(2**64),
            str(2**64 + 1),
            str(2**63),
            "9" * 500,
        )
    ),
)


@pytest.mark.parametrize("path", NAMES)
def test_unknown_models_and_versions_are_not_found(server, path):
    for response in (
        raw_http.call(server, "POST", path + "/infer", BODY),
        raw_http.call(server, "GET", path),
        raw_http.call(server, "GET", path + "/config"),
        raw_http.call(server, "GET", path + "/stats"),
    ):
        verdict(400, 404).check(response)
    assert raw_http.call(server, "GET", path + "/ready").status in (400, 404)


@pytest.mark.row(58)
def test_unknown_models_share_one_label(server):
    def unknown():
        return prometheus.scrape(server).value("headrace_rejections_total", model="", reason="unknown_model")

    before = unknown()
    for i in range(50):
        assert raw_http.infer_json(server, f"ghost_{i}", FIXED).status == 404
    page = prometheus.scrape(server)
    assert unknown() == before + 50
    assert "ghost" not in page.text


@pytest.mark.row(64)
class TestManyAndLargeStrings:
    @pytest.mark.parametrize("count", [250_000, 1_000_000])
    def test_empty_strings_in_json(self, server, count):
        body = literal(b"[" + b'"",' * (count - 1) + b'""]', "BYTES", f"[{count}]")
        answer = raw_http.infer_json(server, "identity_bytes", body)
        assert answer.status == 200
        assert answer.json()["outputs"][0]["data"] == [""] * count

    def test_empty_strings_in_binary(self, server):
        count = 1_000_000
        answer = _binary(server, "identity_bytes", "BYTES", [count], bytes(4 * count))
        assert answer == bytes(4 * count)

    def test_one_string_of_60_mib_in_json(self, server):
        text = b"x" * (60 * MIB)
        answer = raw_http.infer_json(server, "identity_bytes", literal(b'["' + text + b'"]', "BYTES"))
        assert answer.status == 200
        assert answer.body.count(text) == 1

    def test_one_string_of_60_mib_in_binary(self, server):
        data = struct.pack("<I", 60 * MIB) + b"y" * (60 * MIB)
        assert _binary(server, "identity_bytes", "BYTES", [1], data) == data


def _binary(server, model, dtype, shape, data):
    """The raw output of a binary request for `data`."""
    head = {
        "inputs": [
            {"name": "INPUT0", "shape": shape, "datatype": dtype, "parameters": {"binary_data_size": len(data)}}
        ],
        "parameters": {"binary_data_output": True},
    }
    answer = raw_http.infer_binary(server, model, head, data)
    assert answer.status == 200, answer
    return answer.body[int(answer.headers["inference-header-content-length"]) :]


DIFFERENTIAL = {
    "BOOL": numpy.array([True, False, True], numpy.bool_),
    "UINT8": numpy.array([0, 1, 255], numpy.uint8),
    "UINT16": numpy.array([0, 1, 2**16 - 1], numpy.uint16),
    "UINT32": numpy.array([0, 1, 2**32 - 1], numpy.uint32),
    "UINT64": numpy.array([0, 2**53 + 1, 2**64 - 1], numpy.uint64),
    "INT8": numpy.array([-128, 0, 127], numpy.int8),
    "INT16": numpy.array([-(2**15), 0, 2**15 - 1], numpy.int16),
    "INT32": numpy.array([-(2**31), 0, 2**31 - 1], numpy.int32),
    "INT64": numpy.array([-(2**63), 2**53 + 1, 2**63 - 1], numpy.int64),
    "FP32": numpy.array([0.1, -0.0, 3.4028234e38, 1.4e-45, 16777217.0], numpy.float32),
    "FP64": numpy.array([0.1, -0.0, 1.7976931348623157e308, 5e-324, 2**53 + 1], numpy.float64),
}


@pytest.mark.row(65)
class TestTransports:
    @pytest.mark.parametrize("dtype", sorted(DIFFERENTIAL))
    def test_json_binary_and_raw_requests_give_the_same_bits(self, server, dtype):
        array = DIFFERENTIAL[dtype]
        model = f"identity_{dtype.lower()}"
        wanted = array.tobytes()
        assert _binary(server, model, dtype, [len(array)], wanted) == wanted

        raw = raw_http.call(
            server, "POST", f"/v2/models/{model}/infer", wanted, [("Inference-Header-Content-Length", 0)]
        )
        assert raw.status == 200, raw
        assert raw.body[int(raw.headers["inference-header-content-length"]) :] == wanted

        document = request(
            tensor(array.tolist(), dtype), outputs=[{"name": "OUTPUT0", "parameters": {"binary_data": True}}]
        )
        from_json = raw_http.infer_json(server, model, document)
        assert from_json.status == 200, from_json
        assert from_json.body[int(from_json.headers["inference-header-content-length"]) :] == wanted

        to_json = raw_http.infer_json(server, model, request(tensor(array.tolist(), dtype))).json()
        assert numpy.array(to_json["outputs"][0]["data"], array.dtype).tobytes() == wanted

    def test_strings(self, server):
        elements = [b"a", b"", b"a\0b", "ä\U0001f600".encode()]
        wanted = b"".join(struct.pack("<I", len(element)) + element for element in elements)
        texts = [element.decode() for element in elements]
        assert _binary(server, "identity_bytes", "BYTES", [4], wanted) == wanted
        to_json = raw_http.infer_json(server, "identity_bytes", request(tensor(texts, "BYTES"))).json()
        assert to_json["outputs"][0]["data"] == texts
        raw = raw_http.call(
            server, "POST", "/v2/models/identity_bytes/infer", b"one", [("Inference-Header-Content-Length", 0)]
        )
        assert raw.body[int(raw.headers["inference-header-content-length"]) :] == struct.pack("<I", 3) + b"one"


@pytest.mark.parametrize(
    "content_type",
    cases(
        66,
        ("absent", None),
        ("text", "text/plain"),
        ("form", "application/x-www-form-urlencoded"),
        ("octets", "application/octet-stream"),
        ("json", "application/json"),
        ("charset", "application/json; charset=utf-8"),
        ("garbage", ";;;"),
    ),
)
def test_the_content_type_does_not_matter(server, content_type):
    headers = [] if content_type is None else [("Content-Type", content_type)]
    answer = raw_http.infer_json(server, "fixed", BODY, headers)
    assert answer.status == 200 and answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "method, path",
    cases(
        67,
        ("empty-model", "POST", "/v2/models//infer"),
        ("trailing-slash", "POST", "/v2/models/fixed/infer/"),
        ("extra-part", "POST", "/v2/models/fixed/infer/more"),
        ("no-verb", "POST", "/v2/models/fixed/versions/1/"),
        ("empty-version", "POST", "/v2/models/fixed/versions//infer"),
        ("models", "GET", "/v2/models"),
        ("models-slash", "GET", "/v2/models/"),
        ("v2-slash", "GET", "/v2/"),
        ("root", "GET", "/"),
        ("v1", "GET", "/v1"),
        ("v22", "GET", "/v22"),
        ("health", "GET", "/v2/health"),
        ("health-slash", "GET", "/v2/health/live/"),
        ("other-verb", "POST", "/v2/models/fixed/inferx"),
        ("case", "GET", "/V2/health/live"),
        ("long", "GET", "/v2/models/fixed" + "/x" * 1000),
        ("repository", "POST", "/v2/repository/models//load"),
    ),
)
def test_paths_that_match_nothing_are_not_found(server, method, path):
    answer = raw_http.call(server, method, path, BODY if method == "POST" else b"")
    assert answer.status == 404 and answer.json() == {"error": "Not Found"}
