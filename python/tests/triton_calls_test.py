"""Tests of calls of other models, of model control, metrics and log: what the server gets, and what the model."""

import json

import fake_server
import pytest

from headrace_worker import wire

# The request's text is Python that may set `said`, which is answered as JSON; `await` is allowed in it.
_MODEL = """
    import asyncio, json
    import numpy as np
    import triton_python_backend_utils as pb_utils

    def call(**more):
        inputs = [pb_utils.Tensor("A", np.arange(3, dtype=np.float32)), pb_utils.Tensor("T", np.array(["x"], object))]
        return pb_utils.InferenceRequest(inputs=inputs, requested_output_names=["B"], model_name="other", **more)

    def plain(response):
        if response.has_error():
            return [response.error().message(), response.error().code().name]
        return {t.name(): t.as_numpy().tolist() for t in response.output_tensors()}

    class TritonPythonModel:
        async def execute(self, requests):
            names = dict(globals(), requests=requests)
            code = requests[0].inputs()[0].as_numpy()[0].decode()
            exec("async def run():\\n" + "".join(f"    {line}\\n" for line in code.splitlines()) + "    return said", names)
            try:
                text = json.dumps(await names["run"]())
            except Exception as error:
                text = json.dumps([type(error).__name__, str(error)])
            return [pb_utils.InferenceResponse([pb_utils.Tensor("OUTPUT0", np.array([text], dtype=object))])]
"""
_ANSWER = {"B": fake_server.numbers(8, [5, 6])}


def _start(server, code, **more):
    server.start_execute({"key": 1, "tensors": {"INPUT0": fake_server.texts(code.encode())}, **more})


def _said(server):
    return json.loads(server.end_execute()[0][1].values("OUTPUT0")[0])


@pytest.mark.parametrize("way", ["call(**more).exec()", "await call(**more).async_exec()"])
def test_a_call_and_its_answer(shared, way):
    server = shared(_MODEL)
    more = "more = dict(request_id='x', correlation_id=9, model_version=2, flags=3, timeout=77, parameters={'a': 1})\n"
    _start(server, more + f"response = {way}\nsaid = [plain(response), response.parameters()]")
    key, tensors, extras, correlation_id, timeout_us, flags = server.next_call()
    assert {name: (dtype, dims) for name, (dtype, dims, _) in tensors.items()} == {"A": (11, (3,)), "T": (13, (1,))}
    assert tensors["T"][2] == b"\1\0\0\0x"
    assert (correlation_id, timeout_us, flags) == (9, 77, 3)
    assert extras == {
        "model_name": "other", "model_version": 2, "wanted_outputs": ["B"], "decoupled": False, "id": "x", "parameters": {"a": 1},
    }  # fmt: skip
    server.answer_call(key, _ANSWER, extras={"parameters": {"p": "q"}})
    assert _said(server) == [{"B": [5, 6]}, '{"p": "q"}']


def test_a_call_joins_the_trace_of_its_request(shared):
    server = shared(_MODEL)
    _start(server, "said = plain(call(trace=requests[0].trace(), correlation_id='c').exec())")
    key, _, extras, *_ = server.next_call()
    assert (extras["parent"], extras["correlation_id"], extras["model_version"]) == (1, "c", -1)
    server.answer_call(key, extras={"error": {"code": "NOT_FOUND", "message": "none"}}, flags=wire.FINAL | wire.ERROR)
    assert _said(server) == ["none", "NOT_FOUND"]


def test_calls_at_once_are_answered_in_any_order(shared):
    server = shared(_MODEL)
    _start(server, "said = [plain(r) for r in await asyncio.gather(*(call(request_id=str(i)).async_exec() for i in range(3)))]")
    keys = [(call[2]["id"], call[0]) for call in (server.next_call() for _ in range(3))]
    for identifier, key in reversed(keys):
        server.answer_call(key, {"B": fake_server.numbers(8, [int(identifier)])})
    assert _said(server) == [{"B": [0]}, {"B": [1]}, {"B": [2]}]


@pytest.mark.parametrize("way", ["call().exec(decoupled=True)", "await call().async_exec(decoupled=True)"])
def test_a_stream_of_responses(shared, way):
    server = shared(_MODEL)
    _start(server, f"stream = {way}\nsaid = [[plain(r) for r in stream], [plain(r) for r in stream]]")
    key, _, extras, *_ = server.next_call()
    assert extras["decoupled"] is True
    server.answer_call(key, _ANSWER, flags=0)
    server.answer_call(key, {"B": fake_server.numbers(8, [7])}, flags=0)
    server.answer_call(key)
    whole = [{"B": [5, 6]}, {"B": [7]}, {}]
    assert _said(server) == [whole, whole]


def test_a_stream_is_cancelled(shared):
    server = shared(_MODEL)
    _start(server, "stream = call().exec(decoupled=True)\nsaid = [plain(next(stream))]\nstream.cancel()\nsaid += map(plain, stream)")
    key = server.next_call()[0]
    server.answer_call(key, _ANSWER, flags=0)
    _, body = server.next_message(wire.CALL_CANCEL)
    assert int.from_bytes(body, "little") == key
    server.answer_call(key, extras={"error": {"code": "CANCELLED", "message": "gone"}}, flags=wire.FINAL | wire.ERROR)
    assert _said(server) == [{"B": [5, 6]}, ["gone", "CANCELLED"]]


def test_a_task_that_is_cancelled_cancels_its_call(shared):
    server = shared(_MODEL)
    _start(server, "try:\n    await asyncio.wait_for(call().async_exec(), 0.01)\nexcept asyncio.TimeoutError:\n    said = 'late'")
    key = server.next_call()[0]
    server.next_message(wire.CALL_CANCEL)
    assert _said(server) == "late"
    server.answer_call(key, _ANSWER)


def test_the_blocks_of_a_response_are_released_when_nothing_refers_to_them(shared):
    server = shared(_MODEL)
    _start(server, "kept = call().exec().output_tensors()[0].as_numpy()[1:]\nplain(call().exec())\nsaid = kept.tolist()")
    first = server.answer_call(server.next_call()[0], _ANSWER)
    second = server.answer_call(server.next_call()[0], _ANSWER)
    assert _said(server) == [6]
    while not set(first + second) <= set(server.released):
        server.next_message(wire.RELEASE)
    assert server.released.index(second[0]) < server.released.index(first[0])


def test_a_call_that_ends_with_the_server(serve):
    server = serve(_MODEL, {})
    _start(server, "said = plain(call().exec())")
    server.next_call()
    server.side.close()
    assert _said(server) == ["the worker is ending", "INTERNAL"]


def test_a_call_too_large_for_the_region(shared):
    server = shared(_MODEL)
    code = "inputs = [pb_utils.Tensor('A', np.zeros(100 << 20, 'u1'))]\n"
    code += "said = plain(pb_utils.InferenceRequest(inputs=inputs, requested_output_names=[], model_name='m').exec())"
    _start(server, code)
    text, code = _said(server)
    assert "data-byte-size" in text and code == "INTERNAL"


def test_calls_are_for_execute_only(serve):
    server = serve(
        """
        import triton_python_backend_utils as pb_utils

        class TritonPythonModel:
            def initialize(self, args):
                pb_utils.InferenceRequest(inputs=[], requested_output_names=[], model_name="m").exec()
        """
    )
    text = "TritonModelException: BLS is only supported during the 'execute' function."
    assert server.answer["error"]["message"].startswith(text)


@pytest.mark.parametrize(
    ("code", "kind", "text"),
    [
        ("pb_utils.InferenceRequest(inputs=[], model_name='m')", "TypeError", "an InferenceRequest needs requested_output_names"),
        ("call(correlation_id=1.5)", "TritonModelException", "Correlation ID must be integer or string"),
        ("call(parameters={1: 2})", "TritonModelException", "Expect parameters keys to have type str, found type <class 'int'>"),
        (
            "call(parameters={'a': []})",
            "TritonModelException",
            "Expect parameters values to have type bool/int/str, found type <class 'list'>",
        ),
        (
            "pb_utils.InferenceRequest('x', 0, [None], [], 'm')",
            "TritonModelException",
            "Input tensor for request with id 'x' and model name 'm' should not be empty.",
        ),
        (
            "pb_utils.InferenceRequest('x', 0, [], [''], 'm')",
            "TritonModelException",
            "Requested output name for request with id 'x' and model name 'm' should not be empty.",
        ),
        ("pb_utils.InferenceResponse([None])", "TritonModelException", "Output tensor for inference response should not be empty."),
        (
            "pb_utils.load_model('m', files=5)",
            "TritonModelException",
            "failed to load model 'm', files should be a dictionary of file paths and file contents",
        ),
        ("pb_utils.load_model('m', files={'x': b''})", "TritonModelException", "failed to load model 'm', 'x' does not begin with 'file:'"),
    ],
)
def test_wrong_arguments(shared, code, kind, text):
    server = shared(_MODEL)
    _start(server, f"said = {code}")
    assert _said(server) == [kind, text]


# Model control, metrics, log


def test_models_are_controlled(shared):
    server = shared(_MODEL)
    _start(
        server,
        "pb_utils.load_model('m', config='{}', files={'file:1/a': b'abc', 'file:1/b': b''})\n"
        "pb_utils.unload_model('m', unload_dependents=True)\n"
        "said = [pb_utils.is_model_ready('m'), pb_utils.is_model_ready('m', '3')]",
    )
    load = server.next_json(wire.CONTROL)
    places = {path: bytes(server.map[offset : offset + size]) for path, (offset, size) in load["files"].items()}
    assert (load["op"], load["model_name"], load["config"]) == ("load", "m", "{}")
    assert places == {"1/a": b"abc", "1/b": b""}
    server._send(server.side, wire.RELEASE, wire.pack_numbers([offset for offset, _ in load["files"].values()]))
    server.reply(load["id"], True)
    unload = server.next_json(wire.CONTROL)
    assert (unload["op"], unload["model_name"], unload["unload_dependents"]) == ("unload", "m", True)
    server.reply(unload["id"], True)
    for version, ready in (("", True), ("3", False)):
        question = server.next_json(wire.CONTROL)
        assert (question["op"], question["model_version"]) == ("is_ready", version)
        server.reply(question["id"], ready)
    assert _said(server) == [True, False]


def test_what_the_server_refuses_is_an_exception(shared):
    server = shared(_MODEL)
    _start(server, "said = pb_utils.load_model('m')")
    server.reply(server.next_json(wire.CONTROL)["id"], error={"code": "NOT_FOUND", "message": "no 'm'"})
    assert _said(server) == ["TritonModelException", "Failed to load model: no 'm'"]


def test_metrics(shared):
    server = shared(_MODEL)
    _start(
        server,
        "family = pb_utils.MetricFamily(name='f', description='d', kind=pb_utils.MetricFamily.HISTOGRAM)\n"
        "series = family.Metric(labels={'a': 'b'}, buckets=[1, 2.5])\n"
        "series.observe(2)\n"
        "gauge = pb_utils.MetricFamily('g', '', pb_utils.MetricFamily.GAUGE).Metric()\n"
        "gauge.increment(-1)\n"
        "gauge.set(4)\n"
        "said = gauge.value()\n"
        "del series, family",
    )
    family = server.next_json(wire.METRIC)
    assert (family["op"], family["name"], family["description"], family["kind"]) == ("family", "f", "d", "HISTOGRAM")
    server.reply(family["call"], True)
    series = server.next_json(wire.METRIC)
    assert (series["op"], series["family"], series["labels"], series["buckets"]) == ("series", family["id"], {"a": "b"}, [1, 2.5])
    server.reply(series["call"], True)
    assert server.next_json(wire.METRIC) == {"op": "observe", "id": series["id"], "value": 2}
    for _ in range(2):
        gauge = server.next_json(wire.METRIC)
        server.reply(gauge["call"], True)
    changes = [server.next_json(wire.METRIC) for _ in range(2)]
    assert [(change["op"], change["value"], change["id"]) for change in changes] == [
        ("increment", -1, gauge["id"]),
        ("set", 4, gauge["id"]),
    ]
    value = server.next_json(wire.METRIC)
    assert (value["op"], value["id"]) == ("value", gauge["id"])
    server.reply(value["call"], 4.0)
    drops = [server.next_json(wire.METRIC) for _ in range(4)]
    assert [(drop["op"], drop["id"]) for drop in drops[:2]] == [("drop_series", series["id"]), ("drop_family", family["id"])]
    assert _said(server) == 4.0


def test_what_a_metric_cannot_do_is_asked_and_refused(shared):
    server = shared(_MODEL)
    _start(server, "said = pb_utils.MetricFamily('f', 'd', pb_utils.MetricFamily.COUNTER).Metric().increment(-1)")
    for _ in range(2):
        server.reply(server.next_json(wire.METRIC)["call"], True)
    question = server.next_json(wire.METRIC)
    assert (question["op"], question["value"]) == ("increment", -1)
    server.reply(question["call"], error={"code": "INVALID_ARG", "message": "counters only grow"})
    assert _said(server) == ["TritonModelException", "Failed to increment metric value: counters only grow"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("5", "Labels must be a dictionary."),
        ("buckets=5", "Buckets must be a list."),
        ("buckets=[1]", "Unexpected buckets found."),
    ],
)
def test_wrong_arguments_of_a_series(shared, arguments, text):
    server = shared(_MODEL)
    _start(server, f"said = pb_utils.MetricFamily('f', 'd', pb_utils.MetricFamily.COUNTER).Metric({arguments})")
    server.reply(server.next_json(wire.METRIC)["call"], True)
    assert _said(server) == ["TritonModelException", "Failed to create metric. " + text]


def test_lines_of_the_log(shared, tmp_path):
    server = shared(_MODEL)
    _start(
        server,
        "log = pb_utils.Logger\n"
        "log.log_info('i'), log.log_warn('w'), log.log_error('e'), log.log_verbose('v')\n"
        "log.log('d'), log.log('x', log.ERROR), log.log('y' * 100_000)\n"
        "said = 1",
    )
    lines = [server.next_json(wire.LOG) for _ in range(7)]
    assert [line["level"] for line in lines] == ["INFO", "WARNING", "ERROR", "VERBOSE", "INFO", "ERROR", "INFO"]
    assert [line["message"] for line in lines[:6]] == ["i", "w", "e", "v", "d", "x"]
    assert len(lines[6]["message"]) < 20_000 and (lines[0]["file"], lines[0]["line"]) == ("<string>", 3)
    assert _said(server) == 1
