"""Tests of the codecs: what they read and write, and that damaged bytes are refused by one exception."""

import random
import struct

import pytest

from headrace_worker import errors, wire


def _execute():
    """The body of an EXECUTE with two requests over the block [4096, 4096 + 256)."""
    tensor = wire.pack_tensor(0, b"", 11, (2, 3), 4096, 24)
    named = wire.pack_tensor(wire.NAME_FOLLOWS, b"extra", 13, (), 4160, 9)
    extras = b'{"id":"x"}'
    first = struct.pack("<QQQIIII", 7, 42, 5_000_000, 3, 17, 2, len(extras)) + tensor + named + extras + bytes(6)
    second = struct.pack("<QQQIIII", 8, 0, 0, 0, wire.NO_SLOT, 1, 0) + wire.pack_tensor(1, b"", 8, (0,), 0, 0)
    return struct.pack("<IIQQ", 2, 0, 4096, 256) + first + second


def test_an_execute_is_read():
    requests, offset, size = wire.parse_execute(memoryview(_execute()), ("A", "B"))
    first, second = requests
    assert (offset, size) == (4096, 256)
    assert (first.key, first.correlation_id, first.timeout_us, first.flags, first.cancel_slot) == (7, 42, 5_000_000, 3, 17)
    assert first.tensors == [("A", 11, (2, 3), 4096, 24), ("extra", 13, (), 4160, 9)]
    assert first.parsed_extras() == {"id": "x"}
    assert second.tensors == [("B", 8, (0,), 0, 0)]
    assert second.parsed_extras() == {}


def test_a_cut_execute_is_refused():
    body = _execute()
    for size in range(len(body)):
        with pytest.raises(errors.WireError):
            wire.parse_execute(memoryview(body[:size]), ("A", "B"))


def test_a_damaged_execute_is_read_or_refused():
    random.seed(5)
    refused = 0
    for _ in range(3000):
        body = bytearray(_execute())
        for _ in range(random.randint(1, 3)):
            body[random.randrange(8, len(body))] = random.randrange(256)
        try:
            for request in wire.parse_execute(memoryview(body), ("A", "B"))[0]:
                request.parsed_extras()
        except errors.WireError:
            refused += 1
    assert refused > 500


def test_a_tensor_outside_of_its_block_is_refused():
    for offset, size in ((4088, 24), (4096, 300), (1 << 63, 24), (4096, (1 << 64) - 1)):
        body = struct.pack("<IIQQ", 1, 0, 4096, 256) + struct.pack("<QQQIIII", 7, 0, 0, 0, 0, 1, 0)
        with pytest.raises(errors.WireError, match="outside"):
            wire.parse_execute(memoryview(body + wire.pack_tensor(0, b"", 11, (6,), offset, size)), ("A",))


def test_a_response_is_aligned_and_complete():
    tensors = [wire.pack_tensor(1, b"", 13, (2,), 8192, 10), wire.pack_tensor(wire.NAME_FOLLOWS, b"odd", 2, (1,), 9000, 1)]
    body = wire.pack_responses([wire.pack_response(9, wire.FINAL, tensors, b'{"a":1}'), wire.pack_error(10, "NOT_FOUND", "no")])
    assert len(body) % 8 == 0
    assert struct.unpack_from("<II", body) == (2, 0)
    assert struct.unpack_from("<QIIII", body, 8) == (9, wire.FINAL, 2, 7, 0)
    at = 8 + 24 + len(tensors[0]) + len(tensors[1])
    assert body[at : at + 8] == b'{"a":1}\0'
    assert struct.unpack_from("<QIII", body, at + 8)[:2] == (10, wire.FINAL | wire.ERROR)


def test_the_text_of_an_error_is_capped():
    body = wire.pack_error(1, "INTERNAL", "x" * 1_000_000)
    assert len(body) < 20_000 and b"(983616 more characters)" in body


def test_a_call_response_is_read():
    tensor = wire.pack_tensor(wire.NAME_FOLLOWS, b"OUT", 8, (2,), 4096, 8)
    response = wire.pack_response(3, wire.FINAL, [tensor], b'{"parameters":{"a":1}}')
    key, flags, tensors, extras = wire.parse_call_response(memoryview(wire.pack_responses([response])), 1 << 20)
    assert (key, flags, tensors) == (3, wire.FINAL, [("OUT", 8, (2,), 4096, 8)])
    assert extras == {"parameters": {"a": 1}}


@pytest.mark.parametrize("body", [b"", b"\1", struct.pack("<II", 3, 0), struct.pack("<IIQ", 2, 0, 5)])
def test_a_cut_release_is_refused(body):
    with pytest.raises(errors.WireError):
        wire.parse_offsets(body)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"3", b"\xff\xfe{}"])
def test_a_body_that_is_no_object_is_refused(body):
    with pytest.raises(errors.WireError):
        wire.parse_json(body)


def test_too_many_dimensions_are_refused():
    with pytest.raises(ValueError, match="17 dimensions"):
        wire.pack_tensor(0, b"", 8, (1,) * 17, 0, 4)


def test_half_of_a_surrogate_pair_is_no_failure():
    assert wire.pack_json({"a": "\ud800"}) == b'{"a":"?"}'
