"""Element types: the numbers of Triton, the types of numpy, and texts as bytes."""

import struct

import numpy as np

BYTES = 13
BF16 = 14

# By number; BYTES is an array of objects, BF16 has no numpy type.
NUMPY_TYPES = (
    None, np.bool_, np.uint8, np.uint16, np.uint32, np.uint64, np.int8, np.int16, np.int32, np.int64, np.float16,
    np.float32, np.float64, np.object_, None,
)  # fmt: skip
# The same as dtype objects, which make an array faster.
DTYPES = tuple(None if kind is None else np.dtype(kind) for kind in NUMPY_TYPES)
NUMBERS = {dtype: number for number, dtype in enumerate(DTYPES) if dtype is not None}
STRING_TO_NUMPY = {
    "TYPE_BOOL": bool,
    "TYPE_UINT8": np.uint8,
    "TYPE_UINT16": np.uint16,
    "TYPE_UINT32": np.uint32,
    "TYPE_UINT64": np.uint64,
    "TYPE_INT8": np.int8,
    "TYPE_INT16": np.int16,
    "TYPE_INT32": np.int32,
    "TYPE_INT64": np.int64,
    "TYPE_FP16": np.float16,
    "TYPE_FP32": np.float32,
    "TYPE_FP64": np.float64,
    "TYPE_STRING": np.object_,
}
_LENGTH = struct.Struct("<I")


def number_of(dtype):
    """The number of a numpy dtype, 0 for one that no tensor has."""
    number = NUMBERS.get(dtype)
    if number is not None:
        return number
    if dtype.kind in "SU":
        return BYTES
    if dtype.name == "bfloat16":
        return BF16
    return NUMBERS.get(dtype.newbyteorder("="), 0)


def pack_texts(array):
    """The elements of an array of objects or texts in C order, each with its length before it."""
    pieces = []
    append = pieces.append
    pack = _LENGTH.pack
    for element in array.ravel().tolist() if array.dtype.kind != "S" else array.ravel():
        text = element if isinstance(element, bytes) else str(element).encode("utf-8")
        append(pack(len(text)))
        append(text)
    return b"".join(pieces)


def unpack_texts(data):
    """The elements as a list of bytes; ValueError when a length leads outside."""
    texts = []
    append = texts.append
    unpack = _LENGTH.unpack_from
    size = len(data)
    at = 0
    while at < size:
        if at + 4 > size:
            raise ValueError("Invalid bytes tensor data: incomplete length field")
        following = at + 4 + unpack(data, at)[0]
        if following > size:
            raise ValueError("Invalid bytes tensor data: string extends beyond buffer")
        append(bytes(data[at + 4 : following]))
        at = following
    return texts


def text_array(texts, dims):
    """An array of objects of these dims."""
    array = np.empty(len(texts), dtype=np.object_)
    array[:] = texts
    return array.reshape(dims)
