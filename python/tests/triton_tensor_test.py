"""Tests of tensors, DLPack and the helpers of triton_python_backend_utils, without a worker."""

import gc
import weakref

import numpy as np
import pytest
import triton_python_backend_utils as pb_utils

from headrace_worker.triton_contract import tensor as tensor_module

_TYPES = (
    np.bool_, np.uint8, np.uint16, np.uint32, np.uint64, np.int8, np.int16, np.int32, np.int64, np.float16, np.float32,
    np.float64,
)  # fmt: skip


@pytest.mark.parametrize(("number", "kind"), list(enumerate(_TYPES, 1)))
def test_every_numpy_type_and_dlpack(number, kind):
    array = np.array([[0, 1], [1, 0]], kind)
    tensor = pb_utils.Tensor("x", array)
    assert (tensor.name(), tensor.triton_dtype(), tensor.shape(), tensor.is_cpu()) == ("x", number, [2, 2], True)
    assert tensor.as_numpy() is array
    again = pb_utils.Tensor.from_dlpack("y", tensor.to_dlpack())
    assert (again.triton_dtype(), again.shape()) == (number, [2, 2])
    assert again.as_numpy().dtype == array.dtype and np.array_equal(again.as_numpy(), array)
    assert pb_utils.triton_to_numpy_type(number) is kind and pb_utils.numpy_to_triton_type(kind) == number
    assert kind is np.bool_ or np.array_equal(np.from_dlpack(tensor), array)


def test_dlpack_shares_memory_and_keeps_it():
    array = np.zeros(4, np.float32)
    end = weakref.ref(array)
    tensor = pb_utils.Tensor.from_dlpack("x", pb_utils.Tensor("y", array))
    array[1] = 5
    assert tensor.as_numpy().tolist() == [0, 5, 0, 0]
    view = tensor.as_numpy()[1:]
    del array, tensor
    gc.collect()
    assert end() is not None and view[0] == 5
    del view
    gc.collect()
    assert end() is None


def test_a_capsule_that_nobody_takes_lets_go():
    array = np.zeros(4, np.float32)
    end = weakref.ref(array)
    capsule = pb_utils.Tensor("y", array).to_dlpack()
    del array, capsule
    gc.collect()
    assert end() is None


def test_a_consumer_that_fails_lets_go():
    array = np.zeros(4, np.float32)
    end = weakref.ref(array)
    tensor = pb_utils.Tensor("y", array)

    class Fails:
        def __dlpack__(self, **_):
            return tensor.to_dlpack(), 5

        def __dlpack_device__(self):
            return 1, 0

    for _ in range(3):
        with pytest.raises(ValueError, match="PyCapsule"):
            np.from_dlpack(Fails())
    del array, tensor
    gc.collect()
    assert end() is None


@pytest.mark.parametrize("dims", [(), (0,), (3, 0, 2), (1,), (2, 1, 3)])
def test_dlpack_of_any_shape(dims):
    array = np.arange(np.prod(dims, dtype=int), dtype=np.int64).reshape(dims)
    tensor = pb_utils.Tensor.from_dlpack("x", pb_utils.Tensor("y", array))
    assert np.array_equal(tensor.as_numpy(), array) and tensor.shape() == list(dims)


def test_torch_tensors():
    torch = pytest.importorskip("torch")
    given = torch.arange(6, dtype=torch.float32).reshape(2, 3)
    tensor = pb_utils.Tensor.from_dlpack("x", given)
    given[0, 0] = 9
    assert tensor.as_numpy()[0, 0] == 9
    back = torch.from_dlpack(tensor)
    back[0, 1] = 7
    assert given[0, 1] == 7


def test_what_torch_drops_while_an_exception_is_on_its_way():
    torch = pytest.importorskip("torch")
    array = np.zeros(4, np.float32)
    end = weakref.ref(array)
    with pytest.raises(RuntimeError, match="size mismatch|shapes|must match"):
        torch.add(torch.from_dlpack(pb_utils.Tensor("x", array)), torch.ones(3))
    del array
    gc.collect()
    assert end() is None


def test_bf16_has_dlpack_only():
    torch = pytest.importorskip("torch")
    given = torch.tensor([1.5, -2.0], dtype=torch.bfloat16)
    tensor = pb_utils.Tensor.from_dlpack("x", given)
    assert tensor.triton_dtype() == 14 and tensor.shape() == [2]
    with pytest.raises(pb_utils.TritonModelException, match="BF16 and cannot be converted to NumPy"):
        tensor.as_numpy()
    assert torch.equal(torch.from_dlpack(tensor), given)
    assert tensor._elements().tobytes() == given.view(torch.uint16).numpy().tobytes()


def test_an_input_is_a_view_of_its_block():
    block = np.arange(64, dtype=np.uint8)
    tensor = tensor_module.InputTensor(("x", 8, (2, 2), 1016, 16), block, 1000)
    array = tensor.as_numpy()
    assert array.tolist() == np.frombuffer(block[16:32].tobytes(), np.int32).reshape(2, 2).tolist()
    assert np.shares_memory(array, block) and tensor.as_numpy() is array and tensor.shape() == [2, 2]


def test_texts_of_an_input():
    data = pb_utils.serialize_byte_tensor(np.array([b"a", "\u00e4", 5], dtype=object))
    block = np.frombuffer(data, np.uint8)
    tensor = tensor_module.InputTensor(("x", 13, (3, 1), 64, len(data)), block, 64)
    assert tensor.as_numpy().tolist() == [[b"a"], ["\u00e4".encode()], [b"5"]]


def test_bf16_of_an_input():
    torch = pytest.importorskip("torch")
    given = torch.tensor([1.5, -2.0], dtype=torch.bfloat16)
    block = given.view(torch.uint8).numpy().copy()
    tensor = tensor_module.InputTensor(("x", 14, (2,), 4096, 4), block, 4096)
    assert torch.equal(torch.from_dlpack(tensor), given)
    with pytest.raises(pb_utils.TritonModelException, match="BF16"):
        tensor.as_numpy()


def test_arrays_that_are_not_contiguous_or_of_the_other_byte_order():
    array = np.arange(12, dtype=np.int32).reshape(3, 4)[:, ::2]
    assert np.array_equal(pb_utils.Tensor.from_dlpack("x", pb_utils.Tensor("y", array)).as_numpy(), array)
    swapped = pb_utils.Tensor("x", np.array([1, 2], ">i4"))
    assert swapped.triton_dtype() == 8 and swapped.as_numpy().tolist() == [1, 2] and swapped.as_numpy().dtype == np.int32


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: pb_utils.Tensor("", np.zeros(1)), "Tensor name cannot be an empty string."),
        (lambda: pb_utils.Tensor.from_dlpack("", np.zeros(1)), "Tensor name cannot be an empty string."),
        (lambda: pb_utils.Tensor("x", np.zeros(1, np.complex64)), "complex64"),
        (lambda: pb_utils.Tensor("x", np.array(["a"], object)).to_dlpack(), "DLPack does not have support for string tensors."),
        (lambda: pb_utils.Tensor.from_dlpack("x", 5), "Provided tensor is not supported."),
        (
            lambda: pb_utils.Tensor.from_dlpack("x", np.arange(12).reshape(3, 4)[:, ::2]),
            "DLPack tensor is not contiguous. Only contiguous DLPack tensors that are stored in C-Order are supported.",
        ),
        (lambda: pb_utils.Tensor.from_dlpack("x", np.zeros(2, np.complex64)), "element type"),
        (lambda: pb_utils.load_model("m"), "served only"),
    ],
)
def test_what_cannot_be_done_says_why(make, text):
    with pytest.raises(pb_utils.TritonModelException) as caught:
        make()
    assert text in str(caught.value)


def test_what_is_no_array_is_refused():
    with pytest.raises(TypeError, match="list"):
        pb_utils.Tensor("x", [1, 2])


def test_texts_are_packed_and_read():
    array = np.array([[b"a\0", "b"], ["", 7]], dtype=object)
    data = pb_utils.serialize_byte_tensor(array)
    assert pb_utils.deserialize_bytes_tensor(data).tolist() == [b"a\0", b"b", b"", b"7"]
    assert pb_utils.serialize_byte_tensor(np.array([b"ab", b"c"])) == b"\2\0\0\0ab\1\0\0\0c"
    assert pb_utils.serialize_byte_tensor(np.zeros(0, object)) == ()
    assert pb_utils.serialize_byte_tensor(np.zeros(1)) is None
    for size in range(1, len(data)):
        if size not in (6, 11, 15):
            with pytest.raises(ValueError, match="Invalid bytes tensor data"):
                pb_utils.deserialize_bytes_tensor(data[:size])


def test_errors_and_their_codes():
    error = pb_utils.TritonError("text", pb_utils.TritonError.NOT_FOUND)
    assert (error.message(), error.code(), int(error.code())) == ("text", pb_utils.TritonError.NOT_FOUND, 2)
    assert str(error.code()) == "__ErrorCode.NOT_FOUND"
    assert pb_utils.TritonError("x").code() == pb_utils.TritonError.INTERNAL


def test_helpers():
    config = {"input": [{"name": "a", "dims": [1]}], "output": [{"name": "b"}], "model_transaction_policy": {"decoupled": True}}
    assert pb_utils.get_input_config_by_name(config, "a") == {"name": "a", "dims": [1]}
    assert pb_utils.get_output_config_by_name(config, "b") == {"name": "b"}
    assert pb_utils.get_output_config_by_name(config, "a") is None and pb_utils.get_input_config_by_name({}, "a") is None
    assert pb_utils.using_decoupled_model_transaction_policy(config)
    assert not pb_utils.using_decoupled_model_transaction_policy({})
    assert pb_utils.triton_string_to_numpy("TYPE_FP16") is np.float16
    response = pb_utils.InferenceResponse([pb_utils.Tensor("x", np.zeros(1))])
    assert pb_utils.get_output_tensor_by_name(response, "x").name() == "x"
    assert pb_utils.get_output_tensor_by_name(response, "y") is None
    assert pb_utils.triton_to_numpy_type(14) is None and pb_utils.numpy_to_triton_type(np.bytes_) == 13
