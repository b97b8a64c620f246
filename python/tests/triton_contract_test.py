"""Tests of TritonPythonModel: loading, the rules of execute, senders, and what a request shows."""

import json

import fake_server
import pytest

from headrace_worker import wire

_FAILED = "Failed to process the request(s) for model 'model_0_0', message: "
# What `execute` does is the body of each test.
_MODEL = """
import asyncio, json, threading
import numpy as np
import triton_python_backend_utils as pb_utils

FINAL = pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL

def answer(*values, name="OUTPUT0"):
    return pb_utils.InferenceResponse([pb_utils.Tensor(name, np.array(values, np.int32))])

class TritonPythonModel:
    def execute(self, requests):
        {}
"""


def _model(*lines):
    return _MODEL.format("\n        ".join(lines))


def _request(key, *values, **more):
    return {"key": key, "tensors": {"INPUT0": fake_server.numbers(8, values or (1,))}, **more}


def _error(response):
    return response.error["code"], response.error["message"]


# Loading


def test_the_arguments_of_initialize_are_texts(serve):
    server = serve(
        """
        import json
        import numpy as np
        import triton_python_backend_utils as pb_utils

        class TritonPythonModel:
            def initialize(self, args):
                self.args = args

            def execute(self, requests):
                text = json.dumps([self.args, pb_utils.get_model_dir()])
                return [pb_utils.InferenceResponse([pb_utils.Tensor("OUTPUT0", np.array([text], dtype=object))])]
        """,
        {},
        kind="GPU",
        device_id=3,
        config={"name": "model", "max_batch_size": 4},
    )
    responses, _ = server.execute(_request(1))
    args, directory = json.loads(responses[1].values("OUTPUT0")[0])
    assert set(args) == {
        "model_config", "model_instance_kind", "model_instance_name", "model_instance_device_id", "model_repository",
        "model_version", "model_name",
    }  # fmt: skip
    assert all(isinstance(value, str) for value in args.values())
    assert json.loads(args["model_config"]) == {"name": "model", "max_batch_size": 4}
    assert (args["model_instance_kind"], args["model_instance_device_id"], args["model_version"]) == ("GPU", "3", "1")
    assert directory == args["model_repository"] + "/1"


def test_siblings_and_the_models_own_name_import(serve, tmp_path):
    (tmp_path / "model" / "1").mkdir(parents=True)
    (tmp_path / "model" / "1" / "beside.py").write_text("VALUE = 3\n")
    (tmp_path / "model" / "above.py").write_text("VALUE = 4\n")
    server = serve(
        """
        import above, beside
        import numpy as np
        import triton_python_backend_utils as pb_utils

        class TritonPythonModel:
            def execute(self, requests):
                text = f"{__name__} {beside.VALUE} {above.VALUE}"
                return [pb_utils.InferenceResponse([pb_utils.Tensor("OUTPUT0", np.array([text], dtype=object))])]
        """,
        {},
    )
    assert server.execute(_request(1))[0][1].values("OUTPUT0") == [b"1.model 3 4"]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("import nothing_of_this_name", "ModuleNotFoundError: No module named 'nothing_of_this_name'"),
        ("x = (", "SyntaxError"),
        ("x = 1", "AttributeError: module '1.model' has no attribute 'TritonPythonModel'"),
        ("class TritonPythonModel:\n    def initialize(self, args):\n        raise ValueError('no')", "ValueError: no\n\nAt:\n  "),
        (None, "Python model file not found in '"),
    ],
)
def test_a_model_that_does_not_load_says_why(serve, source, text):
    server = serve(source)
    assert server.answer["error"]["code"] == "INTERNAL"
    assert text in server.answer["error"]["message"]


def test_a_model_without_execute(serve, tmp_path):
    server = serve("class TritonPythonModel:\n    pass", {})
    path = tmp_path / "model" / "1" / "model.py"
    text = _FAILED + f"Python model {path} does not implement `execute` method."
    assert _error(server.execute(_request(1))[0][1]) == ("INTERNAL", text)


def test_finalize_runs_and_its_failure_is_told(serve):
    server = serve("class TritonPythonModel:\n    def finalize(self):\n        raise ValueError('late')", {})
    answer, status = server.finalize()
    assert answer["error"]["message"] == "ValueError: late" and status == 0


_COMPLETES = """
    class TritonPythonModel:
        @staticmethod
        def auto_complete_config(config):
            {}
"""


def test_a_configuration_is_completed(serve):
    server = serve(
        _COMPLETES.format("config.set_max_batch_size(4); config.set_dynamic_batching(); return config"),
        message=wire.COMPLETE_CONFIG,
    )
    completed = json.loads(server.answer["config"])
    assert (completed["max_batch_size"], completed["dynamic_batching"], completed["name"]) == (4, {}, "model")
    assert server.finalize() == ({}, 0)


def test_a_model_that_completes_nothing(serve):
    assert serve("class TritonPythonModel:\n    pass", {"config": None}, message=wire.COMPLETE_CONFIG)


def test_a_completion_that_returns_nothing(serve, tmp_path):
    server = serve(_COMPLETES.format("pass"), message=wire.COMPLETE_CONFIG)
    path = tmp_path / "model" / "1" / "model.py"
    text = f"auto_complete_config function in model '{path}' must return a valid pb.ModelConfig object."
    assert server.answer["error"]["message"] == text


# The rules of execute


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("return 'text'", "Expected a list in the execute return, found type '<class 'str'>'."),
        ("return (answer(1),)", "Expected a list in the execute return, found type '<class 'tuple'>'."),
        (
            "return []",
            "Number of InferenceResponse objects do not match the number of InferenceRequest objects. "
            "InferenceRequest(s) size is:2, and InferenceResponse(s) size is:0\n",
        ),
        (
            "return [answer(1), 5]",
            "Expected an 'InferenceResponse' object in the execute function return list, found type '<class 'int'>'.",
        ),
        (
            "requests[0].set_release_flags(pb_utils.TRITONSERVER_REQUEST_RELEASE_RESCHEDULE); return [answer(1)] * 2",
            "Expected a None object in the execute function return list for reschduled request, found type "
            "'<class 'triton_python_backend_utils.InferenceResponse'>'.",
        ),
    ],
)
def test_what_execute_must_not_return(coded, line, text):
    server = coded(
        line,
    )
    responses, flags = server.execute(_request(1), _request(2))
    assert flags == wire.BLOCK_FREE
    expected = text.replace("triton_python_backend_utils.", "headrace_worker.triton_contract.response.")
    assert [_error(response) for response in responses.values()] == [("INTERNAL", _FAILED + expected)] * 2


def test_an_exception_names_its_places(serve, tmp_path):
    server = serve(_model("def inner():", "    raise ValueError('bad')", "inner()"), {})
    path = tmp_path / "model" / "1" / "model.py"
    text = _FAILED + f"ValueError: bad\n\nAt:\n  {path}(14): inner\n  {path}(15): execute\n"
    assert _error(server.execute(_request(1))[0][1]) == ("INTERNAL", text)
    assert text in server.next_json(wire.LOG)["message"]


def test_only_wanted_and_known_outputs_go_back(coded):
    server = coded(
        "names = ('OUTPUT0', 'OUTPUT1', 'OTHER')",
        "tensors = [pb_utils.Tensor(name, np.zeros(1)) for name in names]",
        "return [pb_utils.InferenceResponse(tensors) for _ in requests]",
    )
    responses, _ = server.execute(_request(1), _request(2, extras={"wanted_outputs": ["OUTPUT1"]}))
    assert [list(response.tensors) for response in responses.values()] == [["OUTPUT0", "OUTPUT1"], ["OUTPUT1"]]


def test_errors_with_codes_and_parameters(coded):
    server = coded(
        "return [pb_utils.InferenceResponse(error=pb_utils.TritonError('no', pb_utils.TritonError.NOT_FOUND)),",
        "        pb_utils.InferenceResponse([], pb_utils.TritonError('default')),",
        "        pb_utils.InferenceResponse(answer(1).output_tensors(), parameters={'a': 'b', 'n': 3, 't': True})]",
    )
    responses, _ = server.execute(_request(1), _request(2), _request(3))
    assert [_error(responses[key]) for key in (1, 2)] == [("NOT_FOUND", "no"), ("INTERNAL", "default")]
    assert responses[1].flags == wire.FINAL | wire.ERROR
    assert responses[3].extras == {"parameters": {"a": "b", "n": 3, "t": True}}


def test_what_a_model_sees_of_a_request(serve):
    server = serve(
        _model(
            "request, plain = requests",
            "seen = [[r.request_id(), r.correlation_id(), r.flags(), r.timeout(), json.loads(r.parameters()),",
            "         sorted(r.requested_output_names()), r.is_cancelled(), r.trace().get_context(),",
            "         [(t.name(), t.shape(), t.triton_dtype(), t.is_cpu()) for t in r.inputs()]] for r in requests]",
            "text = np.array([json.dumps(seen)], dtype=object)",
            "return [pb_utils.InferenceResponse([pb_utils.Tensor('OUTPUT0', text)]) for _ in requests]",
        ),
        {},
    )
    server.map[17] = 1
    extras = {"id": "x", "correlation_id": "seven", "parameters": {"a": 1.5}, "wanted_outputs": ["OUTPUT0"], "trace": "{}"}
    full = _request(1, 1, 2, correlation_id=0, flags=3, timeout_us=99, cancel_slot=17, extras=extras)
    responses, _ = server.execute(full, _request(2, correlation_id=42))
    first, second = json.loads(responses[1].values("OUTPUT0")[0])
    assert first == ["x", "seven", 3, 99, {"a": 1.5}, ["OUTPUT0"], True, "{}", [["INPUT0", [2], 8, True]]]
    assert second == ["", 42, 0, 0, {}, ["OUTPUT0", "OUTPUT1"], False, None, [["INPUT0", [1], 8, True]]]


def test_an_async_execute_is_waited_for(coded):
    server = coded(
        "async def work():",
        "    await asyncio.sleep(0)",
        "    return [answer(7) for _ in requests]",
        "return work()",
    )
    for key in (1, 2):
        assert server.execute(_request(key))[0][key].values("OUTPUT0") == [7]


def test_a_request_is_rescheduled(coded):
    server = coded(
        "if requests[0].inputs()[0].as_numpy()[0] == 0: return [answer(5), answer(6)]",
        "requests[1].set_release_flags(pb_utils.TRITONSERVER_REQUEST_RELEASE_RESCHEDULE)",
        "return [answer(4), None]",
    )
    responses, _ = server.execute(_request(1, 1), _request(2, 1))
    assert (responses[1].flags, responses[2].flags) == (wire.FINAL, wire.RESCHEDULED)
    responses, _ = server.execute(_request(3, 0), _request(4, 0))
    assert responses[4].values("OUTPUT0") == [6]
    server.settle()
    assert server.dropped == []


@pytest.mark.parametrize(
    ("line", "flags"),
    [
        ("request.set_release_flags(pb_utils.TRITONSERVER_REQUEST_RELEASE_RESCHEDULE)", wire.RESCHEDULED),
        ("raise ValueError('late')", wire.FINAL | wire.ERROR),
    ],
)
def test_the_end_of_an_execution_waits_for_what_a_sender_has_sent(coded, line, flags):
    server = coded("request, = requests", "request.get_response_sender().send(answer(1))", line, decoupled=True)
    server.start_execute(_request(1))
    assert server.next_response().values("OUTPUT0") == [1]
    question = server.next_json(wire.CONTROL)
    assert question["op"] == "sync"
    server.reply(question["id"], True)
    assert server.end_execute()[0][1].flags == flags


# Senders


def test_one_response_through_a_sender(coded):
    server = coded(
        "for request in requests:",
        "    request.get_response_sender().send(answer(3), flags=FINAL)",
    )
    responses, _ = server.execute(_request(1))
    assert responses == {}
    response = server.next_response()
    assert (response.key, response.flags, response.values("OUTPUT0")) == (1, wire.FINAL, [3])
    server.settle()
    assert server.dropped == []


def test_a_request_that_is_dropped_is_told(coded):
    server = coded(
        "return [None, answer(1)]",
    )
    responses, _ = server.execute(_request(1), _request(2))
    assert list(responses) == [2]
    server.next_message(wire.DROPPED)
    assert server.dropped == [1]


def test_a_decoupled_model_answers_from_a_thread(coded):
    server = coded(
        "def work(sender):",
        "    for i in range(3):",
        "        sender.send(answer(i))",
        "    sender.send(flags=FINAL)",
        "for request in requests:",
        "    threading.Thread(target=work, args=(request.get_response_sender(),)).start()",
        decoupled=True,
    )
    responses, _ = server.execute(_request(1))
    assert responses == {}
    came = [server.next_response() for _ in range(4)]
    assert [response.values("OUTPUT0") for response in came[:3]] == [[0], [1], [2]]
    assert [response.flags for response in came] == [0, 0, 0, wire.FINAL] and came[3].tensors == {}


def test_a_decoupled_async_execute_goes_on_in_the_background(coded):
    server = coded(
        "async def work():",
        "    for request in requests:",
        "        await asyncio.sleep(0)",
        "        request.get_response_sender().send(answer(7), FINAL)",
        "return work()",
        decoupled=True,
    )
    assert server.execute(_request(1), _request(2))[0] == {}
    assert [server.next_response().key for _ in range(2)] == [1, 2]


def test_a_decoupled_model_must_return_none(coded):
    server = coded(
        "return [answer(1)]",
        decoupled=True,
    )
    text = "Python model 'model_0_0' is using the decoupled mode and the execute function must return None."
    assert _error(server.execute(_request(1))[0][1]) == ("INTERNAL", _FAILED + text)


def test_an_exception_after_a_final_response_fails_the_others_only(coded):
    server = coded(
        "requests[0].get_response_sender().send(answer(1), FINAL)", "raise ValueError('late')",
        decoupled=True,
    )
    responses, _ = server.execute(_request(1), _request(2))
    assert list(responses) == [2]
    assert server.next_response().key == 1


_REFUSED = "Unable to send response. "


@pytest.mark.parametrize(
    ("decoupled", "sends", "text"),
    [
        (True, "sender.send(flags=FINAL); sender.send(answer(1))", _REFUSED + "Response sender has been closed."),
        (True, "sender.send(answer(1), flags=5)", _REFUSED + "Unsupported flag provided."),
        (
            True,
            "sender.send()",
            "Inference Response object must be provided when the response flags is set to zero.",
        ),
        (
            False,
            "sender.send(answer(1)); sender.send(answer(1))",
            _REFUSED + "Non-decoupled model cannot send more than one response.",
        ),
        (
            False,
            "sender.send(flags=FINAL)",
            _REFUSED + "Non-decoupled model cannot send complete final before sending a response.",
        ),
    ],
)
def test_what_a_sender_refuses(coded, decoupled, sends, text):
    server = coded(
        "sender = requests[0].get_response_sender()",
        "try:",
        f"    {sends}",
        "except pb_utils.TritonModelException as error:",
        "    pb_utils.Logger.log_info(str(error))",
        decoupled=decoupled,
    )
    server.execute(_request(1))
    assert server.next_json(wire.LOG)["message"] == text


def test_a_second_answer_by_return_is_refused(coded):
    server = coded(
        "requests[0].get_response_sender().send(answer(1), FINAL)", "return [answer(2)]",
    )
    responses, _ = server.execute(_request(1))
    assert responses == {}
    text = _FAILED + _REFUSED + "Non-decoupled model cannot send more than one response."
    assert server.next_json(wire.LOG)["message"] == text


def test_errors_and_parameters_through_a_sender(coded):
    server = coded(
        "sender = requests[0].get_response_sender()",
        "sender.send(pb_utils.InferenceResponse(error=pb_utils.TritonError('no', pb_utils.TritonError.CANCELLED)))",
        "sender.send(pb_utils.InferenceResponse([], parameters={'a': 1}), FINAL)",
        decoupled=True,
    )
    server.execute(_request(1))
    first, second = server.next_response(), server.next_response()
    assert (first.flags, first.error) == (wire.ERROR, {"code": "CANCELLED", "message": "no"})
    assert (second.flags, second.extras) == (wire.FINAL, {"parameters": {"a": 1}})


def test_a_sender_waits_for_room(coded):
    server = coded(
        "sender = requests[0].get_response_sender()",
        "for i in range(20):",
        "    sender.send(pb_utils.InferenceResponse([pb_utils.Tensor('OUTPUT0', np.full(100_000, i, np.int32))]))",
        "sender.send(flags=FINAL)",
        size=2 << 20, decoupled=True,
    )
    server.start_execute(_request(1))
    came = [server.next_response() for _ in range(21)]
    server.end_execute()
    assert [response.values("OUTPUT0")[99_999] for response in came[:20]] == list(range(20))


# Readiness


@pytest.mark.parametrize(
    ("method", "ready", "text"),
    [
        ("def is_ready(self): return False", False, None),
        ("def is_ready(self): return True", True, None),
        ("async def is_ready(self): return True", True, None),
        ("def is_ready(self): raise ValueError('no')", False, "ValueError: no"),
        ("pass", True, None),
    ],
)
def test_a_model_says_whether_it_is_ready(serve, method, ready, text):
    server = serve(f"class TritonPythonModel:\n    {method}", {"is_ready": True} if "is_ready" in method else {})
    answer = server.settle()
    assert answer["ready"] is ready
    assert (answer.get("error") or {}).get("message") == text
