"""Arrays of every datatype of the protocol."""

import ml_dtypes
import numpy

# With what each can hold at the most and at the least.
EXTREMES = {
    "BOOL": numpy.array([True, False, True, True]),
    "UINT8": numpy.array([0, 1, 255], numpy.uint8),
    "UINT16": numpy.array([0, 1, 2**16 - 1], numpy.uint16),
    "UINT32": numpy.array([0, 1, 2**32 - 1], numpy.uint32),
    "UINT64": numpy.array([0, 1, 2**64 - 1], numpy.uint64),
    "INT8": numpy.array([-128, 0, 127], numpy.int8),
    "INT16": numpy.array([-(2**15), 0, 2**15 - 1], numpy.int16),
    "INT32": numpy.array([-(2**31), 0, 2**31 - 1], numpy.int32),
    "INT64": numpy.array([-(2**63), 0, 2**63 - 1], numpy.int64),
    "FP16": numpy.array([0.5, -65504, 6e-8], numpy.float16),
    "FP32": numpy.array([0.1, -3.4e38, 1e-45], numpy.float32),
    "FP64": numpy.array([0.1, -1.7e308, 5e-324], numpy.float64),
    "BYTES": numpy.array([b"", b"bytes", "ä\U0001f600".encode()], numpy.object_),
    "BF16": numpy.array([0.5, -2.0, 3.0e38, 1e-40], ml_dtypes.bfloat16),
}
