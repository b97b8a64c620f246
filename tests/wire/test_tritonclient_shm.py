"""Client shared memory over HTTP, with tritonclient's own helpers."""

import contextlib

import numpy
import pytest
import tritonclient.http as client_module
import tritonclient.utils.shared_memory as shm
from tritonclient.utils import InferenceServerException, serialize_byte_tensor

from harness import models
from harness import server as server_module


@pytest.fixture(scope="module", name="server")
def _server(tmp_path_factory):
    repository = models.standard(tmp_path_factory.mktemp("shm"))
    with server_module.running(repository, "--allow-client-shm=true", "--client-shm-regions-max=8") as running:
        yield running


@pytest.fixture(name="client")
def _client(server):
    with client_module.InferenceServerClient(server.url) as client:
        yield client
        client.unregister_system_shared_memory()


@contextlib.contextmanager
def _object(name, byte_size):
    handle = shm.create_shared_memory_region(name, f"/headrace_{name}", byte_size)
    try:
        yield handle
    finally:
        shm.destroy_shared_memory_region(handle)


def _input(name, shape, dtype, region, byte_size, offset=0):
    tensor = client_module.InferInput(name, list(shape), dtype)
    tensor.set_shared_memory(region, byte_size, offset)
    return tensor


def _output(region, byte_size, offset=0):
    output = client_module.InferRequestedOutput("OUTPUT0")
    output.set_shared_memory(region, byte_size, offset)
    return output


def test_tensors_go_both_ways_through_shared_memory(client):
    values = numpy.arange(1000, dtype=numpy.float32)
    with _object("in", values.nbytes + 64) as source, _object("out", values.nbytes) as target:
        shm.set_shared_memory_region(source, [values], offset=64)
        client.register_system_shared_memory("in", "/headrace_in", values.nbytes + 64)
        client.register_system_shared_memory("out", "/headrace_out", values.nbytes)
        result = client.infer(
            "identity_fp32",
            [_input("INPUT0", [1000], "FP32", "in", values.nbytes, 64)],
            outputs=[_output("out", values.nbytes)],
        )
        described = result.get_output("OUTPUT0")
        assert described["shape"] == [1000] and "data" not in described
        numpy.testing.assert_array_equal(shm.get_contents_as_numpy(target, numpy.float32, [1000]), values)


def test_shared_and_ordinary_tensors_mix(client):
    values = numpy.arange(4, dtype=numpy.float32)
    with _object("mix", values.nbytes) as source:
        shm.set_shared_memory_region(source, [values])
        client.register_system_shared_memory("mix", "/headrace_mix", values.nbytes)
        other = client_module.InferInput("INPUT1", [2], "INT32")
        other.set_data_from_numpy(numpy.array([5, 6], numpy.int32))
        result = client.infer("pair", [_input("INPUT0", [4], "FP32", "mix", values.nbytes), other])
        numpy.testing.assert_array_equal(result.as_numpy("OUTPUT0"), values)
        numpy.testing.assert_array_equal(result.as_numpy("OUTPUT1"), [5, 6])


def test_strings_go_through_shared_memory(client):
    values = numpy.array([b"", b"a\0b", "ü".encode()], dtype=object)
    serialised = serialize_byte_tensor(values)
    byte_size = len(serialised.item())
    with _object("text", byte_size) as source, _object("text_out", 256) as target:
        shm.set_shared_memory_region(source, [serialised])
        client.register_system_shared_memory("text", "/headrace_text", byte_size)
        client.register_system_shared_memory("text_out", "/headrace_text_out", 256)
        client.infer(
            "identity_bytes",
            [_input("INPUT0", [3], "BYTES", "text", byte_size)],
            outputs=[_output("text_out", 256)],
        )
        assert list(shm.get_contents_as_numpy(target, numpy.object_, [3])) == list(values)


def test_status_lists_what_is_registered(client):
    with _object("status", 4096):
        client.register_system_shared_memory("a", "/headrace_status", 128, offset=16)
        client.register_system_shared_memory("b", "/headrace_status", 4096)
        assert client.get_system_shared_memory_status() == [
            {"name": "a", "key": "/headrace_status", "offset": 16, "byte_size": 128},
            {"name": "b", "key": "/headrace_status", "offset": 0, "byte_size": 4096},
        ]
        assert [region["name"] for region in client.get_system_shared_memory_status("b")] == ["b"]
        client.unregister_system_shared_memory("a")
        assert [region["name"] for region in client.get_system_shared_memory_status()] == ["b"]
        client.unregister_system_shared_memory()
        assert client.get_system_shared_memory_status() == []


def test_an_output_region_that_is_too_small_is_refused_with_the_size_needed(client):
    values = numpy.arange(16, dtype=numpy.float32)
    with _object("small", values.nbytes) as source:
        shm.set_shared_memory_region(source, [values])
        client.register_system_shared_memory("small", "/headrace_small", values.nbytes)
        with pytest.raises(InferenceServerException, match="should be at least 64 bytes to hold the results"):
            client.infer(
                "identity_fp32",
                [_input("INPUT0", [16], "FP32", "small", values.nbytes)],
                outputs=[_output("small", 60)],
            )


def test_cuda_regions_are_answered_clearly_without_a_gpu(client):
    assert client.get_cuda_shared_memory_status() == []
    with pytest.raises(InferenceServerException, match="GPUs not supported"):
        client.register_cuda_shared_memory("cuda", b"\0" * 64, 0, 1024)
    client.unregister_cuda_shared_memory("cuda")
    with pytest.raises(InferenceServerException, match="Unable to find cuda shared memory region"):
        client.get_cuda_shared_memory_status("cuda")
