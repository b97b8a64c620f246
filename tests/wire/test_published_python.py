"""The published Python backend, unmodified: the same TritonPythonModels in the program and in a stock Triton answer alike."""

import concurrent.futures
import json
import pathlib
import re
import socket
import urllib.error
import urllib.request

import numpy
import pytest
import tritonclient.http as client_module

from harness import peers
from harness import server as server_module

pytestmark = pytest.mark.skipif(
    peers.directory() is None, reason="HEADRACE_PEERS names no directory with the published Python backend"
)
_SOURCES = pathlib.Path(__file__).parent / "python_models"
_NUMPY = {
    "BOOL": numpy.bool_, "UINT8": numpy.uint8, "UINT16": numpy.uint16, "UINT32": numpy.uint32, "UINT64": numpy.uint64,
    "INT8": numpy.int8, "INT16": numpy.int16, "INT32": numpy.int32, "INT64": numpy.int64, "FP16": numpy.float16,
    "FP32": numpy.float32, "FP64": numpy.float64,
}  # fmt: skip


def _tensors(kind, dtypes, dims="-1"):
    return "".join(
        f'{kind} {{ name: "{kind.upper()}{i}" data_type: TYPE_{dtype} dims: [ {dims} ] }}\n'
        for i, dtype in enumerate(dtypes)
    )


def _config(inputs, outputs, extra="", dims="-1", batch=0):
    return f'backend: "python"\nmax_batch_size: {batch}\n{_tensors("input", inputs, dims)}{_tensors("output", outputs, dims)}{extra}'


_DECOUPLED = "model_transaction_policy { decoupled: true }\n"
# name -> (source, configuration; None: there is no file)
_MODELS = {
    "add_sub": ("add_sub", _config(["INT32"] * 2, ["INT32"] * 2)),
    "batched": ("add_sub", _config(["INT32"] * 2, ["INT32"] * 2, "dynamic_batching { }\n", "4", 8)),
    "echo": ("echo", _config(list(_NUMPY) + ["STRING"], list(_NUMPY) + ["STRING"])),
    "upper": ("upper", _config(["STRING"], ["STRING"])),
    "faults": ("faults", _config(["STRING"], ["STRING"])),
    "properties": (
        "properties",
        _config(["STRING"], ["STRING"], 'parameters { key: "shade" value { string_value: "blue" } }\n'),
    ),
    "count_down": ("count_down", _config(["INT32"], ["INT32"], _DECOUPLED)),
    "patient": ("patient", _config(["INT32"], ["INT32"])),
    "sender": ("sender", _config(["INT32"], ["INT32"])),
    "caller": ("caller", _config(["STRING"], ["STRING"])),
    "controller": ("controller", _config(["STRING"], ["STRING"])),
    "measured": ("measured", _config(["FP32"], ["STRING"])),
    "instances": ("instances", _config(["INT32"], ["STRING"], "instance_group [ { kind: KIND_CPU count: 2 } ]\n")),
    "completed": ("completed", None),
    "late": ("echo", _config(["INT32"], ["INT32"])),
}
_NOT_AT_START = ("late",)


@pytest.fixture(scope="module", name="repository")
def _repository(tmp_path_factory):
    repository = tmp_path_factory.mktemp("python")
    for name, (source, config) in _MODELS.items():
        version = repository / name / "1"
        version.mkdir(parents=True)
        (version / "model.py").write_text((_SOURCES / f"{source}.py").read_text(encoding="utf-8"), encoding="utf-8")
        if config:
            (repository / name / "config.pbtxt").write_text(config, encoding="utf-8")
    return repository


def _options():
    loaded = [f"--load-model={name}" for name in _MODELS if name not in _NOT_AT_START]
    return [f"--backend-directory={peers.backends()}", "--model-control-mode=explicit", *loaded]


@pytest.fixture(scope="module", name="ours")
def _ours(repository, tmp_path_factory):
    environment = {**peers.environment(tmp_path_factory.mktemp("links")), "MEETING": "ours"}
    published = "--backend-config=python,implementation=published"
    with server_module.Server(
        repository, "--allow-code-override=true", published, *_options(), environment=environment
    ) as running:
        yield running
        assert running.stop() == 0, running.output()


@pytest.fixture(scope="module", name="both")
def _both(repository, ours):
    with peers.triton(repository, *_options(), environment_={"MEETING": "theirs"}) as running:
        yield ours, running


def _http(server, path, body=None):
    """(status, body as JSON or text)"""
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(f"http://{server.url}/v2/{path}", data=data, timeout=60) as answer:
            text, status = answer.read(), answer.status
    except urllib.error.HTTPError as error:
        text, status = error.read(), error.code
    return status, json.loads(text) if text else None


def _infer(server, model, inputs, **request):
    """`inputs`: (datatype, shape, values)."""
    listed = [
        {"name": f"INPUT{i}", "datatype": dtype, "shape": shape, "data": data}
        for i, (dtype, shape, data) in enumerate(inputs)
    ]
    return _http(server, f"models/{model}/infer", {"inputs": listed, **request})


def _text(server, model, *texts, **request):
    return _infer(server, model, [("BYTES", [len(texts)], list(texts))], **request)


def _alike(both, ask, tidy=lambda answer: answer):
    """Asks both; the answer of the program, which the stock Triton gave too."""
    ours, theirs = (tidy(ask(server)) for server in both)
    assert ours == theirs
    return ours


def test_sum_and_difference(both):
    ask = lambda server: _infer(server, "add_sub", [("INT32", [3], [1, 2, 3]), ("INT32", [3], [10, 20, 30])], id="x")
    status, answer = _alike(both, ask)
    assert status == 200
    assert [output["data"] for output in answer["outputs"]] == [[11, 22, 33], [-9, -18, -27]]


def test_one_output_of_two_is_asked_for(both):
    ask = lambda server: _infer(
        server, "add_sub", [("INT32", [1], [1]), ("INT32", [1], [2])], outputs=[{"name": "OUTPUT1"}]
    )
    assert [output["name"] for output in _alike(both, ask)[1]["outputs"]] == ["OUTPUT1"]


def test_batches(both):
    data = list(range(8))
    ask = lambda server: _infer(server, "batched", [("INT32", [2, 4], data), ("INT32", [2, 4], data)])
    assert _alike(both, ask)[1]["outputs"][0]["data"] == [2 * value for value in data]


def test_concurrent_requests_are_all_answered(ours):
    def ask(i):
        return _infer(ours, "batched", [("INT32", [1, 4], [i] * 4), ("INT32", [1, 4], [1] * 4)])

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ask, range(200)))
    assert [answer["outputs"][0]["data"] for _, answer in answers] == [[i + 1] * 4 for i in range(200)]


def test_every_datatype(both):
    arrays = {dtype: numpy.array([0, 1, 1], kind) for dtype, kind in _NUMPY.items()}
    arrays["BYTES"] = numpy.array([b"", b"text", "\u00e4".encode()], numpy.object_)

    def ask(server):
        inputs = []
        for i, (dtype, array) in enumerate(arrays.items()):
            inputs.append(client_module.InferInput(f"INPUT{i}", [3], dtype))
            inputs[-1].set_data_from_numpy(array)
        with client_module.InferenceServerClient(server.url) as client:
            result = client.infer("echo", inputs)
        outputs = result.get_response()["outputs"]
        return sorted(((output["datatype"], result.as_numpy(output["name"]).tolist()) for output in outputs), key=str)

    answer = _alike(both, ask)
    assert answer == sorted(((dtype, array.tolist()) for dtype, array in arrays.items()), key=str)


def test_texts(both):
    ask = lambda server: _text(server, "upper", "a", "bc", "")
    assert _alike(both, ask)[1]["outputs"][0]["data"] == ["A", "BC", ""]


@pytest.mark.parametrize(
    "fault",
    [
        "raise", "model_exception", "no_list", "too_few", "too_many", "not_a_response", "no_output",
        "unexpected_output", "UNKNOWN", "INTERNAL", "NOT_FOUND", "INVALID_ARG", "UNAVAILABLE", "UNSUPPORTED",
        "ALREADY_EXISTS", "CANCELLED", "none",
    ],
)  # fmt: skip
def test_faults_of_a_model(both, fault):
    status, _ = _alike(both, lambda server: _text(server, "faults", fault))
    assert (status == 200) == (fault in ("none", "no_output")) or fault in ("no_output", "unexpected_output")


def test_what_a_model_sees_of_a_request(both):
    def ask(server):
        return _text(
            server,
            "properties",
            "x",
            id="the id",
            parameters={"sequence_id": 42, "sequence_start": True, "timeout": 7_000_000, "text": "t", "number": 5, "truth": False},
        )

    def tidy(answer):
        seen = json.loads(answer[1]["outputs"][0]["data"][0])
        return answer[0], seen

    status, seen = _alike(both, ask, tidy)
    assert status == 200
    assert (seen["id"], seen["correlation_id"], seen["flags"], seen["timeout"]) == ("the id", 42, 1, 7_000_000)
    assert seen["parameters"] == {"text": "t", "number": 5, "truth": False}


def test_a_correlation_id_that_is_a_text(both):
    ask = lambda server: _text(server, "properties", "x", parameters={"sequence_id": "seven"})
    tidy = lambda answer: json.loads(answer[1]["outputs"][0]["data"][0])
    assert _alike(both, ask, tidy)["correlation_id"] == "seven"


def test_a_response_sender_of_an_ordinary_model(both):
    status, answer = _alike(both, lambda server: _infer(server, "sender", [("INT32", [2], [5, 6])]))
    assert status == 200 and answer["outputs"][0]["data"] == [5, 6]


def test_a_decoupled_model_is_not_for_http(both):
    status, _ = _alike(both, lambda server: _infer(server, "count_down", [("INT32", [1], [2])]))
    assert status != 200


_ADD = {"model": "add_sub", "inputs": {"INPUT0": ["int32", [1, 2]], "INPUT1": ["int32", [3, 4]]}}
_UPPER = {"model": "upper", "inputs": {"INPUT0": ["text", ["abc"]]}}
_FAULT = {"model": "faults", "inputs": {"INPUT0": ["text", ["NOT_FOUND"]]}}
_RAISE = {"model": "faults", "inputs": {"INPUT0": ["text", ["raise"]]}}


def _down(count, **more):
    return {"model": "count_down", "decoupled": True, "inputs": {"INPUT0": ["int32", [count]]}, **more}


_CALLS = {
    "one": [_ADD],
    "both outputs": [{**_ADD, "outputs": ["OUTPUT0", "OUTPUT1"], "version": 1}],
    "several in turn": [_ADD, _UPPER, {**_ADD, "id": "third"}],
    "several at once": [{**call, "await": True} for call in (_ADD, _UPPER, _ADD, _ADD)],
    "an error of the model": [_FAULT],
    "an exception of the model": [_RAISE],
    "errors at once": [{**call, "await": True} for call in (_FAULT, _ADD)],
    "an unknown model": [{**_ADD, "model": "nobody"}],
    "an unknown version": [{**_ADD, "version": 9}],
    "an unknown output": [{**_ADD, "outputs": ["OTHER"]}],
    "a missing input": [{**_ADD, "inputs": {"INPUT0": ["int32", [1]]}}],
    "a wrong type": [{**_ADD, "inputs": {"INPUT0": ["float32", [1]], "INPUT1": ["int32", [1]]}}],
    "parameters": [
        {"model": "properties", "inputs": {"INPUT0": ["text", ["x"]]}, "parameters": {"a": "b", "n": 3, "t": True},
         "id": "inner", "correlation_id": 9, "flags": 3, "timeout": 60_000_000}
    ],
    "a stream": [_down(3)],
    "a stream at once with others": [_down(3, **{"await": True}), {**_ADD, "await": True}],
    "a stream without a response": [_down(0)],
    "a decoupled model without a stream": [{**_down(1), "decoupled": False}],
    "an ordinary model as a stream": [{**_ADD, "decoupled": True}],
}  # fmt: skip


def _without_places(answer):
    """Without addresses and ids, which differ from run to run."""
    return re.sub(r"(0x[0-9a-f]+|<id_unknown>)", "#", json.dumps(answer))


@pytest.mark.parametrize("name", _CALLS)
def test_calls_of_other_models(both, name):
    text = _alike(both, lambda server: _text(server, "caller", json.dumps(_CALLS[name])), _without_places)
    assert text.startswith("[200, ")


def test_a_client_that_leaves_cancels_its_request(ours):
    """The stock Triton of this version tells its models of clients over gRPC only."""
    body = json.dumps({"inputs": [{"name": "INPUT0", "datatype": "INT32", "shape": [1], "data": [1]}]}).encode()
    with socket.create_connection((ours.host, ours.port)) as connection:
        head = f"POST /v2/models/patient/infer HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        ours.wait_line("the patient model has begun")
    ours.wait_line("the request was cancelled: True")
    assert _infer(ours, "add_sub", [("INT32", [1], [1]), ("INT32", [1], [2])])[0] == 200


def test_models_are_loaded_and_unloaded_from_within(both):
    steps = [
        ("ready", "late"),
        ("load", "late"),
        ("ready", "late", "1"),
        ("ready", "late", "7"),
        ("unload", "nobody"),
        ("load_config", "late", json.dumps({"backend": "python", "max_batch_size": 2, **_tensors_json("INT32")})),
    ]
    for step in steps:
        ask = lambda server: _text(server, "controller", *step)
        assert _alike(both, ask)[0] == 200
    assert _alike(both, lambda server: _http(server, "models/late/config")[1]["max_batch_size"]) == 2
    for server in both:
        _text(server, "controller", "unload", "late")
    # The withdrawal of the stock Triton comes after its answer.
    assert not json.loads(_text(both[0], "controller", "ready", "late")[1]["outputs"][0]["data"][0])["ready"]


def _tensors_json(dtype):
    return {
        "input": [{"name": "INPUT0", "data_type": f"TYPE_{dtype}", "dims": [-1]}],
        "output": [{"name": "OUTPUT0", "data_type": f"TYPE_{dtype}", "dims": [-1]}],
    }


def test_a_model_brings_its_files(both):
    config = json.dumps({"backend": "python", **_tensors_json("INT32")})
    source = (_SOURCES / "echo.py").read_text(encoding="utf-8")
    _alike(both, lambda server: _text(server, "controller", "load_files", "brought", config, source))
    assert _alike(both, lambda server: _infer(server, "brought", [("INT32", [1], [4])]))[0] == 200


def test_metrics_of_a_model(both):
    ask = lambda server: _infer(server, "measured", [("FP32", [1], [0.75])])
    status, answer = _alike(both, ask)
    values = json.loads(answer["outputs"][0]["data"][0])
    assert status == 200 and (values["counter"], values["gauge"]) == (0.75, 0.75)

    def page(server):
        with urllib.request.urlopen(f"http://127.0.0.1:{server.metrics_port}/metrics", timeout=60) as answer:
            lines = answer.read().decode().splitlines()
        return sorted(line for line in lines if "check_" in line)

    text = "\n".join(page(both[0]))
    assert 'check_histogram_bucket{model="measured",le="1"} 1' in text
    numbers = [sorted(_sample(line) for line in page(server) if not line.startswith("#")) for server in both]
    assert numbers[0] == numbers[1]


def _sample(line):
    """Name, labels without their order, and value of one line of a metrics page."""
    name, labels, value = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line).groups()
    return name, tuple(sorted((labels or "").split(","))), float(value)


def test_a_configuration_that_the_model_completes(both):
    def config(server):
        whole = _http(server, "models/completed/config")[1]
        return {key: whole[key] for key in ("max_batch_size", "input", "output", "backend")}, "dynamic_batching" in whole

    assert _alike(both, config)[0]["max_batch_size"] == 3
    answer = _alike(both, lambda server: _infer(server, "completed", [("FP32", [1, 4], [1, 2, 3, 4])]))
    assert answer[1]["outputs"][0]["data"] == [2, 4, 6, 8]


def test_two_instances_run_at_once(both):
    def ask(server):
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(lambda _: _infer(server, "instances", [("INT32", [1], [0])]), range(2)))
        return sorted(answer["outputs"][0]["data"] for _, answer in answers)

    assert _alike(both, ask) == [["instances_0_0", "2"], ["instances_0_1", "2"]]


def test_the_statistics_count_calls_from_within(both):
    def counts(server):
        stats = _http(server, "models/add_sub/stats")[1]["model_stats"][0]
        return stats["inference_count"], stats["inference_stats"]["success"]["count"], stats["inference_stats"]["fail"]["count"]

    before = [counts(server) for server in both]
    for server in both:
        _text(server, "caller", json.dumps([_ADD, _ADD]))
    assert [tuple(b - a for a, b in zip(old, counts(server))) for old, server in zip(before, both)] == [(2, 2, 0)] * 2
