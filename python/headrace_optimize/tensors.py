"""Element types, as configurations, requests and numpy call them."""

import numpy

_ROWS = (
    ("BOOL", numpy.bool_),
    ("UINT8", numpy.uint8),
    ("UINT16", numpy.uint16),
    ("UINT32", numpy.uint32),
    ("UINT64", numpy.uint64),
    ("INT8", numpy.int8),
    ("INT16", numpy.int16),
    ("INT32", numpy.int32),
    ("INT64", numpy.int64),
    ("FP16", numpy.float16),
    ("FP32", numpy.float32),
    ("FP64", numpy.float64),
)
_NUMPY = {name: numpy.dtype(kind) for name, kind in _ROWS}
_NAMES = {dtype: name for name, dtype in _NUMPY.items()}


def to_numpy(name: str) -> numpy.dtype:
    """Of "FP32", "TYPE_FP32" or "fp32". KeyError for types that numpy lacks (BF16, strings)."""
    return _NUMPY[name.upper().removeprefix("TYPE_")]


def is_known(name: str) -> bool:
    """Whether there is a numpy type for it."""
    return name.upper().removeprefix("TYPE_") in _NUMPY


def name_of(dtype: numpy.dtype) -> str:
    """"FP32" for float32."""
    return _NAMES[numpy.dtype(dtype)]
