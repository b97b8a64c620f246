"""The pytorch backend: TorchScript, and packages compiled by AOTInductor."""

import os
import pathlib
import threading

import numpy
import pytest

# The wheel of torch alone, which the backend needs, does not import; sympy comes with what it takes to make models.
pytest.importorskip("sympy", reason="the whole of PyTorch is not here: tools/setup.sh --tests")

import torch  # noqa: E402
import tritonclient.http as client_module  # noqa: E402
from tritonclient.utils import InferenceServerException  # noqa: E402

import torch_modules as modules  # noqa: E402
import torch_packages  # noqa: E402
from harness import models, resources, torch_models  # noqa: E402
from harness import server as server_module  # noqa: E402

_QUEUE = "dynamic_batching { max_queue_delay_microseconds: 300000 }\n"
_DTYPES = [dtype for dtype in models.DTYPES if dtype != "BYTES"]


def _tensors(kind, tensors):
    return "".join(
        f'{kind} {{ name: "{name}" data_type: TYPE_{"STRING" if dtype == "BYTES" else dtype} '
        f'dims: [ {", ".join(map(str, dims))} ] }}\n'
        for name, dtype, dims in tensors
    )


def _config(inputs, outputs, max_batch_size=0, extra=""):
    """Tensors are (name, dtype, dims)."""
    head = f'backend: "pytorch"\nmax_batch_size: {max_batch_size}\n'
    return head + _tensors("input", inputs) + _tensors("output", outputs) + extra


def _instances(count):
    return f"instance_group {{ count: {count} kind: KIND_CPU }}\n"


def _save(repository, name, module, config):
    torch_models.save_script(module, repository / name / "1" / "model.pt")
    (repository / name / "config.pbtxt").write_text(config, encoding="utf-8")


def _vector(*names, dtype="FP32"):
    return [(name, dtype, [-1]) for name in names]


def _save_all(repository):
    affine = modules.Affine()
    _save(repository, "by_name", affine, _config(_vector("scale", "x"), _vector("OUTPUT__1", "OUTPUT__0")))
    _save(repository, "by_index", affine, _config(_vector("b__1", "a__0"), _vector("PRODUCT", "DIFFERENCE")))
    _save(repository, "by_order", affine, _config(_vector("FIRST", "SECOND"), _vector("out__1")))
    by_order = _config(_vector("FIRST", "SECOND"), _vector("out__1"))
    _save(repository, "other_name", affine, by_order.replace('"pytorch"', '"torch"'))
    pair = _vector("subtrahend", "minuend")
    _save(repository, "dictionary_in", modules.DictionaryIn(), _config(pair, _vector("Y")))
    _save(repository, "list_in", modules.ListIn(), _config(_vector("b__1", "a__0"), _vector("Y")))
    _save(repository, "dictionary_out", modules.DictionaryOut(), _config(_vector("x"), _vector("negative", "doubled")))
    _save(repository, "list_out", modules.ListOut(), _config(_vector("x"), _vector("Y__2", "Y__0")))
    _save(repository, "optional", modules.Optionals(), _config(_vector("x"), _vector("Y")))
    _save(repository, "optional_given", modules.Optionals(), _config(_vector("x", "bias"), _vector("Y")))
    text = [("T", "BYTES", [-1])]
    _save(repository, "texts", modules.Texts(), _config(text, [("TURNED", "BYTES", [-1])]))
    row = [("T", "BYTES", [1])]
    _save(repository, "text_batches", modules.Texts(), _config(row, [("TURNED", "BYTES", [1])], 8, _QUEUE))
    one = [("text", "BYTES", [1]), ("count", "INT64", [1])]
    _save(repository, "one_text", modules.OneText(), _config(one, [("A", "BYTES", [1]), ("B", "INT64", [1])]))
    for dtype in _DTYPES:
        tensor = _vector("x", dtype=dtype)
        _save(repository, f"copy_{dtype.lower()}", modules.Copy(), _config(tensor, _vector("y", dtype=dtype)))
    matrix = [("x", "FP32", [-1, -1])], [("y", "FP32", [-1, -1])]
    _save(repository, "transpose", modules.Transpose(), _config(*matrix))
    mixed = [("flags", "BOOL", [-1]), ("values", "FP64", [-1])]
    _save(repository, "aligned", modules.Aligned(), _config(mixed, _vector("y", dtype="FP64")))
    _save(repository, "writes", modules.Writes(), _config(_vector("x"), _vector("before", "after")))
    _save(repository, "remembers", modules.Remembers(), _config([("x", "FP32", [4])], [("y", "FP32", [4])]))
    product = [("x", "FP32", [64])], [("y", "FP32", [16])]
    _save(repository, "product", modules.Product(), _config(*product, 8, _QUEUE + _instances(2)))
    _save(
        repository,
        "product_plain",
        modules.Product(),
        _config(*product, 8)
        + models.parameter("DISABLE_OPTIMIZED_EXECUTION", "true")
        + models.parameter("INFERENCE_MODE", "false")
        + models.parameter("ENABLE_JIT_PROFILING", "true")
        + models.parameter("ENABLE_JIT_EXECUTOR", "true")
        + models.parameter("ENABLE_WEIGHT_SHARING", "false")
        + models.parameter("NUM_THREADS", 1),
    )
    _save(
        repository,
        "product_folded",
        modules.Product(),
        _config(*product, 8) + models.parameter("OPTIMIZE_FOR_INFERENCE", "true"),
    )
    _save(repository, "raises", modules.Raises(), _config(_vector("x"), _vector("y")))
    _save(repository, "wrong_output", modules.Raises(), _config(_vector("x"), _vector("y", dtype="FP64")))
    _save(repository, "wrong_input", modules.Product(), _config([("x", "INT32", [1, 64])], [("y", "FP32", [1, 16])]))
    _save(repository, "no_such_key", modules.DictionaryOut(), _config(_vector("x"), _vector("tripled")))


@pytest.fixture(scope="module", name="server")
def _server(tmp_path_factory):
    repository = tmp_path_factory.mktemp("torch")
    _save_all(repository)
    with server_module.running(repository) as running:
        yield running


@pytest.fixture(name="client")
def _client(server):
    with client_module.InferenceServerClient(server.url, concurrency=8) as client:
        yield client


def _input(name, array, dtype=None):
    dtype = dtype or {"f": "FP32", "d": "FP64", "l": "INT64", "i": "INT32", "?": "BOOL", "O": "BYTES"}[array.dtype.char]
    tensor = client_module.InferInput(name, list(array.shape), dtype)
    tensor.set_data_from_numpy(array)
    return tensor


def _floats(*values):
    return numpy.array(values, dtype=numpy.float32)


def _texts(*values):
    return numpy.array([value.encode() for value in values], dtype=numpy.object_)


_X, _SCALE = _floats(1, 2, 3), _floats(10, 20, 30)


@pytest.mark.parametrize(
    "model, x, scale, product, difference",
    [
        ("by_name", "x", "scale", "OUTPUT__0", "OUTPUT__1"),
        ("by_index", "a__0", "b__1", "PRODUCT", "DIFFERENCE"),
        ("by_order", "FIRST", "SECOND", None, "out__1"),
        ("other_name", "FIRST", "SECOND", None, "out__1"),
    ],
)
def test_names_find_their_places(client, model, x, scale, product, difference):
    answer = client.infer(model, [_input(scale, _SCALE), _input(x, _X)])
    numpy.testing.assert_array_equal(answer.as_numpy(difference), _X - _SCALE)
    if product:
        numpy.testing.assert_array_equal(answer.as_numpy(product), _X * _SCALE)


def test_an_output_alone_may_be_asked_for(client):
    wanted = [client_module.InferRequestedOutput("OUTPUT__1")]
    answer = client.infer("by_name", [_input("x", _X), _input("scale", _SCALE)], outputs=wanted)
    assert [output["name"] for output in answer.get_response()["outputs"]] == ["OUTPUT__1"]


def test_a_dictionary_takes_inputs_by_key(client):
    answer = client.infer("dictionary_in", [_input("minuend", _X), _input("subtrahend", _SCALE)])
    numpy.testing.assert_array_equal(answer.as_numpy("Y"), _X - _SCALE)


def test_a_list_takes_inputs_by_place(client):
    answer = client.infer("list_in", [_input("b__1", _SCALE), _input("a__0", _X)])
    numpy.testing.assert_array_equal(answer.as_numpy("Y"), _X - _SCALE)


def test_outputs_come_out_of_dictionaries_and_lists(client):
    answer = client.infer("dictionary_out", [_input("x", _X)])
    numpy.testing.assert_array_equal(answer.as_numpy("doubled"), _X * 2)
    numpy.testing.assert_array_equal(answer.as_numpy("negative"), -_X)
    answer = client.infer("list_out", [_input("x", _X)])
    numpy.testing.assert_array_equal(answer.as_numpy("Y__0"), _X)
    numpy.testing.assert_array_equal(answer.as_numpy("Y__2"), _X + 2)


def test_arguments_with_defaults_may_be_left_out(client):
    numpy.testing.assert_array_equal(client.infer("optional", [_input("x", _X)]).as_numpy("Y"), _X * 2)
    answer = client.infer("optional_given", [_input("x", _X), _input("bias", _SCALE)])
    numpy.testing.assert_array_equal(answer.as_numpy("Y"), _X * 2 + _SCALE)


def test_texts_go_in_and_out(client):
    texts = _texts("abc", "", "m\u00fcnze", "x" * 3000, "nul\0nul")
    answer = client.infer("texts", [_input("T", texts)]).as_numpy("TURNED")
    # TorchScript turns bytes around, not letters.
    assert list(answer) == [text[::-1] for text in texts]


def test_batches_of_texts_are_taken_apart_rightly(client):
    parts = [_texts(*(f"text {i} of {count}" for i in range(count))).reshape(count, 1) for count in (1, 2, 3)]
    pending = [client.async_infer("text_batches", [_input("T", part)]) for part in parts]
    for part, request in zip(parts, pending):
        answer = request.get_result().as_numpy("TURNED")
        assert answer.shape == part.shape
        assert list(answer.flat) == [text[::-1] for text in part.flat]


def test_a_string_argument_takes_one_text(client):
    count = numpy.array([5], dtype=numpy.int64)
    answer = client.infer("one_text", [_input("text", _texts("four")), _input("count", count)])
    assert list(answer.as_numpy("A")) == [b"four!"]
    assert list(answer.as_numpy("B")) == [9]


@pytest.mark.parametrize("dtype", _DTYPES)
@pytest.mark.parametrize("count", [0, 1, 5])
def test_every_datatype(client, dtype, count):
    width = {"BOOL": 1, "BF16": 2}.get(dtype) or int("".join(filter(str.isdigit, dtype))) // 8
    data = bytes(i % 2 for i in range(count)) if dtype == "BOOL" else bytes(range(count * width))
    tensor = client_module.InferInput("x", [count], dtype)
    tensor._raw_data = data
    tensor._parameters["binary_data_size"] = len(data)
    answer = client.infer(f"copy_{dtype.lower()}", [tensor])
    (output,) = answer.get_response()["outputs"]
    assert (output["datatype"], output["shape"]) == (dtype, [count])
    assert output["parameters"]["binary_data_size"] == len(data)
    if dtype == "BF16":
        expected = numpy.frombuffer(b"".join(b"\0\0" + data[i : i + 2] for i in range(0, len(data), 2)), numpy.float32)
        numpy.testing.assert_array_equal(answer.as_numpy("y"), expected)
    else:
        assert answer.as_numpy("y").tobytes() == data


def test_an_output_that_is_not_contiguous(client):
    x = numpy.arange(12, dtype=numpy.float32).reshape(3, 4)
    numpy.testing.assert_array_equal(client.infer("transpose", [_input("x", x)]).as_numpy("y"), x.T)


@pytest.mark.parametrize("count", range(9))
def test_inputs_at_any_address(client, count):
    values = numpy.arange(64, dtype=numpy.float64)
    answer = client.infer("aligned", [_input("flags", numpy.ones(count, dtype=bool)), _input("values", values)])
    numpy.testing.assert_array_equal(answer.as_numpy("y"), values + count)


def test_a_model_may_write_into_its_input(client):
    answer = client.infer("writes", [_input("x", _X)])
    numpy.testing.assert_array_equal(answer.as_numpy("before"), _X)
    numpy.testing.assert_array_equal(answer.as_numpy("after"), _X * 2)


def test_a_model_may_keep_its_input(client):
    """The memory of the request before is long in other hands."""
    rows = [numpy.full(4, value, dtype=numpy.float32) for value in range(1, 30)]
    last = numpy.zeros(4, dtype=numpy.float32)
    for row in rows:
        numpy.testing.assert_array_equal(client.infer("remembers", [_input("x", row)]).as_numpy("y"), last)
        last = row


def _rows(count):
    return numpy.random.default_rng(count).standard_normal((count, 64)).astype(numpy.float32)


def _product(rows):
    return rows @ numpy.linspace(-1, 1, 64 * 16, dtype=numpy.float32).reshape(64, 16)


@pytest.mark.parametrize("model", ["product", "product_plain", "product_folded"])
@pytest.mark.parametrize("count", [1, 3, 8])
def test_a_batch_of_one_request(client, model, count):
    answer = client.infer(model, [_input("x", _rows(count))]).as_numpy("y")
    assert answer.shape == (count, 16)
    numpy.testing.assert_allclose(answer, _product(_rows(count)), rtol=1e-4, atol=1e-4)


def test_a_batch_of_several_requests_is_taken_apart_rightly(client):
    counts = (1, 2, 3, 2, 1, 4)
    pending = [client.async_infer("product", [_input("x", _rows(count))]) for count in counts]
    for count, request in zip(counts, pending):
        numpy.testing.assert_allclose(request.get_result().as_numpy("y"), _product(_rows(count)), rtol=1e-4, atol=1e-4)
    (statistics,) = client.get_inference_statistics("product")["model_stats"]
    assert statistics["execution_count"] < statistics["inference_stats"]["success"]["count"]


def test_what_the_model_raises_is_the_answer(client):
    with pytest.raises(InferenceServerException, match="PyTorch execute failure: .*no negative numbers, please"):
        client.infer("raises", [_input("x", -_X)])
    numpy.testing.assert_array_equal(client.infer("raises", [_input("x", _X)]).as_numpy("y"), _X)


def test_a_declared_type_that_the_model_does_not_take(client):
    rows = numpy.ones((1, 64), dtype=numpy.int32)
    with pytest.raises(InferenceServerException, match="PyTorch execute failure: "):
        client.infer("wrong_input", [_input("x", rows)])


def test_a_declared_type_that_the_model_does_not_give(client):
    with pytest.raises(InferenceServerException, match="output 'y' came as TYPE_FP32, .* says data_type TYPE_FP64"):
        client.infer("wrong_output", [_input("x", _X)])


def test_an_output_that_is_not_in_the_answer(client):
    with pytest.raises(InferenceServerException, match="no output 'tripled', only doubled, negative"):
        client.infer("no_such_key", [_input("x", _X)])


def test_malformed_texts_are_refused(client):
    tensor = client_module.InferInput("T", [2], "BYTES")
    tensor._raw_data = b"\x05\0\0\0ab"
    tensor._parameters["binary_data_size"] = 6
    with pytest.raises(InferenceServerException):
        client.infer("texts", [tensor])
    assert list(client.infer("texts", [_input("T", _texts("ab"))]).as_numpy("TURNED")) == [b"ba"]


class _Loading:
    """A server that loads one model at a time, and says why it does not."""

    def __init__(self, repository):
        self.repository = repository
        self._server = server_module.Server(repository, "--model-control-mode=explicit")

    def __enter__(self):
        self._server.__enter__()
        self.client = client_module.InferenceServerClient(self._server.url, concurrency=8)
        self.pid = self._server.pid
        return self

    def __exit__(self, kind, *_):
        self.client.close()
        try:
            # PyTorch loses 800 bytes with each damaged archive, which a sanitizer would end the program with an error for.
            if kind is None and not server_module.is_sanitized():
                assert self._server.alive() and self._server.stop() == 0, self._server.output()
        finally:
            self._server.__exit__()

    def refuses(self, name, text):
        with pytest.raises(InferenceServerException, match=text):
            self.client.load_model(name)
        assert self.client.is_server_live()


@pytest.fixture(scope="module", name="loading")
def _loading(tmp_path_factory):
    with _Loading(tmp_path_factory.mktemp("loading")) as loading:
        yield loading


_BOTH = _vector("x", "scale"), _vector("y__0")


@pytest.mark.parametrize(
    "module, config, text",
    [
        (modules.Affine(), 'backend: "pytorch"\n', r"forward\(x: Tensor, scale: Tensor\)"),
        (modules.Affine(), _config(_vector("x"), _vector("y")), "none of which is argument 'scale'"),
        (modules.Affine(), _config(_vector("x", "scale", "z"), _vector("y")), "input 'z'.* x .or INPUT__0., scale"),
        (modules.Affine(), _config(_vector("scale", "other"), _vector("y")), "'scale' means place 1"),
        (modules.Affine(), _config(_vector("a__0", "b__7"), _vector("y")), "unexpected inference input 'b__7'"),
        (modules.Affine(), _config(_vector("a__1", "b__1"), _vector("y")), "both place 1"),
        (modules.Affine(), _config(_vector("x", "scale"), _vector("y__2")), "unexpected inference output 'y__2'"),
        (modules.Affine(), _config(_vector("x", "scale"), _vector("a", "b", "c")), "unexpected inference output 'c'"),
        (modules.Affine(), _config([*_vector("x"), ("scale", "BYTES", [1])], _vector("y")), "its data_type is TYPE_STR"),
        (modules.Texts(), _config(_vector("T"), _vector("y")), r"type List\[str\], but its data_type is TYPE_FP32"),
        (modules.DictionaryIn(), _config([("a", "BYTES", [1])], _vector("y")), "takes tensors only"),
        (modules.Optionals(), _config(_vector("x", "factor"), _vector("y")), "'factor' of type float"),
        (modules.Affine(), _config(*_BOTH, extra=models.parameter("INFERENCE_MODE", "perhaps")), "INFERENCE_MODE"),
        (modules.Affine(), _config(*_BOTH, extra=models.parameter("NUM_THREADS", 0)), "from 1 to"),
        (modules.Affine(), _config(*_BOTH, extra=models.parameter("INTRA_OP_THREAD_COUNT", "two")), "not an integer"),
        (
            modules.Affine(),
            _config(*_BOTH, extra=models.parameter("NUM_THREADS", 1) + models.parameter("INTRA_OP_THREAD_COUNT", 2)),
            "mean the same and differ",
        ),
        (modules.Affine(), _config(*_BOTH, extra="instance_group { kind: KIND_GPU }\n"), "GPU"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused_by_name(loading, module, config, text):
    name = f"wrong_{len(list(loading.repository.iterdir()))}"
    _save(loading.repository, name, module, config)
    loading.refuses(name, text)


def _write(loading, name, content, file="model.pt"):
    path = loading.repository / name / "1" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    if content is not None:
        path.write_bytes(content)
    (loading.repository / name / "config.pbtxt").write_text(_config(*_BOTH), encoding="utf-8")


@pytest.mark.parametrize("content", [b"", b"not a model", bytes(range(256)) * 64, b"PK\x03\x04" + bytes(400)])
@pytest.mark.parametrize("file", ["model.pt", "model.pt2"])
def test_a_file_that_is_no_model_is_refused(loading, content, file):
    name = f"damaged_{len(list(loading.repository.iterdir()))}"
    _write(loading, name, content, file)
    loading.refuses(name, "the model file does not read")


def test_a_missing_file_is_refused(loading):
    _write(loading, "missing", None)
    loading.refuses("missing", "holds none of model.pt, model.pt2")


def test_a_truncated_file_is_refused_wherever_it_ends(loading):
    path = loading.repository / "whole" / "1" / "model.pt"
    torch_models.save_script(modules.Affine(), path)
    content = path.read_bytes()
    for part in range(100):
        _write(loading, "truncated", content[: len(content) * part // 100])
        loading.refuses("truncated", "truncated")
    _write(loading, "truncated", content)
    loading.client.load_model("truncated")


def test_a_file_with_bytes_changed_does_no_harm(loading):
    """Most changes break a checksum; one in a name or in what is not read may go unnoticed."""
    path = loading.repository / "sound" / "1" / "model.pt"
    torch_models.save_script(modules.Product(), path)
    content = path.read_bytes()
    generator = numpy.random.default_rng(1)
    refused = 0
    for _ in range(100):
        changed = bytearray(content)
        for place in generator.integers(0, len(content), 4):
            changed[place] ^= int(generator.integers(1, 256))
        (loading.repository / "changed" / "1").mkdir(parents=True, exist_ok=True)
        (loading.repository / "changed" / "1" / "model.pt").write_bytes(changed)
        config = _config([("x", "FP32", [64])], [("y", "FP32", [16])], 8)
        (loading.repository / "changed" / "config.pbtxt").write_text(config, encoding="utf-8")
        try:
            loading.client.load_model("changed")
        except InferenceServerException as refusal:
            assert "changed" in str(refusal)
            refused += 1
        assert loading.client.is_server_live()
    assert refused > 10


def test_other_files_of_pytorch_are_refused_with_what_would_do(loading, tmp_path):
    torch.save({"weight": torch.zeros(3)}, tmp_path / "state.pt")
    _write(loading, "state", (tmp_path / "state.pt").read_bytes())
    loading.refuses("state", r"Python objects \(torch.save\); .*torch.jit.script")
    program = torch.export.export(modules.Copy(), (torch.zeros(3),))
    torch.export.save(program, tmp_path / "program.pt2")
    _write(loading, "program", (tmp_path / "program.pt2").read_bytes(), "model.pt2")
    loading.refuses("program", "not compiled; .*aoti_compile_and_package")


def _count(loading, name, extra):
    """What eight calls at once count in a model of two instances."""
    outputs = [("count", "INT64", [1])]
    _save(loading.repository, name, modules.Counts(), _config([("x", "FP32", [1])], outputs, extra=_instances(2) + extra))
    loading.client.load_model(name)
    pending = [loading.client.async_infer(name, [_input("x", _floats(1))]) for _ in range(8)]
    return sorted(int(request.get_result().as_numpy("count")[0]) for request in pending)


def test_each_instance_has_buffers_of_its_own(loading):
    counts = _count(loading, "counts_apart", "")
    assert max(counts) < 8, counts
    assert len(set(counts)) < 8, counts


def test_instances_share_buffers_when_told_to(loading):
    assert max(_count(loading, "counts_together", models.parameter("ENABLE_WEIGHT_SHARING", "true"))) == 8


@pytest.mark.skipif(server_module.is_sanitized(), reason="sanitizers keep memory that was given back")
def test_instances_share_their_weights(loading):
    weights_bytes = 96 << 20
    module = modules.Product(columns=weights_bytes // 4 // 64)
    tensors = [("x", "FP32", [64])], [("y", "FP32", [weights_bytes // 4 // 64])]
    _save(loading.repository, "heavy", module, _config(*tensors, 4, _instances(6)))
    before = resources.read(loading.pid).resident_bytes
    loading.client.load_model("heavy")
    grown = resources.read(loading.pid).resident_bytes - before
    assert grown < 2 * weights_bytes, f"{grown >> 20} MiB for {weights_bytes >> 20} MiB of weights"
    loading.client.unload_model("heavy")


def test_threads_of_an_instance_are_as_many_as_told(loading):
    """More threads than the machine has cores by default, so that they are seen to come from the parameter."""
    shape = [("x", "FP32", [-1])], [("y", "FP32", [-1])]
    x = numpy.ones(1 << 20, dtype=numpy.float32)
    grown = {}
    for count in (1, 9):
        name = f"threads_{count}"
        extra = models.parameter("INTRA_OP_THREAD_COUNT", count)
        _save(loading.repository, name, modules.Optionals(), _config(*shape, extra=extra))
        loading.client.load_model(name)
        before = resources.read(loading.pid).threads
        loading.client.infer(name, [_input("x", x)])
        grown[count] = resources.read(loading.pid).threads - before
    assert grown[9] - grown[1] == 8, grown


@pytest.fixture(scope="module", name="packages")
def _packages(tmp_path_factory):
    with _Loading(tmp_path_factory.mktemp("packages")) as loading:
        for kind in torch_packages.KINDS:
            torch_packages.put(kind, loading.repository / kind / "1" / "model.pt2")
        yield loading


def _copy_of(packages, kind, name, config):
    source = packages.repository / kind / "1" / "model.pt2"
    target = packages.repository / name / "1" / "model.pt2"
    target.parent.mkdir(parents=True)
    target.write_bytes(source.read_bytes())
    (packages.repository / name / "config.pbtxt").write_text(config, encoding="utf-8")


def _listed(config, side):
    return [(tensor["name"], tensor["data_type"], tensor["dims"]) for tensor in config[side]]


def test_a_package_needs_no_configuration(packages):
    packages.client.load_model("dynamic")
    config = packages.client.get_model_config("dynamic")
    assert (config["backend"], config["platform"], config["max_batch_size"]) == ("pytorch", "torch_aoti", 4)
    assert _listed(config, "input") == [("INPUT__0", "TYPE_FP32", [64])]
    assert _listed(config, "output") == [("OUTPUT__0", "TYPE_FP32", [16])]
    for count in (1, 4):
        answer = packages.client.infer("dynamic", [_input("INPUT__0", _rows(count))]).as_numpy("OUTPUT__0")
        numpy.testing.assert_allclose(answer, _product(_rows(count)), rtol=1e-4, atol=1e-4)


def _thread_names(pid):
    return sorted(path.read_text(encoding="utf-8").strip() for path in pathlib.Path(f"/proc/{pid}/task").glob("*/comm"))


def test_loading_leaves_no_team_of_openmp_behind(tmp_path):
    """An idle one would keep those of the instances from waiting actively. What may stay is the instance, and PyTorch's
    pool for its other operators, which has a thread less than the machine has cores."""
    torch_packages.put("dynamic", tmp_path / "dynamic" / "1" / "model.pt2")
    with _Loading(tmp_path) as fresh:
        before = _thread_names(fresh.pid)
        fresh.client.load_model("dynamic")
        after = _thread_names(fresh.pid)
        assert len(after) - len(before) <= len(os.sched_getaffinity(0)), f"{before} {after}"


def test_a_package_of_a_fixed_batch_does_not_batch(packages):
    packages.client.load_model("static")
    config = packages.client.get_model_config("static")
    assert config["max_batch_size"] == 0
    assert _listed(config, "input") == [("INPUT__0", "TYPE_FP32", [2, 64])]
    assert _listed(config, "output") == [("OUTPUT__0", "TYPE_FP32", [2, 16])]
    answer = packages.client.infer("static", [_input("INPUT__0", _rows(2))]).as_numpy("OUTPUT__0")
    numpy.testing.assert_allclose(answer, _product(_rows(2)), rtol=1e-4, atol=1e-4)
    with pytest.raises(InferenceServerException):
        packages.client.infer("static", [_input("INPUT__0", _rows(3))])


def test_tensors_of_a_package_by_their_place_in_the_call(packages):
    inputs = [("KWARGS[bias]", "FP32", [1]), ("ARGS[1][1]", "FP32", [1]), ("ARGS[0]", "FP32", [64])]
    inputs.append(("ARGS[1][0]", "FP32", [64]))
    outputs = [("RESULT[low]", "BF16", [64]), ("RESULT[sum]", "FP32", [64])]
    config = _config(inputs, outputs, 8, _QUEUE + _instances(2))
    _copy_of(packages, "described", "by_path", config)
    packages.client.load_model("by_path")
    pending = []
    for count in (1, 3, 2):
        x, column = _rows(count), numpy.full((count, 1), 0.5, dtype=numpy.float32)
        tensors = {"ARGS[0]": x, "ARGS[1][0]": x * 2, "ARGS[1][1]": column, "KWARGS[bias]": column * 4}
        request = packages.client.async_infer("by_path", [_input(*tensor) for tensor in tensors.items()])
        pending.append((x, request))
    for x, request in pending:
        answer = request.get_result()
        numpy.testing.assert_allclose(answer.as_numpy("RESULT[sum]"), x * 3 + 0.5, rtol=1e-5, atol=1e-5)
        numpy.testing.assert_allclose(answer.as_numpy("RESULT[low]"), x * 2, rtol=1e-2)


_OUT = [("OUTPUT__0", "FP32", [16])]


@pytest.mark.parametrize(
    "config, text",
    [
        (_config([("INPUT__0", "FP64", [64])], _OUT, 4), "expects data-type TYPE_FP32 but .* TYPE_FP64"),
        (_config([("INPUT__0", "FP32", [65])], _OUT, 4), r"shape \[-1,64\].*\[-1,65\]"),
        (_config([("INPUT__1", "FP32", [64])], _OUT, 4), r"unexpected inference input 'INPUT__1'.*ARGS\[0\]"),
        (_config([("INPUT__0", "FP32", [64])], [("y__1", "FP32", [16])], 4), "unexpected inference output 'y__1'"),
        (_config([("INPUT__0", "FP32", [64])], [("y", "INT8", [16])], 4), "expects data-type TYPE_FP32"),
        (_config([("INPUT__0", "FP32", [64])], _OUT, 17), "batches of at most 16"),
        (_config([("INPUT__0", "FP32", [64])], _OUT, 4, "instance_group { kind: KIND_GPU }\n"), "GPU"),
    ],
)
def test_a_configuration_that_does_not_fit_the_package_is_refused(packages, config, text):
    name = f"wrong_{len(list(packages.repository.iterdir()))}"
    _copy_of(packages, "dynamic", name, config)
    packages.refuses(name, text)


def test_a_call_that_the_package_was_not_compiled_for_is_refused(packages):
    """The compiled code would read past the end of the input."""
    _copy_of(packages, "dynamic", "vague", _config([("INPUT__0", "FP32", [-1])], _OUT, 4))
    packages.client.load_model("vague")
    for columns in (1, 63, 65):
        with pytest.raises(InferenceServerException, match="compiled for 64 in dimension 1"):
            packages.client.infer("vague", [_input("INPUT__0", numpy.ones((2, columns), dtype=numpy.float32))])
    answer = packages.client.infer("vague", [_input("INPUT__0", _rows(2))]).as_numpy("OUTPUT__0")
    numpy.testing.assert_allclose(answer, _product(_rows(2)), rtol=1e-4, atol=1e-4)


def test_a_truncated_package_is_refused_wherever_it_ends(packages):
    content = (packages.repository / "dynamic" / "1" / "model.pt2").read_bytes()
    path = packages.repository / "cut" / "1" / "model.pt2"
    path.parent.mkdir(parents=True)
    for part in range(25):
        path.write_bytes(content[: len(content) * part // 25])
        packages.refuses("cut", "cut")
    path.write_bytes(content)
    packages.client.load_model("cut")


def test_requests_from_many_threads_get_their_own_answers(packages):
    _copy_of(packages, "dynamic", "many", _config([("INPUT__0", "FP32", [64])], _OUT, 8, _instances(3)))
    packages.client.load_model("many")
    failures = []

    def ask(seed):
        with client_module.InferenceServerClient(packages.client._parsed_url.netloc) as client:
            for step in range(20):
                rows = _rows(1 + (seed + step) % 8)
                answer = client.infer("many", [_input("INPUT__0", rows)]).as_numpy("OUTPUT__0")
                if not numpy.allclose(answer, _product(rows), rtol=1e-4, atol=1e-4):
                    failures.append((seed, step))

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_the_backend_links_no_part_of_cuda_by_itself():
    directory = pathlib.Path(server_module.program()).resolve().parent / "backends" / "pytorch"
    content = (directory / "libtriton_pytorch.so").read_bytes()
    assert b"libtorch_cpu.so" in content
    assert b"libcudart.so" not in content
