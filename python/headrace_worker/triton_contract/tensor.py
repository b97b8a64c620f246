"""Tensors: numpy arrays, views of the data region, and what other frameworks hold."""

import ctypes

import numpy as np

from headrace_worker.triton_contract import dlpack, element_types, values

_BYTES = element_types.BYTES
_BF16 = element_types.BF16
_DTYPES = element_types.DTYPES
_NUMBERS = element_types.NUMBERS


class Tensor:
    """A named tensor: of a numpy array (kept, not copied), or of DLPack.

    `_array` holds the elements: of the tensor's own numpy type, of objects for texts, of uint16 for BF16; None for memory of
    a GPU (`_foreign` holds that one then) and for an input that nobody has looked at yet.
    """

    __slots__ = ("_name", "_number", "_array", "_foreign", "__weakref__")

    def __init__(self, name, numpy_array):
        if not name:
            raise values.TritonModelException("Tensor name cannot be an empty string.")
        try:
            number = _NUMBERS[numpy_array.dtype]
        except (KeyError, AttributeError):
            number, numpy_array = _unusual(numpy_array)
        self._name = name
        self._number = number
        self._array = numpy_array
        self._foreign = None

    def name(self):
        """The name."""
        return self._name

    def as_numpy(self):
        """The elements; texts as an array of bytes objects. An input is a view of memory that the server wrote."""
        array = self._array
        if array is None:
            raise values.TritonModelException("Tensor is stored in GPU and cannot be converted to NumPy.")
        if self._number == _BF16:
            raise values.TritonModelException(
                "Tensor dtype is BF16 and cannot be converted to NumPy. Use to_dlpack() and from_dlpack() instead."
            )
        return array

    def triton_dtype(self):
        """The number of the element type."""
        return self._number

    def shape(self):
        """The dims as a list."""
        return list(self._dims())

    def is_cpu(self):
        """Whether the elements lie in memory of the CPU."""
        return self._foreign is None

    def to_dlpack(self):
        """A DLPack capsule over the same memory."""
        if self._number == _BYTES:
            raise values.TritonModelException("DLPack does not have support for string tensors.")
        if self._foreign is not None:
            return self._foreign.__dlpack__()
        return dlpack.to_capsule(self._number, np.ascontiguousarray(self._elements()).reshape(self._dims()))

    def __dlpack__(self, stream=None, **_):
        return self.to_dlpack()

    def __dlpack_device__(self):
        return (dlpack.CPU, 0) if self._foreign is None else tuple(map(int, self._foreign.__dlpack_device__()))

    @staticmethod
    def from_dlpack(name, tensor):
        """A tensor over the memory of a DLPack capsule, or of what gives one (a torch tensor, ...)."""
        if not name:
            raise values.TritonModelException("Tensor name cannot be an empty string.")
        capsule = tensor
        if not dlpack.is_capsule(tensor):
            if not hasattr(tensor, "__dlpack__") or not hasattr(tensor, "__dlpack_device__"):
                raise values.TritonModelException(
                    "Provided tensor is not supported. Tensor must be a DLPack capsule         "
                    "or have `__dlpack__` and `__dlpack_device__` attributes"
                )
            capsule = tensor.__dlpack__()
        if dlpack.device_of(capsule)[0] != dlpack.CUDA:
            return _over(name, dlpack.Imported(capsule))
        if capsule is tensor:
            tensor = _torch_dlpack(name).from_dlpack(capsule)
            capsule = tensor.__dlpack__()
        return _on_device(name, tensor, dlpack.Imported(capsule))

    def _dims(self):
        return self._array.shape if self._array is not None else tuple(self._foreign.shape)

    def _elements(self):
        """The array of the elements, in memory of the CPU."""
        if self._array is None:
            self._array = _from_device(self)
        return self._array


class InputTensor(Tensor):
    """A tensor of a request or of a called model's response: its array is made when it is first asked for.

    `block` is an array of bytes over the block that it lies in, which begins at `start` of the region.
    """

    __slots__ = ("_shape", "_offset", "_size", "_block", "_start")

    def __init__(self, parsed, block, start):
        self._name, self._number, self._shape, self._offset, self._size = parsed
        self._block = block
        self._start = start
        self._array = None
        self._foreign = None

    def as_numpy(self):
        array = self._array
        if array is None:
            array = self._array = self._view()
        return array if self._number != _BF16 else Tensor.as_numpy(self)

    def _view(self):
        number = self._number
        if number == _BYTES:
            at = self._offset - self._start
            data = self._block[at : at + self._size].data
            return element_types.text_array(element_types.unpack_texts(data), self._shape)
        dtype = _DTYPES[number] or np.dtype(np.uint16)
        if not self._size:
            return np.empty(self._shape, dtype)
        return np.ndarray(self._shape, dtype, self._block, self._offset - self._start)

    def _dims(self):
        return self._shape

    def _elements(self):
        if self._array is None:
            self._array = self._view()
        return self._array


def _unusual(array):
    """(number, array) for what is not of a common numpy type."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"a Tensor is made of a numpy.ndarray, not of {type(array).__name__}")
    number = element_types.number_of(array.dtype)
    if number == 0:
        raise values.TritonModelException(f"a Tensor cannot hold elements of numpy type '{array.dtype}'")
    if number == _BF16:
        return number, array.view(np.uint16)
    if number == _BYTES:
        return number, array
    return number, array.astype(array.dtype.newbyteorder("="))


def _bare(name, number):
    tensor = Tensor.__new__(Tensor)
    tensor._name = name
    tensor._number = number
    tensor._array = tensor._foreign = None
    return tensor


def _over(name, imported):
    """A tensor over memory of another framework that the CPU reads."""
    tensor = _bare(name, imported.number)
    dtype = _DTYPES[imported.number] or np.dtype(np.uint16)
    if imported.byte_size:
        memory = (ctypes.c_ubyte * imported.byte_size).from_address(imported.address)
        memory._keeps = imported
        tensor._array = np.ndarray(imported.dims, dtype, memory)
    else:
        tensor._array = np.empty(imported.dims, dtype)
    return tensor


def _on_device(name, foreign, imported):
    """A tensor in memory of a GPU, which `foreign` (a torch tensor or its like) holds."""
    tensor = _bare(name, imported.number)
    tensor._foreign = foreign
    return tensor


def _torch_dlpack(name):
    try:
        import torch.utils.dlpack
    except ImportError:
        raise values.TritonModelException(
            f"the tensor '{name}' lies in memory of a GPU, and torch, which reads it, is not installed"
        ) from None
    return torch.utils.dlpack


def _from_device(tensor):
    """The elements of a tensor of a GPU, copied by torch."""
    module = _torch_dlpack(tensor.name())
    copied = module.from_dlpack(tensor._foreign.__dlpack__()).cpu().contiguous()
    return _over(tensor.name(), dlpack.Imported(module.to_dlpack(copied)))._array
