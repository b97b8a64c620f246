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
_new_capsule = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)(
    ("PyCapsule_New", _api)
)
_is_valid = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.py_object, ctypes.c_char_p)(("PyCapsule_IsValid", _api))
_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(("PyCapsule_GetPointer", _api))
_set_name = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.py_object, ctypes.c_char_p)(("PyCapsule_SetName", _api))
_CapsuleDestructor = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)

# Address of a capsule -> (where its name's address stands, the name of an unused one, key of _exported).
_capsules = {}
# Address of an exported DLManagedTensor -> what it refers to, until its deleter is called.
_exported = {}


@_Deleter
def _delete(address):
    _exported.pop(address, None)


@_CapsuleDestructor
def _end_capsule(capsule):
    """A capsule that nobody has consumed takes its tensor with it. Whoever drops it may have an exception on the way, and
    then hardly a function of the interpreter can be called: all that is needed is prepared."""
    entry = _capsules.pop(capsule, None)
    if entry is not None and entry[0].value == entry[1]:
        _exported.pop(entry[2], None)


_delete_address = ctypes.cast(_delete, ctypes.c_void_p)
_end_capsule_address = ctypes.cast(_end_capsule, ctypes.c_void_p)


def is_capsule(value):
    """Whether a value is a DLPack capsule that nobody has consumed."""
    return type(value).__name__ == "PyCapsule" and bool(_is_valid(value, _UNUSED))


def to_capsule(number, dims, address, device, owner):
    """A capsule over `address` (contiguous, C order) that keeps `owner` until its consumer has done."""
    code, bits = _CODES[number]
    shape = (ctypes.c_int64 * max(len(dims), 1))(*dims)
    managed = _Managed()
    managed.tensor.data = address
    managed.tensor.device = _Device(*device)
    managed.tensor.rank = len(dims)
    managed.tensor.type = _Type(code, bits, 1)
    managed.tensor.shape = shape
    managed.deleter = _delete_address
    place = ctypes.addressof(managed)
    _exported[place] = (managed, shape, owner)
    capsule = _new_capsule(place, _UNUSED, _end_capsule_address)
    # A capsule is an object's head, its pointer, and the address of its name, which its consumer changes.
    name = ctypes.c_void_p.from_address(id(capsule) + object.__basicsize__ + ctypes.sizeof(ctypes.c_void_p))
    _capsules[id(capsule)] = (name, name.value, place)
    return capsule


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
