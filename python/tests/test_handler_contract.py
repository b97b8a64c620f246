"""The handler contract: what a handler gets, and what becomes of what it returns or raises."""

import json
import re

import pytest

import fake_server
import handler_worker
from handler_worker import body, parameters, write_model
from headrace_worker import wire

# Answers with what it has got: types and values, and what the context says.
SHOW = """
import json
def handle(rows, context):
    if rows is None:
        return None
    def shown(value):
        return [type(value).__name__, value.decode("latin-1") if isinstance(value, (bytes, bytearray)) else value]
    return [json.dumps({"row": {name: shown(value) for name, value in row.items()}, "headers": context.get_all_request_header(index),
                        "id": context.get_request_id(index)}) for index, row in enumerate(rows)]
"""


@pytest.fixture(scope="module")
def show(tmp_path_factory):
    directory = write_model(
        tmp_path_factory.mktemp("show"), {"show.py": SHOW}, {"modelName": "show", "handler": "show.py"}
    )
    with handler_worker.running(directory, batch_size=8) as worker:
        yield worker


def shown(worker, parts, **more):
    (answer,) = worker.predict(worker.request(parts, **more))
    assert answer.error is None, answer.error
    return json.loads(body(answer))


@pytest.mark.parametrize(
    "kind, data, expected",
    [
        ("", b"plain", ["bytearray", "plain"]),
        ("application/json", b'{"a": [1, 2.5, null]}', ["dict", {"a": [1, 2.5, None]}]),
        ("application/json", b"[1]", ["list", [1]]),
        ("application/json", b"{no json", ["bytearray", "{no json"]),
        ("application/json", b"", ["bytearray", ""]),
        ("application/json; v=1", b"{}", ["bytearray", "{}"]),
        ("Application/JSON", b"{}", ["bytearray", "{}"]),
        ("text/plain", "grüß".encode(), ["str", "grüß"]),
        ("text/csv", b"1,2", ["str", "1,2"]),
        ("text/plain", b"\xff\xfe", ["bytearray", "\xff\xfe"]),
        ("TEXT/PLAIN", b"x", ["bytearray", "x"]),
        ("image/jpeg", b"\xff\xd8", ["bytearray", "\xff\xd8"]),
        ("application/octet-stream", b"\0", ["bytearray", "\0"]),
    ],
)
def test_part_becomes_what_its_media_type_says(show, kind, data, expected):
    assert shown(show, {"body": (data, kind)})["row"]["body"] == expected


def test_every_part_has_its_name(show):
    found = shown(show, {"data": (b"1", ""), "other": (b"2", "text/plain")})
    assert found["row"] == {"data": ["bytearray", "1"], "other": ["str", "2"]}
    assert found["headers"] == {"data": {"content-type": ""}, "other": {"content-type": "text/plain"}}


def test_empty_body_is_an_empty_bytearray(show):
    assert shown(show, {"body": (b"", "")})["row"] == {"body": ["bytearray", ""]}


def test_request_without_parts_is_a_body(show):
    request = show.request()
    request["tensors"]["data"] = (wire.UINT8, (1, 3), b"abc")
    assert json.loads(body(show.predict(request)[0]))["row"] == {"body": ["bytearray", "abc"]}


def test_context_has_headers_path_and_id(show):
    found = shown(
        show, {"body": (b"", "")}, headers={"X-Mine": "1", "body": "wins"}, path="a/b", explain=False, request_id="id-7"
    )
    assert found["headers"] == {"body": "wins", "X-Mine": "1", "url_path": "a/b", "explain": "False"}
    assert found["id"] == "id-7"


def test_requests_of_a_batch_come_in_one_call_in_order(show):
    requests = [show.request({"body": (b"%d" % i, "")}, request_id=f"r{i}") for i in range(8)]
    found = [json.loads(body(answer)) for answer in show.predict(*requests)]
    assert [one["row"]["body"][1] for one in found] == [str(i) for i in range(8)]
    assert [one["id"] for one in found] == [f"r{i}" for i in range(8)]


def test_decoding_can_be_turned_off(tmp_path):
    write_model(tmp_path, {"show.py": SHOW}, {"handler": "show"})
    with handler_worker.running(tmp_path, environment={"TS_DECODE_INPUT_REQUEST": "false"}) as worker:
        assert shown(worker, {"body": (b"{}", "application/json")})["row"]["body"] == ["bytearray", "{}"]


# Evaluates the request's body: what it is to return or to do.
EVALUATE = """
import ts.utils.util
from ts.service import PredictionException
assert PredictionException is ts.utils.util.PredictionException
class Service:
    def initialize(self, context):
        self.context = context
        self.calls = 0
        assert context.system_properties["model_dir"] and context.system_properties["gpu_id"] is None
    def handle(self, rows, context):
        assert context is self.context
        self.calls += 1
        self.seen = getattr(context, "seen", 0)
        context.seen = self.seen + 1
        answers = []
        for index, row in enumerate(rows):
            code = row["body"].decode()
            scope = {"self": self, "context": context, "index": index, "rows": rows, "PredictionException": PredictionException}
            if code.startswith("return "):
                return eval(code[7:], scope)
            if "answer" in code:
                exec(code, scope)
                answers.append(scope["answer"])
            elif code.startswith("do "):
                exec(code[3:], scope)
                answers.append("done")
            else:
                answers.append(eval(code, scope))
        return answers
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    directory = write_model(
        tmp_path_factory.mktemp("service"), {"service.py": EVALUATE}, {"handler": "folder/service.py"}
    )
    with handler_worker.running(directory, batch_size=4) as worker:
        yield worker


@pytest.mark.parametrize(
    "code, expected",
    [
        ("b'\\x00raw'", b"\0raw"),
        ("bytearray(b'raw')", b"raw"),
        ("'gr\\u00fc\\u00df'", "grüß".encode()),
        ("{'a': [1, None]}", b'{\n  "a": [\n    1,\n    null\n  ]\n}'),
        ("[]", b"[]"),
        ("1.5", b"1.5"),
        ("None", b"null"),
        ("True", b"true"),
        ("''", b""),
    ],
)
def test_answer_is_serialised_by_its_type(service, code, expected):
    assert service.predict_body(code.encode()) == expected


def test_context_is_the_same_for_every_batch(service):
    first = int(service.predict_body(b"self.seen"))
    assert int(service.predict_body(b"self.seen")) == first + 1


def test_status_and_headers_belong_to_their_request_only(service):
    code = (
        b"context.set_response_status(418, 'teapot', index); context.set_response_header(index, 'X-Kind', 'pot'); "
        b"context.set_response_content_type(index, 'text/tea'); answer = 'short'"
    )
    first, second = service.predict(service.request({"body": (code, "")}), service.request({"body": (b"'plain'", "")}))
    assert body(first) == b"short"
    assert parameters(first) == {
        "status": 418,
        "phrase": "teapot",
        "content_type": "text/tea",
        "headers": '{"X-Kind": "pot"}',
    }
    assert body(second) == b"plain" and parameters(second) == {}
    assert parameters(service.predict(service.request({"body": (b"'next'", "")}))[0]) == {}


def test_all_requests_get_a_status_together(service):
    requests = [
        service.request({"body": (b"context.set_all_response_status(503, 'busy'); answer = 1", "")}) for _ in range(2)
    ]
    assert [parameters(answer)["status"] for answer in service.predict(*requests)] == [503, 503]


@pytest.mark.parametrize(
    "code, status, message",
    [
        ("1/0", 503, "Prediction failed"),
        ("return {'no': 'list'}", 503, "Invalid model predict output"),
        ("return None", 503, "Invalid model predict output"),
        ("return [1, 2, 3]", 503, "number of batch response mismatched"),
        ("return []", 503, "number of batch response mismatched"),
        ("object()", 503, "Unsupported model output data type."),
        ("{1, 2}", 503, "Unsupported model output data type."),
        ("do raise MemoryError()", 507, "Out of resources"),
        ("do raise RuntimeError('CUDA error: device-side assert')", 507, "Out of resources"),
        ("do raise PredictionException('no such thing', 404)", 404, "no such thing"),
        ("do raise PredictionException('of its own')", 500, "of its own"),
        ("do raise PredictionException('strange', 599)", 599, "strange"),
    ],
)
def test_failure_answers_the_batch_with_its_status(service, code, status, message):
    answers = service.predict(
        service.request({"body": (code.encode(), "")}), service.request({"body": (b"'innocent'", "")})
    )
    assert [answer.error["message"] for answer in answers] == [message, message]
    assert [parameters(answer) for answer in answers] == [{"status": status}, {"status": status}]
    assert all(answer.flags == wire.FINAL | wire.ERROR for answer in answers)
    assert service.predict_body(b"'goes on'") == b"goes on"


def test_prediction_exception_of_status_200_answers_error(service):
    assert service.predict_body(b"do raise PredictionException('fine', 200)") == b"error"


def test_a_failure_is_in_the_log_with_its_place(service):
    service.predict(service.request({"body": (b"do raise KeyError('the reason')", "")}))
    line = service.server.next_json(wire.LOG)
    while "the reason" not in line["message"]:
        line = service.server.next_json(wire.LOG)
    assert line["level"] == "ERROR" and "service.py" in line["message"]


STREAM = """
from ts.protocol.otf_message_handler import send_intermediate_predict_response
def handle(rows, context):
    if rows is None:
        return None
    for index in range(len(rows)):
        context.set_response_content_type(index, "text/event-stream")
        context.set_response_status(206, "parts", index)
    for step in range(2):
        send_intermediate_predict_response([f"{step}" for _ in rows], context.request_ids, "Intermediate Prediction success", 200, context)
    if rows[0]["body"] == b"fail":
        raise ValueError("in the middle")
    return ["end"] * len(rows)
"""


def test_stream_sends_each_piece_and_ends_in_order(tmp_path):
    write_model(tmp_path, {"streaming.py": STREAM}, {"handler": "streaming"})
    with handler_worker.running(tmp_path, batch_size=2) as worker:
        requests = [worker.request({"body": (b"", "")}) for _ in range(2)]
        assert worker.predict(*requests) == [None, None]
        pieces = {request["key"]: [] for request in requests}
        for _ in range(6):
            response = worker.server.next_response()
            pieces[response.key].append((body(response), response.flags, parameters(response)))
        first = {"status": 206, "phrase": "parts", "content_type": "text/event-stream"}
        expected = [(b"0", 0, first), (b"1", 0, {}), (b"end", wire.FINAL, {})]
        assert all(found == expected for found in pieces.values())


def test_failure_after_the_first_piece_ends_the_stream_with_an_error(tmp_path):
    write_model(tmp_path, {"streaming.py": STREAM}, {"handler": "streaming"})
    with handler_worker.running(tmp_path) as worker:
        assert worker.predict(worker.request({"body": (b"fail", "")})) == [None]
        assert [worker.server.next_response().flags for _ in range(3)] == [0, 0, wire.FINAL | wire.ERROR]


ALONE = """
class Handler:
    def initialize(self, context):
        self.batches = []
    def handle(self, rows, context):
        self.batches.append((len(rows), context.get_request_header(0, "explain")))
        return [str(self.batches)] * len(rows)
"""


def test_explained_requests_are_not_mixed_with_others(tmp_path):
    write_model(tmp_path, {"alone.py": ALONE}, {"handler": "alone.py"})
    with handler_worker.running(tmp_path, batch_size=4) as worker:
        kinds = [False, True, False, True]
        answers = worker.predict(*[worker.request({"body": (b"", "")}, explain=kind) for kind in kinds])
        assert body(answers[0]).decode() == "[(1, 'True'), (1, 'True'), (2, 'False')]"


# Finding the handler


def test_named_function_of_a_module(tmp_path):
    write_model(
        tmp_path,
        {"mine.py": "def run(rows, context):\n    return None if rows is None else ['ran'] * len(rows)\n"},
        {"handler": "mine.py:run"},
    )
    with handler_worker.running(tmp_path) as worker:
        assert worker.predict_body() == b"ran"


def test_default_handler_and_modules_beside_the_handler(tmp_path):
    files = {
        "handler.py": "import neighbour\nclass H:\n    def handle(self, rows, context):\n        return [neighbour.NAME] * len(rows)\n",
        "neighbour.py": "NAME = open('data.txt').read()\n",  # the model's folder is the working directory
        "data.txt": "from the folder",
    }
    write_model(tmp_path, files)
    with handler_worker.running(tmp_path) as worker:
        assert worker.predict_body() == b"from the folder"


@pytest.mark.parametrize(
    "handler, files, message",
    [
        ("os:system", {}, "neither a file of the model nor a default handler"),
        ("os.path:join", {}, "neither a file of the model nor a default handler"),
        ("../outside.py", {}, "neither a file of the model nor a default handler"),
        ("a b.py", {}, "no name of a module"),
        ("missing", {}, "neither a file of the model nor a default handler"),
        ("two.py", {"two.py": "class A: pass\nclass B: pass\n"}, "defines 2 classes (A, B)"),
        ("none.py", {"none.py": "from json import JSONDecoder\n"}, "defines 0 classes (none)"),
        ("bare.py", {"bare.py": "class A: pass\n"}, "Expect handle method in class A"),
        ("needs.py", {"needs.py": "import a_package_that_is_missing\n"}, "No module named 'a_package_that_is_missing'"),
        ("bad.py", {"bad.py": "def f(:\n"}, "SyntaxError"),
    ],
)
def test_handler_that_cannot_be_had_fails_the_load_by_name(tmp_path, handler, files, message):
    write_model(tmp_path, files, {"handler": handler})
    assert message in handler_worker.load_error(tmp_path)


def test_failing_initialize_fails_the_load(tmp_path):
    write_model(
        tmp_path,
        {
            "h.py": "class H:\n    def initialize(self, context):\n        raise OSError('no weights')\n    def handle(self, r, c):\n        pass\n"
        },
        {"handler": "h"},
    )
    assert handler_worker.load_error(tmp_path) == "OSError: no weights"


def test_envelope_stands_around_the_handler(tmp_path):
    write_model(
        tmp_path,
        {"h.py": "def handle(rows, context):\n    return None if rows is None else [row * 2 for row in rows]\n"},
        {"handler": "h"},
    )
    with handler_worker.running(tmp_path, batch_size=4, service_envelope="json") as worker:
        requests = [
            worker.request({"body": (json.dumps({"instances": values}).encode(), "application/json")})
            for values in ([1, 2], [], [3])
        ]
        assert [json.loads(body(answer)) for answer in worker.predict(*requests)] == [
            {"predictions": [2, 4]},
            {"predictions": []},
            {"predictions": [6]},
        ]


def test_settings_of_the_model_reach_the_context(tmp_path):
    write_model(
        tmp_path,
        {"h.py": "def handle(rows, context):\n    return [context.model_yaml_config] * len(rows or [])\n"},
        {"handler": "h"},
    )
    with handler_worker.running(tmp_path, handler={"model_config": {"handler": {"key": [1]}}}) as worker:
        assert json.loads(worker.predict_body()) == {"handler": {"key": [1]}}


METRICS = """
from ts.metrics.dimension import Dimension
from ts.metrics.metric_type_enum import MetricTypes
def handle(rows, context):
    if rows is None:
        context.kept = context.metrics.add_metric_to_cache("Spread", "ms", ["Kind"], MetricTypes.HISTOGRAM)
        return None
    context.metrics.add_counter("Answers", 2, 0, [Dimension("Kind", "a")])
    context.metrics.add_counter("Answers", 3, 0, [Dimension("Kind", "a")])
    context.metrics.add_percent("Full", 50)
    context.kept.add_or_update(7, ["b"])
    return ["ok"] * len(rows)
"""


def test_metrics_reach_the_server_as_lines_where_it_wants_them(tmp_path):
    write_model(tmp_path, {"h.py": METRICS}, {"handler": "h"})
    with handler_worker.running(tmp_path, handler={"metric_lines": True}) as worker:
        worker.predict(worker.request({"body": (b"", "")}, request_id="id-1"))
        lines = []
        while not any("PredictionTime" in line for line in lines):
            message = worker.server.next_json(wire.METRIC)
            assert message["op"] == "lines"
            lines += message["description"].split("\n")
    end = r"\|#hostname:[^,]+,\d+,id-1"
    own = r"\|#Kind:a,ModelName:m,Level:Model\|#type:COUNTER"
    for value, line in zip(("2", "3"), lines):
        assert re.fullmatch(rf"\[METRICS\]Answers\.Count:{value}\.0{own}{end}", line)
    (prediction,) = [line for line in lines if "PredictionTime" in line]
    shape = r"\[METRICS\]PredictionTime\.Milliseconds:[\d.e-]+\|#ModelName:m,Level:Model\|#type:GAUGE"
    assert re.fullmatch(shape + end, prediction)


def test_metrics_reach_the_server_gathered(tmp_path):
    write_model(tmp_path, {"h.py": METRICS}, {"handler": "h"})
    with handler_worker.running(tmp_path) as worker:
        worker.predict_body()
        families, series, values = {}, {}, {}
        while len(values) < 4:  # with PredictionTime
            message = worker.server.next_json(wire.METRIC)
            if message["op"] == "family":
                families[message["id"]] = (message["name"], message["kind"])
            elif message["op"] == "series":
                series[message["id"]] = (*families[message["family"]], tuple(sorted(message["labels"].items())))
            else:
                values[series[message["id"]]] = (message["op"], message["value"])
            if "call" in message:
                worker.server.reply(message["call"], True)
        own = ("Level", "Model"), ("ModelName", "m")
        assert values[("Answers", "COUNTER", (("Kind", "a"), *own))] == ("increment", 5)
        assert values[("Full", "GAUGE", own)] == ("set", 50)
        assert values[("Spread", "HISTOGRAM", (("Kind", "b"),))] == ("observe", 7)
        assert values[("PredictionTime", "GAUGE", own)][0] == "set"


def test_exit_of_a_handler_ends_the_worker(tmp_path):
    write_model(
        tmp_path,
        {"h.py": "import sys\ndef handle(rows, context):\n    return rows and sys.exit(3)\n"},
        {"handler": "h"},
    )
    with handler_worker.running(tmp_path) as worker:
        (answer,) = worker.predict(worker.request({"body": (b"", "")}))
        assert answer.error["message"].startswith("SystemExit") and "status" not in parameters(answer)
        assert worker.server.process.wait(30) == 3


def test_no_torch_is_imported_for_a_handler_without_it(tmp_path):
    write_model(
        tmp_path,
        {
            "h.py": "import sys\ndef handle(rows, context):\n    return [[name for name in ('torch', 'numpy', 'yaml') if name in sys.modules and name != 'numpy']] * len(rows or [])\n"
        },
        {"handler": "h"},
    )
    with handler_worker.running(tmp_path) as worker:
        assert json.loads(worker.predict_body()) == []
