"""Reads a PyTorch checkpoint of tensors without PyTorch.

Only the serial format of PyTorch before 1.6 is read: a few pickles followed by the raw storages.
The unpickler knows the few names such a file needs and refuses every other, so that a file cannot
run code.
"""

import collections
import pickle
import struct

import numpy as np

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001

_STORAGE_TYPES = {
    "FloatStorage": np.dtype("<f4"),
    "LongStorage": np.dtype("<i8"),
}


class CheckpointError(ValueError):
    """The file is not a checkpoint that this reader knows."""


class _Storage:
    """A flat array that is filled after the pickles have been read."""

    def __init__(self, dtype, count):
        self.dtype = dtype
        self.count = count
        self.values = None


class _TensorView:
    """A tensor's place in its storage: offset and strides count elements."""

    def __init__(self, storage, offset, shape, strides):
        self._storage = storage
        self._offset = offset
        self._shape = shape
        self._strides = strides

    def array(self):
        item = self._storage.dtype.itemsize
        last = self._offset + sum((n - 1) * s for n, s in zip(self._shape, self._strides))
        if self._offset < 0 or min(self._strides, default=0) < 0 or last >= self._storage.count:
            raise CheckpointError("a tensor reaches outside its storage")
        view = np.lib.stride_tricks.as_strided(
            self._storage.values[self._offset :],
            shape=self._shape,
            strides=[s * item for s in self._strides],
        )
        return np.ascontiguousarray(view).reshape(self._shape)


def _rebuild_tensor(storage, offset, shape, strides, *_unused):
    return _TensorView(storage, offset, tuple(shape), tuple(strides))


class _TensorUnpickler(pickle.Unpickler):
    def __init__(self, file):
        super().__init__(file)
        self.storages = {}

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild_tensor
        if module == "torch" and name in _STORAGE_TYPES:
            return _STORAGE_TYPES[name]
        raise CheckpointError(f"the checkpoint names {module}.{name}, which is not a tensor")

    def persistent_load(self, pid):
        kind, dtype, key, _location, count, view = pid
        if kind != "storage" or view is not None:
            raise CheckpointError(f"unexpected persistent object of kind {kind!r}")
        return self.storages.setdefault(key, _Storage(dtype, count))


def load(path):
    """Returns the checkpoint at `path` as a dict from name to numpy array."""
    with open(path, "rb") as file:
        if _TensorUnpickler(file).load() != _MAGIC or _TensorUnpickler(file).load() != _PROTOCOL:
            raise CheckpointError(f"{path} is not a checkpoint of the serial format")
        if not _TensorUnpickler(file).load()["little_endian"]:
            raise CheckpointError(f"{path} was written on a big-endian machine")
        unpickler = _TensorUnpickler(file)
        tensors = unpickler.load()
        for key in _TensorUnpickler(file).load():
            storage = unpickler.storages[key]
            (count,) = struct.unpack("<q", file.read(8))
            if count != storage.count:
                raise CheckpointError(f"storage {key} holds {count} elements, not {storage.count}")
            data = file.read(count * storage.dtype.itemsize)
            storage.values = np.frombuffer(data, dtype=storage.dtype)
        return {name: tensor.array() for name, tensor in tensors.items()}
