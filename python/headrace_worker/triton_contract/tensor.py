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
    a GPU and for an input that nobody has looked at yet.
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
        return self._foreign is None or self._foreign.device[0] != dlpack.CUDA

    def to_dlpack(self):
        """A DLPack capsule over the same memory."""
        if self._number == _BYTES:
            raise values.TritonModelException("DLPack does not have support for string tensors.")
        if self._foreign is not None:
            foreign = self._foreign
            return dlpack.to_capsule(foreign.number, foreign.dims, foreign.address, foreign.device, foreign)
        array = np.ascontiguousarray(self._elements())
        return dlpack.to_capsule(self._number, self._dims(), array.ctypes.data, (dlpack.CPU, 0), array)

    def __dlpack__(self, stream=None, **_):
        return self.to_dlpack()

    def __dlpack_device__(self):
        return self._foreign.device if self._foreign is not None else (dlpack.CPU, 0)

    @staticmethod
    def from_dlpack(name, tensor):
        """A tensor over the memory of a DLPack capsule, or of what gives one (a torch tensor, ...)."""
        if not name:
            raise values.TritonModelException("Tensor name cannot be an empty string.")
        if not dlpack.is_capsule(tensor):
            if not hasattr(tensor, "__dlpack__") or not hasattr(tensor, "__dlpack_device__"):
                raise values.TritonModelException(
                    "Provided tensor is not supported. Tensor must be a DLPack capsule         "
                    "or have `__dlpack__` and `__dlpack_device__` attributes"
                )
            tensor = tensor.__dlpack__()
        return _over(name, dlpack.Imported(tensor))

    def _dims(self):
        return self._array.shape if self._array is not None else self._foreign.dims

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


def _over(name, foreign):
    """A tensor over memory of another framework."""
    tensor = Tensor.__new__(Tensor)
    tensor._name = name
    tensor._number = foreign.number
    tensor._foreign = foreign
    tensor._array = None
    if foreign.device[0] != dlpack.CUDA:
        dtype = _DTYPES[foreign.number] or np.dtype(np.uint16)
        if foreign.byte_size:
            memory = (ctypes.c_ubyte * foreign.byte_size).from_address(foreign.address)
            memory._keeps = foreign
            tensor._array = np.ndarray(foreign.dims, dtype, memory)
        else:
            tensor._array = np.empty(foreign.dims, dtype)
    return tensor


def _from_device(tensor):
    """The elements of a tensor of a GPU, copied by torch."""
    try:
        import torch.utils.dlpack
    except ImportError:
        raise values.TritonModelException(
            f"the tensor '{tensor.name()}' lies in memory of a GPU, and torch, which copies it, is not installed"
        ) from None
    copied = torch.utils.dlpack.from_dlpack(tensor.to_dlpack()).cpu().contiguous()
    return _over(tensor.name(), dlpack.Imported(torch.utils.dlpack.to_dlpack(copied)))._array
