"""Rows of the catalogue about Python models that go wrong: what a client gets, and what becomes of the worker."""

import json
import os
import pathlib
import sys
import time

import numpy
import pytest
import tritonclient.grpc as grpc_client
from tritonclient.utils import InferenceServerException

from harness import raw_http, wait
from harness import server as server_module

_SOURCE = pathlib.Path(__file__).with_name("python_faults_model.py")
_CONFIG = """
backend: "python"
input { name: "ACTION" data_type: TYPE_STRING dims: [ 1 ] }
output { name: "PROCESS" data_type: TYPE_INT64 dims: [ -1 ] }
"""
_RESPONSE_TIMEOUT_S = 2
_TEXT_LIMIT = 70_000


@pytest.fixture(scope="module", name="server")
def _server(tmp_path_factory):
    repository = tmp_path_factory.mktemp("python_faults")
    for name in ("faulty", "sibling"):
        (repository / name / "1").mkdir(parents=True)
        (repository / name / "1" / "model.py").write_text(_SOURCE.read_text(encoding="utf-8"), encoding="utf-8")
        (repository / name / "config.pbtxt").write_text(_CONFIG, encoding="utf-8")
    settings = {"interpreter": sys.executable, "response-timeout-seconds": _RESPONSE_TIMEOUT_S}
    options = [f"--backend-config=python,{key}={value}" for key, value in settings.items()]
    with server_module.running(repository, *options) as running:
        yield running


def _ask(server, action, model="faulty", **request):
    document = {"inputs": [{"name": "ACTION", "shape": [1], "datatype": "BYTES", "data": [action]}], **request}
    return raw_http.call(server, "POST", f"/v2/models/{model}/infer", json.dumps(document).encode())


def _process(server, model="faulty"):
    answer = _ask(server, "nothing", model)
    assert answer.status == 200, answer.body
    return answer.json()["outputs"][0]["data"][0]


def _error(answer):
    assert answer.status >= 400, answer.body
    text = answer.json()["error"]
    assert text and len(text) < _TEXT_LIMIT
    return answer.status, text


@pytest.mark.row(171)
@pytest.mark.parametrize(
    ("action", "part"),
    [
        ("raise", "ValueError: the model's own text\n\nAt:\n"),
        ("raise_base", "_Base: not even an Exception"),
        ("raise_long", "more characters)"),
        ("return_few", "Number of InferenceResponse objects do not match"),
        ("return_many", "Number of InferenceResponse objects do not match"),
        ("return_text", "Expected a list in the execute return, found type '<class 'str'>'."),
        ("return_texts", "Expected an 'InferenceResponse' object"),
        ("return_none", "without a final response"),
        ("return_nones", "without a final response"),
    ],
)
def test_a_fault_is_a_typed_error_and_the_worker_goes_on(server, action, part):
    before = _process(server)
    status, text = _error(_ask(server, action))
    assert status == 500 and part in text
    assert _process(server) == before


@pytest.mark.row(171)
@pytest.mark.parametrize("action", ["wrong_dtype", "wrong_shape", "not_a_number"])
def test_an_output_of_another_kind_says_what_it_is_or_is_refused(server, action):
    before = _process(server)
    answer = _ask(server, action)
    if answer.status == 200:
        (output,) = answer.json()["outputs"]
        expected = {"wrong_dtype": ("FP16", [1]), "wrong_shape": ("INT64", [2, 3]), "not_a_number": ("FP64", [1])}
        assert (output["datatype"], output["shape"]) == expected[action]
    else:
        _error(answer)
    assert _process(server) == before


@pytest.mark.row(171)
def test_a_model_that_exits_is_answered_for_and_replaced(server):
    before = _process(server)
    status, text = _error(_ask(server, "sys_exit"))
    assert status == 500 and "SystemExit: 3" in text
    assert _process(server) != before


@pytest.mark.row(171)
def test_a_process_that_ends_is_answered_for_and_replaced(server):
    before = _process(server)
    status, text = _error(_ask(server, "os_exit"))
    assert status == 503 and "ended" in text
    assert _process(server) != before


@pytest.mark.row(172)
@pytest.mark.parametrize("action", ["sleep", "spin", "hold", "stop"])
def test_a_model_that_hangs_is_killed_at_its_limit(server, action):
    before, sibling = _process(server), _process(server, "sibling")
    started = time.monotonic()
    status, text = _error(_ask(server, action))
    took = time.monotonic() - started
    assert status == 504 and "response-timeout-seconds" in text
    assert took >= _RESPONSE_TIMEOUT_S
    assert _process(server) != before
    assert _process(server, "sibling") == sibling
    wait.until(lambda: not os.path.exists(f"/proc/{before}"), "the hanging worker is gone")


@pytest.mark.row(172)
def test_a_client_is_told_at_its_own_deadline(server):
    before = _process(server)
    tensor = grpc_client.InferInput("ACTION", [1], "BYTES")
    tensor.set_data_from_numpy(numpy.array(["sleep"], dtype=object))
    started = time.monotonic()
    with grpc_client.InferenceServerClient(server.grpc_url) as client:
        with pytest.raises(InferenceServerException, match="Deadline Exceeded"):
            client.infer("faulty", [tensor], client_timeout=0.5)
    assert time.monotonic() - started < _RESPONSE_TIMEOUT_S
    assert _process(server) != before
