"""Messages of the worker protocol as bytes: pure functions over precompiled structs, without sockets and without numpy.

The bytes are little-endian; the layout of each message stands in `docs/workers.md`. Sizes and offsets are bytes, times
microseconds. What breaks the rules raises `errors.WireError`.
"""

import json
import struct

from headrace_worker import errors

MAGIC = 0x31575248
# The most bytes that a body has inside its packet, and the most that it has at all.
INLINE_LIMIT = 65_536
BODY_LIMIT = 64 << 20
# Flag of a head: the body lies in the data region.
BODY_IN_REGION = 0x8000

HELLO, LOAD, LOADED, EXECUTE, EXECUTED, COMPLETE_CONFIG, CONFIG, FINALIZE, FINALIZED = range(1, 10)
PREPARE, PREPARED, FORK, FORKED = range(10, 14)
RESPONSE, RELEASE, DROPPED, LOG, METRIC, CALL, CALL_RESPONSE, CALL_CANCEL, CONTROL, REPLY, IS_READY, READINESS = range(16, 28)

# Flag of EXECUTED: nothing of the block of EXECUTE is referenced any more.
BLOCK_FREE = 1
# Flag of a request: the first execution of its sequence.
START = 1
# Flag of EXECUTE: the server has read all answers before it.
ALL_READ = 1
# Flags of a response.
FINAL = 1
ERROR = 2
# In EXECUTED only: the request is to be executed once more.
RESCHEDULED = 4
# The request's sequence ends with it.
ENDS_SEQUENCE = 8
NO_SLOT = 0xFFFFFFFF
NAME_FOLLOWS = 0xFFFF
MAX_RANK = 16

HEAD = struct.Struct("<IHHQQ")
_BATCH = struct.Struct("<IIQQ")
_REQUEST = struct.Struct("<QQQIIII")
_RESPONSE = struct.Struct("<QIIII")
_TENSOR = struct.Struct("<QQHBBHH")
_COUNTS = struct.Struct("<II")
_U64 = struct.Struct("<Q")
_DIMS = tuple(struct.Struct(f"<{rank}q") for rank in range(MAX_RANK + 1))
# A tensor's fixed part and its dims together.
_SHAPED = tuple(struct.Struct(f"<QQHBBHH{rank}q") for rank in range(MAX_RANK + 1))

# Names by number of `tensor/dtype.h`, and sizes of one element (0: variable).
DTYPE_NAMES = (
    "", "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64",
    "BYTES", "BF16",
)  # fmt: skip
DTYPE_SIZES = (0, 1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 4, 8, 0, 2)
BYTES = 13
UINT8 = 2


class Request:
    """One request of an EXECUTE, as the server sent it.

    `tensors` holds (name, dtype number, dims, offset in the region, bytes) each. `extras` is JSON text, b"" when all
    has its default; `Extras()` parses it.
    """

    __slots__ = ("key", "correlation_id", "timeout_us", "flags", "cancel_slot", "tensors", "extras")

    def __init__(self, key, correlation_id, timeout_us, flags, cancel_slot, tensors, extras):
        self.key = key
        self.correlation_id = correlation_id
        self.timeout_us = timeout_us
        self.flags = flags
        self.cancel_slot = cancel_slot
        self.tensors = tensors
        self.extras = extras

    def parsed_extras(self):
        """The extras as a dict: id, correlation_id, parameters, wanted_outputs, priority, trace; what is absent has its
        default."""
        return parse_json(self.extras) if self.extras else {}


def parse_json(body):
    """The object that a body holds."""
    try:
        value = json.loads(bytes(body))
    except ValueError as error:
        raise errors.WireError(f"a body is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise errors.WireError("a body is no JSON object")
    return value


def pack_json(value):
    """JSON text in UTF-8; half a surrogate pair, which UTF-8 cannot say, becomes a question mark."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")


def _parse_tensors(body, at, count, names, first, end):
    """(tensors, offset behind them); their bytes lie in [first, end)."""
    tensors = []
    size = len(body)
    for _ in range(count):
        offset, byte_size, index, dtype, rank, name_size, _ = _TENSOR.unpack_from(body, at)
        at += 24
        if rank > MAX_RANK or not 1 <= dtype <= 14:
            raise errors.WireError(f"a tensor has rank {rank} and type {dtype}")
        dims = _DIMS[rank].unpack_from(body, at)
        at += rank << 3
        if byte_size and not first <= offset <= end - byte_size:
            raise errors.WireError(f"a tensor's {byte_size} bytes at {offset} lie outside of [{first}, {end})")
        if index == NAME_FOLLOWS:
            if at + name_size > size:
                raise errors.WireError("a tensor's name is cut off")
            name = str(body[at : at + name_size], "utf-8")
            at += (name_size + 7) & ~7
        else:
            name = names[index]
        tensors.append((name, dtype, dims, offset, byte_size))
    return tensors, at


def parse_execute(body, names):
    """([Request], offset of the block, its bytes); `names` are the model's inputs in the order of LOAD."""
    try:
        count, _, block_offset, block_size = _BATCH.unpack_from(body, 0)
        at = 24
        size = len(body)
        end = block_offset + block_size
        requests = []
        for _ in range(count):
            key, correlation_id, timeout_us, flags, slot, tensor_count, extras_size = _REQUEST.unpack_from(body, at)
            tensors, at = _parse_tensors(body, at + 40, tensor_count, names, block_offset, end)
            extras = b""
            if extras_size:
                if at + extras_size > size:
                    raise errors.WireError("a request's extras are cut off")
                extras = bytes(body[at : at + extras_size])
                at += (extras_size + 7) & ~7
            requests.append(Request(key, correlation_id, timeout_us, flags, slot, tensors, extras))
        return requests, block_offset, block_size
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise errors.WireError(f"an EXECUTE cannot be read: {error}") from None


def parse_call_response(body, end):
    """(key, flags, tensors, extras as a dict) of a CALL_RESPONSE; the server's half is [4096, `end`)."""
    try:
        count, _ = _COUNTS.unpack_from(body, 0)
        if count != 1:
            raise errors.WireError(f"a CALL_RESPONSE holds {count} responses")
        key, flags, tensor_count, extras_size, _ = _RESPONSE.unpack_from(body, 8)
        tensors, at = _parse_tensors(body, 32, tensor_count, (), 4096, end)
        if at + extras_size > len(body):
            raise errors.WireError("a response's extras are cut off")
        extras = parse_json(body[at : at + extras_size]) if extras_size else {}
        return key, flags, tensors, extras
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise errors.WireError(f"a CALL_RESPONSE cannot be read: {error}") from None


def parse_offsets(body):
    """The offsets that a RELEASE names."""
    try:
        count, _ = _COUNTS.unpack_from(body, 0)
        if count > BODY_LIMIT:
            raise errors.WireError("a RELEASE is too long")
        return struct.unpack_from(f"<{count}Q", body, 8)
    except struct.error as error:
        raise errors.WireError(f"a RELEASE cannot be read: {error}") from None


def pack_numbers(numbers):
    """The body of RELEASE and DROPPED."""
    return struct.pack(f"<II{len(numbers)}Q", len(numbers), 0, *numbers)


def pack_key(key):
    """The body of CALL_CANCEL."""
    return _U64.pack(key)


def pack_tensor(index, name, dtype, dims, offset, byte_size):
    """One tensor; `name` (bytes) is used when `index` is NAME_FOLLOWS."""
    rank = len(dims)
    if rank > MAX_RANK:
        raise ValueError(f"a tensor has {rank} dimensions; at most {MAX_RANK} are supported")
    if index != NAME_FOLLOWS:
        return _SHAPED[rank].pack(offset, byte_size, index, dtype, rank, 0, 0, *dims)
    if len(name) > 0xFFFF:
        raise ValueError("a tensor's name is longer than 65535 bytes")
    head = _SHAPED[rank].pack(offset, byte_size, index, dtype, rank, len(name), 0, *dims)
    return head + name + b"\0" * (-len(name) & 7)


def pack_response(key, flags, tensors=(), extras=b""):
    """One response; `tensors` are packed ones, `extras` is JSON text or b""."""
    head = _RESPONSE.pack(key, flags, len(tensors), len(extras), 0)
    if not extras:
        return head + b"".join(tensors)
    return b"".join((head, *tensors, extras, b"\0" * (-len(extras) & 7)))


def pack_error(key, code, message):
    """The final response that is an error."""
    return pack_response(key, FINAL | ERROR, (), pack_json({"error": errors.as_object(code, message)}))


def pack_responses(responses):
    """The body of EXECUTED (and of RESPONSE, with one)."""
    return _COUNTS.pack(len(responses), 0) + b"".join(responses)


def pack_request(key, correlation_id, timeout_us, flags, tensors, extras):
    """The body of a CALL; `tensors` are packed ones, `extras` is JSON text."""
    head = _REQUEST.pack(key, correlation_id, timeout_us, flags, NO_SLOT, len(tensors), len(extras))
    return b"".join((head, *tensors, extras, b"\0" * (-len(extras) & 7)))
