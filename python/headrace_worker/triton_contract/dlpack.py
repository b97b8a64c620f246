"""DLPack without a library: tensors to capsules and back, for every element type, BF16 too.

A capsule holds a pointer to a DLManagedTensor; its consumer calls the deleter in it when it has done with the bytes.
"""

import ctypes
import math

from headrace_worker.triton_contract import values

CPU, CUDA, CUDA_HOST = 1, 2, 3
_INT, _UINT, _FLOAT, _BFLOAT, _BOOL = 0, 1, 2, 4, 6
# By number of Triton: (code, bits). Booleans have a code of their own.
_CODES = {
    1: (_BOOL, 8), 2: (_UINT, 8), 3: (_UINT, 16), 4: (_UINT, 32), 5: (_UINT, 64), 6: (_INT, 8), 7: (_INT, 16),
    8: (_INT, 32), 9: (_INT, 64), 10: (_FLOAT, 16), 11: (_FLOAT, 32), 12: (_FLOAT, 64), 14: (_BFLOAT, 16),
}  # fmt: skip
_NUMBERS = {code: number for number, code in _CODES.items()}
_UNUSED, _USED = b"dltensor", b"used_dltensor"


class _Device(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int32), ("id", ctypes.c_int32)]


class _Type(ctypes.Structure):
    _fields_ = [("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16)]


class _Tensor(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("device", _Device),
        ("rank", ctypes.c_int32),
        ("type", _Type),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    ]


class _Managed(ctypes.Structure):
    pass


_Deleter = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_Managed._fields_ = [("tensor", _Tensor), ("context", ctypes.c_void_p), ("deleter", ctypes.c_void_p)]

_api = ctypes.pythonapi
_is_valid = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.py_object, ctypes.c_char_p)(("PyCapsule_IsValid", _api))
_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(("PyCapsule_GetPointer", _api))
_set_name = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.py_object, ctypes.c_char_p)(("PyCapsule_SetName", _api))


def is_capsule(value):
    """Whether a value is a DLPack capsule that nobody has consumed."""
    return type(value).__name__ == "PyCapsule" and bool(_is_valid(value, _UNUSED))


def to_capsule(number, array):
    """A capsule over a contiguous array. numpy makes it, of an array of unsigned numbers where it does not know the type:
    its deleter is machine code, which a consumer may call while an exception is on its way."""
    code, bits = _CODES[number]
    if code in (_BFLOAT, _BOOL):
        array = array.view(f"u{bits // 8}")
    if not array.flags.writeable:
        array = array.copy()
    capsule = array.__dlpack__()
    _Managed.from_address(_pointer(capsule, _UNUSED)).tensor.type.code = code
    return capsule


def device_of(capsule):
    """(type, number) of the device that a capsule's memory belongs to."""
    device = _Managed.from_address(_pointer(capsule, _UNUSED)).tensor.device
    return device.type, device.id


class Imported:
    """A consumed capsule: `number` of Triton, `dims`, `device` (type, id), `address`; its end calls the deleter."""

    __slots__ = ("number", "dims", "device", "address", "byte_size", "_managed")

    def __init__(self, capsule):
        managed = _Managed.from_address(_pointer(capsule, _UNUSED))
        tensor = managed.tensor
        kind = (tensor.type.code, tensor.type.bits)
        self._managed = None
        if tensor.type.lanes != 1 or kind not in _NUMBERS:
            raise values.TritonModelException(f"DLPack tensor has element type {kind}, which is not supported.")
        dims = tuple(tensor.shape[: tensor.rank])
        if tensor.strides and not _contiguous(dims, tensor.strides[: tensor.rank]):
            raise values.TritonModelException(
                "DLPack tensor is not contiguous. Only contiguous DLPack tensors that are stored in C-Order are supported."
            )
        self.number = _NUMBERS[kind]
        self.dims = dims
        self.device = (tensor.device.type, tensor.device.id)
        self.address = (tensor.data or 0) + tensor.byte_offset
        self.byte_size = math.prod(dims) * kind[1] // 8
        _set_name(capsule, _USED)
        self._managed = managed

    def __del__(self):
        managed, self._managed = getattr(self, "_managed", None), None
        if managed is not None and managed.deleter:
            _Deleter(managed.deleter)(ctypes.addressof(managed))


def _contiguous(dims, strides):
    """Whether strides (elements) are those of C order; dims of one element may have any."""
    expected = 1
    if 0 in dims:
        return True
    for size, stride in zip(reversed(dims), reversed(strides)):
        if size != 1 and stride != expected:
            return False
        expected *= size
    return True
