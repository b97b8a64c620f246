"""What models of Triton's Python contract do, whichever backend runs them: cases for a class of tests, and their helpers.

A class that has `Cases` as its base and fixtures `ours` (a server of this project) and `both` (it, and a stock Triton where
one is installed) runs them all.
"""

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

_SOURCES = pathlib.Path(__file__).parent / "python_models"
_NUMPY = {
    "BOOL": numpy.bool_, "UINT8": numpy.uint8, "UINT16": numpy.uint16, "UINT32": numpy.uint32, "UINT64": numpy.uint64,
    "INT8": numpy.int8, "INT16": numpy.int16, "INT32": numpy.int32, "INT64": numpy.int64, "FP16": numpy.float16,
    "FP32": numpy.float32, "FP64": numpy.float64,
}  # fmt: skip


def tensors(kind, dtypes, dims="-1"):
    return "".join(
        f'{kind} {{ name: "{kind.upper()}{i}" data_type: TYPE_{dtype} dims: [ {dims} ] }}\n'
        for i, dtype in enumerate(dtypes)
    )


def config(inputs, outputs, extra="", dims="-1", batch=0):
    return f'backend: "python"\nmax_batch_size: {batch}\n{tensors("input", inputs, dims)}{tensors("output", outputs, dims)}{extra}'


_DECOUPLED = "model_transaction_policy { decoupled: true }\n"
# name -> (source, configuration; None: there is no file)
MODELS = {
    "add_sub": ("add_sub", config(["INT32"] * 2, ["INT32"] * 2)),
    "batched": ("add_sub", config(["INT32"] * 2, ["INT32"] * 2, "dynamic_batching { }\n", "4", 8)),
    "echo": ("echo", config(list(_NUMPY) + ["STRING"], list(_NUMPY) + ["STRING"])),
    "upper": ("upper", config(["STRING"], ["STRING"])),
    "faults": ("faults", config(["STRING"], ["STRING"])),
    "properties": (
        "properties",
        config(["STRING"], ["STRING"], 'parameters { key: "shade" value { string_value: "blue" } }\n'),
    ),
    "count_down": ("count_down", config(["INT32"], ["INT32"], _DECOUPLED)),
    "patient": ("patient", config(["INT32"], ["INT32"])),
    "sender": ("sender", config(["INT32"], ["INT32"])),
    "caller": ("caller", config(["STRING"], ["STRING"])),
    "controller": ("controller", config(["STRING"], ["STRING"])),
    "measured": ("measured", config(["FP32"], ["STRING"])),
    "instances": ("instances", config(["INT32"], ["STRING"], "instance_group [ { kind: KIND_CPU count: 2 } ]\n")),
    "completed": ("completed", None),
    "late": ("echo", config(["INT32"], ["INT32"])),
}
NOT_AT_START = ("late",)


def write_repository(repository, models=None):
    """Writes the models into a folder."""
    for name, (source, configuration) in (models or MODELS).items():
        version = repository / name / "1"
        version.mkdir(parents=True)
        text = (_SOURCES / f"{source}.py").read_text(encoding="utf-8")
        (version / "model.py").write_text(text, encoding="utf-8")
        if configuration:
            (repository / name / "config.pbtxt").write_text(configuration, encoding="utf-8")
    return repository


def load_options(models=None):
    """What makes a server load the models."""
    loaded = [f"--load-model={name}" for name in models or MODELS if name not in NOT_AT_START]
    return ["--model-control-mode=explicit", *loaded]


def http(server, path, body=None):
    """(status, body as JSON or text)"""
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(f"http://{server.url}/v2/{path}", data=data, timeout=60) as answer:
            text, status = answer.read(), answer.status
    except urllib.error.HTTPError as error:
        text, status = error.read(), error.code
    return status, json.loads(text) if text else None


def infer(server, model, inputs, **request):
    """`inputs`: (datatype, shape, values)."""
    listed = [
        {"name": f"INPUT{i}", "datatype": dtype, "shape": shape, "data": data}
        for i, (dtype, shape, data) in enumerate(inputs)
    ]
    return http(server, f"models/{model}/infer", {"inputs": listed, **request})


def infer_text(server, model, *texts, **request):
    return infer(server, model, [("BYTES", [len(texts)], list(texts))], **request)


def alike(servers, ask, tidy=lambda answer: answer):
    """Asks all; the answer of the first, which the others gave too."""
    ours, *others = (tidy(ask(server)) for server in servers)
    for theirs in others:
        assert ours == theirs
    return ours


def _down(count, **more):
    return {"model": "count_down", "decoupled": True, "inputs": {"INPUT0": ["int32", [count]]}, **more}


def _without_places(answer):
    """Without addresses and ids, which differ from run to run, and codes of a called model's errors, which the stock Triton
    keeps in its newer releases only."""
    return re.sub(r"(0x[0-9a-f]+|<id_unknown>|__ErrorCode.\w+)", "#", json.dumps(answer))


def _tensors_json(dtype):
    return {
        "input": [{"name": "INPUT0", "data_type": f"TYPE_{dtype}", "dims": [-1]}],
        "output": [{"name": "OUTPUT0", "data_type": f"TYPE_{dtype}", "dims": [-1]}],
    }


def _sample(line):
    """Name, labels without their order, and value of one line of a metrics page."""
    name, labels, value = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line).groups()
    return name, tuple(sorted((labels or "").split(","))), float(value)


_ADD = {"model": "add_sub", "inputs": {"INPUT0": ["int32", [1, 2]], "INPUT1": ["int32", [3, 4]]}}
_UPPER = {"model": "upper", "inputs": {"INPUT0": ["text", ["abc"]]}}
_FAULT = {"model": "faults", "inputs": {"INPUT0": ["text", ["NOT_FOUND"]]}}
_RAISE = {"model": "faults", "inputs": {"INPUT0": ["text", ["raise"]]}}
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


class Cases:
    """See above."""

    def test_sum_and_difference(self, both):
        ask = lambda server: infer(server, "add_sub", [("INT32", [3], [1, 2, 3]), ("INT32", [3], [10, 20, 30])], id="x")
        status, answer = alike(both, ask)
        assert status == 200
        assert [output["data"] for output in answer["outputs"]] == [[11, 22, 33], [-9, -18, -27]]

    def test_one_output_of_two_is_asked_for(self, both):
        ask = lambda server: infer(
            server, "add_sub", [("INT32", [1], [1]), ("INT32", [1], [2])], outputs=[{"name": "OUTPUT1"}]
        )
        assert [output["name"] for output in alike(both, ask)[1]["outputs"]] == ["OUTPUT1"]

    def test_batches(self, both):
        data = list(range(8))
        ask = lambda server: infer(server, "batched", [("INT32", [2, 4], data), ("INT32", [2, 4], data)])
        assert alike(both, ask)[1]["outputs"][0]["data"] == [2 * value for value in data]

    def test_concurrent_requests_are_all_answered(self, ours):
        def ask(i):
            return infer(ours, "batched", [("INT32", [1, 4], [i] * 4), ("INT32", [1, 4], [1] * 4)])

        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(ask, range(200)))
        assert [answer["outputs"][0]["data"] for _, answer in answers] == [[i + 1] * 4 for i in range(200)]

    def test_every_datatype(self, both):
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

        answer = alike(both, ask)
        assert answer == sorted(((dtype, array.tolist()) for dtype, array in arrays.items()), key=str)

    def test_texts(self, both):
        ask = lambda server: infer_text(server, "upper", "a", "bc", "")
        assert alike(both, ask)[1]["outputs"][0]["data"] == ["A", "BC", ""]

    @pytest.mark.parametrize(
        "fault",
        [
            "raise", "model_exception", "no_list", "too_few", "too_many", "not_a_response", "no_output",
            "unexpected_output", "UNKNOWN", "INTERNAL", "NOT_FOUND", "INVALID_ARG", "UNAVAILABLE", "UNSUPPORTED",
            "ALREADY_EXISTS", "CANCELLED", "none",
        ],
    )  # fmt: skip
    def test_faults_of_a_model(self, both, fault):
        status, _ = alike(both, lambda server: infer_text(server, "faults", fault))
        assert (status == 200) == (fault in ("none", "no_output")) or fault in ("no_output", "unexpected_output")

    def test_what_a_model_sees_of_a_request(self, both):
        def ask(server):
            return infer_text(
                server,
                "properties",
                "x",
                id="the id",
                parameters={"sequence_id": 42, "sequence_start": True, "timeout": 7_000_000, "text": "t", "number": 5, "truth": False},
            )

        def tidy(answer):
            seen = json.loads(answer[1]["outputs"][0]["data"][0])
            return answer[0], seen

        status, seen = alike(both, ask, tidy)
        assert status == 200
        assert (seen["id"], seen["correlation_id"], seen["flags"], seen["timeout"]) == ("the id", 42, 1, 7_000_000)
        assert seen["parameters"] == {"text": "t", "number": 5, "truth": False}

    def test_a_correlation_id_that_is_a_text(self, both):
        ask = lambda server: infer_text(server, "properties", "x", parameters={"sequence_id": "seven"})
        tidy = lambda answer: json.loads(answer[1]["outputs"][0]["data"][0])
        assert alike(both, ask, tidy)["correlation_id"] == "seven"

    def test_a_response_sender_of_an_ordinary_model(self, both):
        status, answer = alike(both, lambda server: infer(server, "sender", [("INT32", [2], [5, 6])]))
        assert status == 200 and answer["outputs"][0]["data"] == [5, 6]

    def test_a_decoupled_model_is_not_for_http(self, both):
        status, _ = alike(both, lambda server: infer(server, "count_down", [("INT32", [1], [2])]))
        assert status != 200

    @pytest.mark.parametrize("name", _CALLS)
    def test_calls_of_other_models(self, both, name):
        text = alike(both, lambda server: infer_text(server, "caller", json.dumps(_CALLS[name])), _without_places)
        assert text.startswith("[200, ")

    def test_a_client_that_leaves_cancels_its_request(self, ours):
        """The stock Triton of this version tells its models of clients over gRPC only."""
        body = json.dumps({"inputs": [{"name": "INPUT0", "datatype": "INT32", "shape": [1], "data": [1]}]}).encode()
        with socket.create_connection((ours.host, ours.port)) as connection:
            head = f"POST /v2/models/patient/infer HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
            connection.sendall(head.encode() + body)
            ours.wait_line("the patient model has begun")
        ours.wait_line("the request was cancelled: True")
        assert infer(ours, "add_sub", [("INT32", [1], [1]), ("INT32", [1], [2])])[0] == 200

    def test_models_are_loaded_and_unloaded_from_within(self, both):
        steps = [
            ("ready", "late"),
            ("load", "late"),
            ("ready", "late", "1"),
            ("ready", "late", "7"),
            ("unload", "nobody"),
            ("load_config", "late", json.dumps({"backend": "python", "max_batch_size": 2, **_tensors_json("INT32")})),
        ]
        for step in steps:
            ask = lambda server: infer_text(server, "controller", *step)
            assert alike(both, ask)[0] == 200
        assert alike(both, lambda server: http(server, "models/late/config")[1]["max_batch_size"]) == 2
        for server in both:
            infer_text(server, "controller", "unload", "late")
        # The withdrawal of the stock Triton comes after its answer.
        assert not json.loads(infer_text(both[0], "controller", "ready", "late")[1]["outputs"][0]["data"][0])["ready"]

    def test_a_model_brings_its_files(self, both):
        config = json.dumps({"backend": "python", **_tensors_json("INT32")})
        source = (_SOURCES / "echo.py").read_text(encoding="utf-8")
        alike(both, lambda server: infer_text(server, "controller", "load_files", "brought", config, source))
        assert alike(both, lambda server: infer(server, "brought", [("INT32", [1], [4])]))[0] == 200

    def test_metrics_of_a_model(self, both):
        ask = lambda server: infer(server, "measured", [("FP32", [1], [0.75])])
        status, answer = alike(both, ask)
        values = json.loads(answer["outputs"][0]["data"][0])
        assert status == 200 and (values["counter"], values["gauge"]) == (0.75, 0.75)

        def page(server):
            with urllib.request.urlopen(f"http://127.0.0.1:{server.metrics_port}/metrics", timeout=60) as answer:
                lines = answer.read().decode().splitlines()
            return sorted(line for line in lines if "check_" in line)

        text = "\n".join(page(both[0]))
        assert 'check_histogram_bucket{model="measured",le="1"} 1' in text
        numbers = [sorted(_sample(line) for line in page(server) if not line.startswith("#")) for server in both]
        assert all(theirs == numbers[0] for theirs in numbers)

    def test_a_configuration_that_the_model_completes(self, both):
        def config(server):
            whole = http(server, "models/completed/config")[1]
            return {key: whole[key] for key in ("max_batch_size", "input", "output", "backend")}, "dynamic_batching" in whole

        assert alike(both, config)[0]["max_batch_size"] == 3
        answer = alike(both, lambda server: infer(server, "completed", [("FP32", [1, 4], [1, 2, 3, 4])]))
        assert answer[1]["outputs"][0]["data"] == [2, 4, 6, 8]

    def test_two_instances_run_at_once(self, both):
        def ask(server):
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                answers = list(pool.map(lambda _: infer(server, "instances", [("INT32", [1], [0])]), range(2)))
            return sorted(answer["outputs"][0]["data"] for _, answer in answers)

        assert alike(both, ask) == [["instances_0_0", "2"], ["instances_0_1", "2"]]

    def test_the_statistics_count_calls_from_within(self, both):
        def counts(server):
            stats = http(server, "models/add_sub/stats")[1]["model_stats"][0]
            return stats["inference_count"], stats["inference_stats"]["success"]["count"], stats["inference_stats"]["fail"]["count"]

        before = [counts(server) for server in both]
        for server in both:
            infer_text(server, "caller", json.dumps([_ADD, _ADD]))
        assert [tuple(b - a for a, b in zip(old, counts(server))) for old, server in zip(before, both)] == [(2, 2, 0)] * len(both)
