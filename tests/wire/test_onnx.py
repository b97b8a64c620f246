"""The onnxruntime backend, over models of a few nodes that are made here."""

import contextlib
import shutil

import numpy
import onnx
import pytest
import tritonclient.http as client_module
from onnx import TensorProto, helper
from tritonclient.utils import InferenceServerException

from harness import backends, models, raw_http, resources
from harness import server as server_module

# Old enough for every runtime that loads here.
_IR_VERSION, _OPSET = 8, 13


def save(repository, name, nodes, inputs, outputs, config=None, initializers=()):
    """Writes a model; tensors are (name, ONNX type, shape)."""

    def infos(tensors):
        return [helper.make_tensor_value_info(*tensor) for tensor in tensors]

    graph = helper.make_graph(nodes, name, infos(inputs), infos(outputs), list(initializers))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)])
    model.ir_version = _IR_VERSION
    onnx.checker.check_model(model)
    directory = repository / name
    (directory / "1").mkdir(parents=True)
    onnx.save(model, str(directory / "1" / "model.onnx"))
    if config is not None:
        (directory / "config.pbtxt").write_text(config, encoding="utf-8")


_CONFIG_TYPES = {
    TensorProto.BOOL: "TYPE_BOOL",
    TensorProto.STRING: "TYPE_STRING",
    TensorProto.FLOAT16: "TYPE_FP16",
    TensorProto.FLOAT: "TYPE_FP32",
    TensorProto.DOUBLE: "TYPE_FP64",
    **{getattr(TensorProto, f"{s}INT{bits}"): f"TYPE_{s}INT{bits}" for s in ("", "U") for bits in (8, 16, 32, 64)},
}


def save_unbatched(repository, name, nodes, inputs, outputs):
    """With a configuration that says that no dimension is the batch's: completed, a model whose tensors all begin with
    a variable dimension would batch."""
    config = 'backend: "onnxruntime"\nmax_batch_size: 0\n'
    for kind, tensors in (("input", inputs), ("output", outputs)):
        for tensor_name, dtype, shape in tensors:
            dims = ", ".join(str(dim if isinstance(dim, int) else -1) for dim in shape)
            config += f'{kind} {{ name: "{tensor_name}" data_type: {_CONFIG_TYPES[dtype]} dims: [ {dims} ] }}\n'
    save(repository, name, nodes, inputs, outputs, config)


def save_with_external_weights(repository, name, config):
    """Y = X @ W with X [n, 64], W [64, 64] all ones, and W in a file of its own; returns that file."""
    weights = helper.make_tensor("W", TensorProto.FLOAT, [64, 64], numpy.ones(64 * 64, numpy.float32).tobytes(), raw=True)
    save(
        repository,
        name,
        [helper.make_node("MatMul", ["X", "W"], ["Y"])],
        [("X", TensorProto.FLOAT, ["n", 64])],
        [("Y", TensorProto.FLOAT, ["n", 64])],
        config,
        [weights],
    )
    path = repository / name / "1" / "model.onnx"
    onnx.save(onnx.load(str(path)), str(path), save_as_external_data=True, location="weights.bin", size_threshold=0)
    return path.with_name("weights.bin")


def save_all(repository):
    add_sub = [helper.make_node("Add", ["A", "B"], ["SUM"]), helper.make_node("Sub", ["A", "B"], ["DIFFERENCE"])]
    pair = [("A", TensorProto.FLOAT, ["n", 4]), ("B", TensorProto.FLOAT, ["n", 4])]
    results = [("SUM", TensorProto.FLOAT, ["n", 4]), ("DIFFERENCE", TensorProto.FLOAT, ["n", 4])]
    save(repository, "add_sub", add_sub, pair, results)
    save(repository, "add_sub_minimal", add_sub, pair, results, 'backend: "onnxruntime"\n')
    save(
        repository,
        "add_sub_batching",
        add_sub,
        pair,
        results,
        'backend: "onnxruntime"\nmax_batch_size: 16\ndynamic_batching { max_queue_delay_microseconds: 300000 }\n'
        "instance_group { count: 1 kind: KIND_CPU }\n",
    )
    save(
        repository,
        "add_sub_options",
        add_sub,
        pair,
        results,
        'platform: "onnxruntime_onnx"\nmax_batch_size: 4\n'
        + models.parameter("intra_op_thread_count", 1)
        + models.parameter("inter_op_thread_count", 1)
        + models.parameter("enable_mem_arena", 0)
        + models.parameter("enable_mem_pattern", 0)
        + models.parameter("session.intra_op.allow_spinning", 0)
        + "optimization { graph { level: 1 } }\n",
    )
    strings = [("TEXT", TensorProto.STRING, ["n"])]
    copy = [helper.make_node("Identity", ["TEXT"], ["COPY"])]
    save_unbatched(repository, "strings", copy, strings, [("COPY", TensorProto.STRING, ["n"])])
    save(
        repository,
        "string_batches",
        copy,
        [("TEXT", TensorProto.STRING, ["n", "m"])],
        [("COPY", TensorProto.STRING, ["n", "m"])],
        'backend: "onnxruntime"\nmax_batch_size: 8\n',
    )
    save_unbatched(
        repository,
        "transpose",
        [helper.make_node("Transpose", ["X"], ["Y"], perm=[1, 0])],
        [("X", TensorProto.FLOAT, ["rows", "columns"])],
        [("Y", TensorProto.FLOAT, ["columns", "rows"])],
    )
    save_unbatched(
        repository,
        "nonzero",
        [helper.make_node("NonZero", ["X"], ["Y"])],
        [("X", TensorProto.FLOAT, ["n"])],
        [("Y", TensorProto.INT64, [1, "m"])],
    )
    for dtype, kind in _TYPES.items():
        save_unbatched(
            repository,
            f"copy_{dtype.lower()}",
            [helper.make_node("Identity", ["X"], ["Y"])],
            [("X", kind, ["n"])],
            [("Y", kind, ["n"])],
        )
    save_unbatched(
        repository,
        "reshape",
        [helper.make_node("Reshape", ["X", "SHAPE"], ["Y"])],
        [("X", TensorProto.FLOAT, ["n"]), ("SHAPE", TensorProto.INT64, [2])],
        [("Y", TensorProto.FLOAT, ["a", "b"])],
    )
    return repository


_TYPES = {
    "BOOL": TensorProto.BOOL,
    "UINT8": TensorProto.UINT8,
    "UINT16": TensorProto.UINT16,
    "UINT32": TensorProto.UINT32,
    "UINT64": TensorProto.UINT64,
    "INT8": TensorProto.INT8,
    "INT16": TensorProto.INT16,
    "INT32": TensorProto.INT32,
    "INT64": TensorProto.INT64,
    "FP16": TensorProto.FLOAT16,
    "FP32": TensorProto.FLOAT,
    "FP64": TensorProto.DOUBLE,
}
_NUMPY = {
    "BOOL": numpy.bool_,
    "FP16": numpy.float16,
    "FP32": numpy.float32,
    "FP64": numpy.float64,
    **{f"{sign}INT{bits}": numpy.dtype(f"{sign}INT{bits}".lower()) for sign in ("", "U") for bits in (8, 16, 32, 64)},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with server_module.running(save_all(tmp_path_factory.mktemp("onnx"))) as running:
        yield running


@pytest.fixture(name="client")
def _client(server):
    with client_module.InferenceServerClient(server.url, concurrency=16) as client:
        yield client
    assert server.alive(), server.output()


def tensor(name, array, dtype):
    result = client_module.InferInput(name, list(array.shape), dtype)
    result.set_data_from_numpy(array)
    return result


def pair(a, b):
    return [tensor("A", a, "FP32"), tensor("B", b, "FP32")]


def rows(count, start=0.0):
    return numpy.arange(start, start + 4 * count, dtype=numpy.float32).reshape(count, 4)


@pytest.mark.parametrize("model", ["add_sub", "add_sub_minimal", "add_sub_batching", "add_sub_options"])
@pytest.mark.parametrize("count", [1, 3])
def test_sums_and_differences(client, model, count):
    a, b = rows(count), rows(count, 100.5)
    result = client.infer(model, pair(a, b))
    assert (result.as_numpy("SUM") == a + b).all() and (result.as_numpy("DIFFERENCE") == a - b).all()


def test_one_of_two_outputs(client):
    wanted = [client_module.InferRequestedOutput("DIFFERENCE", binary_data=True)]
    result = client.infer("add_sub", pair(rows(1), rows(1)), outputs=wanted)
    assert result.as_numpy("SUM") is None and (result.as_numpy("DIFFERENCE") == 0).all()


@pytest.mark.parametrize("model", ["add_sub", "add_sub_minimal"])
def test_a_missing_configuration_is_completed(client, model):
    config = client.get_model_config(model)
    assert config["backend"] == "onnxruntime" and config["platform"] == "onnxruntime_onnx"
    assert config["default_model_filename"] == "model.onnx"
    assert config["max_batch_size"] == 4
    assert "dynamic_batching" in config
    assert {(i["name"], i["data_type"], tuple(i["dims"])) for i in config["input"]} == {
        ("A", "TYPE_FP32", (4,)),
        ("B", "TYPE_FP32", (4,)),
    }
    assert {(o["name"], o["data_type"], tuple(o["dims"])) for o in config["output"]} == {
        ("SUM", "TYPE_FP32", (4,)),
        ("DIFFERENCE", "TYPE_FP32", (4,)),
    }
    metadata = client.get_model_metadata(model)
    assert metadata["platform"] == "onnxruntime_onnx"
    assert all(entry["shape"] == [-1, 4] for entry in metadata["inputs"] + metadata["outputs"])


def test_requests_are_gathered_into_one_batch_and_taken_apart(client):
    before = client.get_inference_statistics("add_sub_batching")["model_stats"][0]
    arrays = [(rows(1 + i % 3, i), rows(1 + i % 3, -i)) for i in range(8)]
    pending = [client.async_infer("add_sub_batching", pair(a, b)) for a, b in arrays]
    for (a, b), one in zip(arrays, pending):
        result = one.get_result()
        assert (result.as_numpy("SUM") == a + b).all() and (result.as_numpy("DIFFERENCE") == a - b).all()
    after = client.get_inference_statistics("add_sub_batching")["model_stats"][0]
    assert after["execution_count"] - before["execution_count"] < 8


TEXTS = numpy.array([b"", b"abc", b"a\x00b", "ä\U0001f600".encode(), b"x" * 100_000], numpy.object_)


@pytest.mark.parametrize("binary", [False, True])
def test_strings(client, binary):
    given = client_module.InferInput("TEXT", [len(TEXTS)], "BYTES")
    given.set_data_from_numpy(TEXTS, binary_data=binary)
    result = client.infer("strings", [given], outputs=[client_module.InferRequestedOutput("COPY", binary_data=binary)])
    got = [e if isinstance(e, bytes) else e.encode() for e in result.as_numpy("COPY")]
    assert got == list(TEXTS)


def test_batches_of_strings(client):
    pending = []
    for i in range(8):
        array = numpy.array([[f"{i}-{k}".encode() * (i + 1) for k in range(3)]], numpy.object_)
        pending.append((array, client.async_infer("string_batches", [tensor("TEXT", array, "BYTES")])))
    for array, one in pending:
        assert (one.get_result().as_numpy("COPY") == array).all()


@pytest.mark.parametrize("shape", [(1, 1), (2, 5), (7, 3), (0, 4)])
def test_variable_dimensions(client, shape):
    array = numpy.arange(shape[0] * shape[1], dtype=numpy.float32).reshape(shape)
    got = client.infer("transpose", [tensor("X", array, "FP32")]).as_numpy("Y")
    assert got.shape == shape[::-1] and (got == array.T).all()


def test_an_output_whose_size_follows_from_the_values(client):
    array = numpy.array([0, 3, 0, 5, 7], numpy.float32)
    got = client.infer("nonzero", [tensor("X", array, "FP32")]).as_numpy("Y")
    assert got.tolist() == [[1, 3, 4]]


@pytest.mark.parametrize("dtype", sorted(_TYPES))
def test_every_datatype(client, dtype):
    if dtype == "BOOL":
        array = numpy.array([True, False, True])
    elif dtype.startswith("FP"):
        array = numpy.array([0.5, -2, 0], _NUMPY[dtype])
    else:
        limits = numpy.iinfo(_NUMPY[dtype])
        array = numpy.array([limits.min, limits.max, 1], _NUMPY[dtype])
    got = client.infer(f"copy_{dtype.lower()}", [tensor("X", array, dtype)]).as_numpy("Y")
    assert got.dtype == array.dtype and (got == array).all()


def test_a_failure_inside_the_runtime_is_the_clients_error(client, server):
    good = [
        tensor("X", numpy.zeros(6, numpy.float32), "FP32"),
        tensor("SHAPE", numpy.array([2, 3], numpy.int64), "INT64"),
    ]
    bad = [good[0], tensor("SHAPE", numpy.array([4, 3], numpy.int64), "INT64")]
    with pytest.raises(InferenceServerException) as caught:
        client.infer("reshape", bad)
    assert caught.value.status() in ("400", "500")
    assert client.infer("reshape", good).as_numpy("Y").shape == (2, 3)
    assert server.alive()


@contextlib.contextmanager
def explicit(repository):
    with server_module.Server(repository, "--model-control-mode=explicit") as running:
        with client_module.InferenceServerClient(running.url) as client:
            yield running, client
        assert running.stop() == 0, running.output()


def test_wrong_configurations_and_files_are_refused_with_a_reason(tmp_path):
    identity = [helper.make_node("Identity", ["X"], ["Y"])]
    given, made = [("X", TensorProto.FLOAT, ["n", 4])], [("Y", TensorProto.FLOAT, ["n", 4])]

    def io(kind="TYPE_FP32", name="X", dims="4"):
        return (
            'backend: "onnxruntime"\nmax_batch_size: 2\n'
            f'input {{ name: "{name}" data_type: {kind} dims: [ {dims} ] }}\n'
            'output { name: "Y" data_type: TYPE_FP32 dims: [ 4 ] }\n'
        )

    wrong = {"wrong_type": io("TYPE_INT32"), "wrong_name": io(name="Z"), "wrong_dims": io(dims="5")}
    for name, config in wrong.items():
        save(tmp_path, name, identity, given, made, config)
    save(tmp_path, "good", identity, given, made, io())
    files = {
        "truncated": lambda data: data[: len(data) // 2],
        "empty": lambda data: b"",
        "garbage": lambda _: b"\xff" * 1000,
    }
    for name, change in files.items():
        save(tmp_path, name, identity, given, made, 'backend: "onnxruntime"\n')
        path = tmp_path / name / "1" / "model.onnx"
        path.write_bytes(change(path.read_bytes()))
    (tmp_path / "no_file" / "1").mkdir(parents=True)
    (tmp_path / "no_file" / "config.pbtxt").write_text('backend: "onnxruntime"\n', encoding="utf-8")
    with explicit(tmp_path) as (server, client):
        for name in (*wrong, *files, "no_file"):
            with pytest.raises(InferenceServerException, match=f"failed for model '{name}'|failed to load '{name}'"):
                client.load_model(name)
            assert server.alive(), server.output()
        client.load_model("good")
        assert client.is_model_ready("good")


def test_loading_again_and_again_works(tmp_path):
    save(
        tmp_path,
        "copy",
        [helper.make_node("Identity", ["X"], ["Y"])],
        [("X", TensorProto.FLOAT, ["n", 4])],
        [("Y", TensorProto.FLOAT, ["n", 4])],
    )
    with explicit(tmp_path) as (server, client):
        for _ in range(10):
            client.load_model("copy")
            assert (client.infer("copy", [tensor("X", rows(1), "FP32")]).as_numpy("Y") == rows(1)).all()
            client.unload_model("copy")
        assert raw_http.call(server, "GET", "/v2/health/ready").status == 200


# Without packing, ONNX Runtime reads weights from where they lie.
_WITH_EXTERNAL_WEIGHTS = {
    "onnxruntime": 'backend: "onnxruntime"\n' + models.parameter("session.disable_prepacking", 1),
    "openvino": 'backend: "openvino"\ndefault_model_filename: "model.onnx"\n',
}


@pytest.mark.parametrize("backend", [name for name in _WITH_EXTERNAL_WEIGHTS if backends.built(name)])
def test_weights_in_a_file_may_be_cut_short_while_they_serve(tmp_path, backend):
    weights = save_with_external_weights(tmp_path, "external", _WITH_EXTERNAL_WEIGHTS[backend])
    with server_module.Server(tmp_path) as server:
        with client_module.InferenceServerClient(server.url) as client:
            for _ in range(2):
                given = [tensor("X", numpy.ones((1, 64), numpy.float32), "FP32")]
                assert (client.infer("external", given).as_numpy("Y") == 64).all()
                with open(f"/proc/{server.pid}/maps", encoding="utf-8") as maps:
                    assert weights.name not in maps.read()
                weights.write_bytes(b"")
        assert server.stop() == 0, server.output()


def _save_triple(repository, library):
    """Y = Triple(X), an operator of the tests' own library."""
    graph = helper.make_graph(
        [helper.make_node("Triple", ["X"], ["Y"], domain="headrace.test")],
        "triple",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, ["n", 4])],
        [helper.make_tensor_value_info("Y", TensorProto.FLOAT, ["n", 4])],
    )
    imports = [helper.make_opsetid("", _OPSET), helper.make_opsetid("headrace.test", 1)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=_IR_VERSION)
    directory = repository / "triple"
    (directory / "1").mkdir(parents=True)
    onnx.save(model, str(directory / "1" / "model.onnx"))
    operations = f'model_operations {{ op_library_filename: "{library}" }}\n'
    (directory / "config.pbtxt").write_text('backend: "onnxruntime"\n' + operations, encoding="utf-8")
    return directory


_CUSTOM_OPERATORS = backends.directory().parent / "test_libraries" / "libheadrace_test_custom_ops.so"


@pytest.mark.parametrize("place", ["", "1"])
def test_custom_operators_come_with_the_model(tmp_path, place):
    directory = _save_triple(tmp_path, "operators.so")
    shutil.copyfile(_CUSTOM_OPERATORS, directory / place / "operators.so")
    with server_module.Server(tmp_path) as server:
        with client_module.InferenceServerClient(server.url) as client:
            answer = client.infer("triple", [tensor("X", rows(2), "FP32")]).as_numpy("Y")
        assert (answer == 3 * rows(2)).all()
        assert server.stop() == 0, server.output()


@pytest.mark.parametrize("library", ["missing.so", "../../other/1/operators.so", "/nowhere/operators.so"])
def test_a_library_of_operators_that_is_not_the_models_is_refused(tmp_path, library):
    _save_triple(tmp_path, library)
    other = tmp_path / "other" / "1"
    other.mkdir(parents=True)
    shutil.copyfile(_CUSTOM_OPERATORS, other / "operators.so")
    with explicit(tmp_path) as (server, client):
        with pytest.raises(InferenceServerException, match="op_library_filename|missing.so"):
            client.load_model("triple")
        assert server.alive()


def test_a_parameter_that_nobody_knows_is_warned_about(tmp_path):
    save(
        tmp_path,
        "curious",
        [helper.make_node("Identity", ["X"], ["Y"])],
        [("X", TensorProto.FLOAT, ["n", 4])],
        [("Y", TensorProto.FLOAT, ["n", 4])],
        'backend: "onnxruntime"\n' + models.parameter("no_such_thing", 1),
    )
    with server_module.Server(tmp_path) as server:
        server.wait_line(r"^W.*parameter 'no_such_thing' has no effect")


def test_models_share_one_pool_of_threads_where_the_command_line_says(tmp_path):
    nodes = [helper.make_node("Identity", ["X"], ["Y"])]
    for name in ("first", "second"):
        save(tmp_path, name, nodes, [("X", TensorProto.FLOAT, ["n", 4])], [("Y", TensorProto.FLOAT, ["n", 4])])
    settings = ("enable-global-threadpool=1", "intra_op_thread_count=3", "inter_op_thread_count=1")
    thread_counts = []
    for options in (settings, settings[1:]):
        with server_module.Server(tmp_path, *(f"--backend-config=onnxruntime,{option}" for option in options)) as server:
            with client_module.InferenceServerClient(server.url) as client:
                for name in ("first", "second"):
                    assert (client.infer(name, [tensor("X", rows(1), "FP32")]).as_numpy("Y") == rows(1)).all()
            thread_counts.append(resources.read(server.pid).threads)
            assert server.stop() == 0, server.output()
    assert thread_counts[0] == thread_counts[1] - 2  # one pool of two threads beside the caller, and not two


def test_a_scalar_of_a_model_without_batches_is_a_tensor_of_one(tmp_path):
    save(
        tmp_path,
        "scaled",
        [helper.make_node("Mul", ["X", "FACTOR"], ["Y"]), helper.make_node("ReduceSum", ["Y"], ["SUM"], keepdims=0)],
        [("X", TensorProto.FLOAT, [2, 3]), ("FACTOR", TensorProto.FLOAT, [])],
        [("Y", TensorProto.FLOAT, [2, 3]), ("SUM", TensorProto.FLOAT, [])],
    )
    array = numpy.arange(6, dtype=numpy.float32).reshape(2, 3)
    with server_module.Server(tmp_path) as server:
        with client_module.InferenceServerClient(server.url) as client:
            config = client.get_model_config("scaled")
            assert [t["dims"] for t in config["input"] + config["output"]] == [[2, 3], [1], [2, 3], [1]]
            given = [tensor("X", array, "FP32"), tensor("FACTOR", numpy.array([2], numpy.float32), "FP32")]
            result = client.infer("scaled", given)
            assert (result.as_numpy("Y") == 2 * array).all() and result.as_numpy("SUM").tolist() == [30]
