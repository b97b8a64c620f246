"""Python models in the program's own workers: the contract, and Triton's documented examples written anew; the answers are
those of a stock Triton where one is installed."""

import io
import json
import sys
import urllib.request

import numpy
import pytest
import python_contract

from harness import peers
from harness import server as server_module

_EXAMPLES = {
    "repeat": (
        "repeat",
        'backend: "python"\n'
        'input [ { name: "IN" data_type: TYPE_INT32 dims: [ -1 ] }, { name: "DELAY" data_type: TYPE_UINT32 dims: [ -1 ] },\n'
        '  { name: "WAIT" data_type: TYPE_UINT32 dims: [ 1 ] } ]\n'
        'output [ { name: "OUT" data_type: TYPE_INT32 dims: [ 1 ] }, { name: "IDX" data_type: TYPE_UINT32 dims: [ 1 ] } ]\n'
        "model_transaction_policy { decoupled: true }\n",
    ),
    "square": (
        "square",
        'backend: "python"\ninput { name: "IN" data_type: TYPE_INT32 dims: [ 1 ] }\n'
        'output { name: "OUT" data_type: TYPE_INT32 dims: [ 1 ] }\nmodel_transaction_policy { decoupled: true }\n',
    ),
    "square_sum": (
        "square_sum",
        'backend: "python"\n'
        'input [ { name: "IN" data_type: TYPE_INT32 dims: [ 1 ] }, { name: "KIND" data_type: TYPE_STRING dims: [ 1 ] } ]\n'
        'output { name: "SUM" data_type: TYPE_INT32 dims: [ 1 ] }\n',
    ),
    "preprocess": (
        "preprocess",
        'backend: "python"\nmax_batch_size: 8\ninput { name: "PICTURE" data_type: TYPE_STRING dims: [ 1 ] }\n'
        'output { name: "PLANES" data_type: TYPE_FP32 dims: [ 3, 8, 8 ] }\n',
    ),
    "mean_colour": (
        "mean_colour",
        'backend: "python"\nmax_batch_size: 8\ninput { name: "PLANES" data_type: TYPE_FP32 dims: [ 3, 8, 8 ] }\n'
        'output [ { name: "MEAN" data_type: TYPE_FP32 dims: [ 3 ] }, { name: "NAME" data_type: TYPE_STRING dims: [ 1 ] } ]\n',
    ),
}
_ENSEMBLE = """
platform: "ensemble"
max_batch_size: 8
input { name: "PICTURE" data_type: TYPE_STRING dims: [ 1 ] }
output [ { name: "MEAN" data_type: TYPE_FP32 dims: [ 3 ] }, { name: "NAME" data_type: TYPE_STRING dims: [ 1 ] } ]
ensemble_scheduling { step [
  { model_name: "preprocess" model_version: -1
    input_map { key: "PICTURE" value: "PICTURE" } output_map { key: "PLANES" value: "planes" } },
  { model_name: "mean_colour" model_version: -1
    input_map { key: "PLANES" value: "planes" }
    output_map [ { key: "MEAN" value: "MEAN" }, { key: "NAME" value: "NAME" } ] } ] }
"""


def _own(repository, *options, meeting="own"):
    settings = [f"--backend-config=python,interpreter={sys.executable}", "--backend-config=python,environment=MEETING"]
    return server_module.Server(
        repository, "--allow-code-override=true", *settings, *options, environment={"MEETING": meeting}
    )


@pytest.fixture(scope="module", name="ours")
def _ours(python_repository):
    with _own(python_repository, *python_contract.load_options()) as running:
        yield running
        assert running.stop() == 0, running.output()


@pytest.fixture(scope="module", name="both")
def _both(ours, stock_triton):
    return ours, *stock_triton


@pytest.fixture(scope="module", name="examples")
def _examples(tmp_path_factory):
    """Servers over the examples, as `both` are over the cases."""
    repository = python_contract.write_repository(tmp_path_factory.mktemp("examples"), _EXAMPLES)
    (repository / "colour" / "1").mkdir(parents=True)
    (repository / "colour" / "config.pbtxt").write_text(_ENSEMBLE, encoding="utf-8")
    with _own(repository) as running:
        if peers.directory() is None:
            yield [running]
        else:
            with peers.triton(repository, f"--backend-directory={peers.backends()}") as theirs:
                yield [running, theirs]
        assert running.stop() == 0, running.output()


class TestOwnRuntime(python_contract.Cases):
    """The cases of the contract."""


def _stream(server, model, **inputs):
    """The outputs in the events of generate_stream."""
    request = urllib.request.Request(
        f"http://{server.url}/v2/models/{model}/generate_stream", json.dumps(inputs).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        events = [json.loads(line[6:]) for line in answer.read().decode().splitlines() if line.startswith("data: ")]
    return [{name: value for name, value in event.items() if name.isupper()} for event in events]


def test_repeat(examples):
    events = python_contract.alike(
        examples, lambda server: _stream(server, "repeat", IN=[4, 2, 0, 1], DELAY=[1, 2, 0, 1], WAIT=2)
    )
    assert [(event["OUT"], event["IDX"]) for event in events] == [(4, 0), (2, 1), (0, 2), (1, 3)]


@pytest.mark.parametrize("number", [0, 1, 5])
def test_square(examples, number):
    events = python_contract.alike(examples, lambda server: _stream(server, "square", IN=number))
    assert [event["OUT"] for event in events] == [number] * number


@pytest.mark.parametrize("kind", ["iterate", "await"])
def test_calls_of_a_decoupled_model(examples, kind):
    ask = lambda server: python_contract.http(server, "models/square_sum/infer", _square_sum(4, kind))
    status, answer = python_contract.alike(examples, ask)
    assert (status, answer["outputs"][0]["data"]) == (200, [32])


def _square_sum(number, kind):
    inputs = [
        {"name": "IN", "datatype": "INT32", "shape": [1], "data": [number]},
        {"name": "KIND", "datatype": "BYTES", "shape": [1], "data": [kind]},
    ]
    return {"inputs": inputs}


def test_an_ensemble_that_prepares_pictures(examples):
    image = pytest.importorskip("PIL.Image")
    import tritonclient.http as client_module

    pictures = []
    for colour in ((200, 10, 30), (20, 30, 90)):
        file = io.BytesIO()
        image.new("RGB", (31, 17), colour).save(file, "PNG")
        pictures.append([file.getvalue()])

    def ask(server):
        tensor = client_module.InferInput("PICTURE", [2, 1], "BYTES")
        tensor.set_data_from_numpy(numpy.array(pictures, dtype=object))
        with client_module.InferenceServerClient(server.url) as client:
            result = client.infer("colour", [tensor])
        return result.as_numpy("MEAN").tolist(), result.as_numpy("NAME").tolist()

    means, names = python_contract.alike(examples, ask)
    assert names == [[b"red"], [b"blue"]]
    assert numpy.allclose(means, numpy.array([[200, 10, 30], [20, 30, 90]]) / 255)
