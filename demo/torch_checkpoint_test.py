"""Tests of the checkpoint reader on files made here in the serial format."""

import collections
import io
import pickle
import struct

import numpy as np
import pytest

import torch_checkpoint


class _Name:
    """Pickles as a reference to module.name."""

    def __init__(self, module, name):
        self.module, self.name = module, name


class _Writer(pickle._Pickler):  # pylint: disable=protected-access
    """The pure Python pickler: it may write names of modules that do not exist here."""

    def persistent_id(self, obj):
        return obj if isinstance(obj, tuple) and obj and obj[0] == "storage" else None

    def save(self, obj, save_persistent_id=True):
        if isinstance(obj, _Name):
            self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode())
        else:
            super().save(obj, save_persistent_id)


class _Tensor:
    def __init__(self, storage, offset, shape, strides):
        self._call = (storage, offset, shape, strides, False, collections.OrderedDict())

    def __reduce__(self):
        return _rebuild, self._call


def _rebuild():
    """Stands for torch._utils._rebuild_tensor_v2, whose name replaces it in the bytes."""


def _checkpoint(tensors, storages, function=("torch._utils", "_rebuild_tensor_v2")):
    def dump(obj):
        file = io.BytesIO()
        _Writer(file, protocol=2).dump(obj)
        here = f"{_rebuild.__module__}\n{_rebuild.__qualname__}\n".encode()
        return file.getvalue().replace(here, "\n".join((*function, "")).encode())

    parts = [dump(0x1950A86A20F9469CFC6C), dump(1001), dump({"little_endian": True}), dump(tensors)]
    parts.append(dump(list(storages)))
    for values in storages.values():
        parts.append(struct.pack("<q", len(values)) + np.array(values, "<f4").tobytes())
    return b"".join(parts)


def _storage(count):
    return ("storage", _Name("torch", "FloatStorage"), "a", "cpu", count, None)


def test_a_strided_tensor_is_read_in_its_own_order(tmp_path):
    path = tmp_path / "weights.pth"
    tensors = {"w": _Tensor(_storage(6), 0, (2, 3), (1, 2))}
    path.write_bytes(_checkpoint(tensors, {"a": [0, 1, 2, 3, 4, 5]}))
    np.testing.assert_array_equal(torch_checkpoint.load(path)["w"], [[0, 2, 4], [1, 3, 5]])


@pytest.mark.parametrize(
    "offset,shape,strides", [(1, (6,), (1,)), (0, (2, 3), (4, 1)), (0, (2,), (-1,))]
)
def test_a_tensor_outside_its_storage_is_refused(tmp_path, offset, shape, strides):
    path = tmp_path / "weights.pth"
    tensors = {"w": _Tensor(_storage(6), offset, shape, strides)}
    path.write_bytes(_checkpoint(tensors, {"a": [0, 1, 2, 3, 4, 5]}))
    with pytest.raises(torch_checkpoint.CheckpointError, match="outside"):
        torch_checkpoint.load(path)


def test_a_file_that_names_a_function_is_refused(tmp_path):
    path = tmp_path / "weights.pth"
    tensors = {"w": _Tensor(_storage(1), 0, (1,), (1,))}
    path.write_bytes(_checkpoint(tensors, {"a": [0]}, function=("posix", "system")))
    with pytest.raises(torch_checkpoint.CheckpointError, match="posix.system"):
        torch_checkpoint.load(path)


def test_another_file_is_refused(tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(pickle.dumps(17))
    with pytest.raises(torch_checkpoint.CheckpointError, match="serial format"):
        torch_checkpoint.load(path)
