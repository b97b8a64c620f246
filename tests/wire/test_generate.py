"""The generate extension, with an ordinary HTTP client."""

import pytest
import requests

from harness import models, repeat_model
from harness import server as server_module


@pytest.fixture(scope="module", name="url")
def _url(tmp_path_factory):
    repository = models.standard(tmp_path_factory.mktemp("generate"))
    repeat_model.add(repository)
    with server_module.Server(repository) as server:
        yield f"http://{server.url}/v2/models"
        assert server.stop() == 0, server.output()


def generate(url, model, body):
    return requests.post(f"{url}/{model}/generate", json=body, timeout=20)


@pytest.mark.parametrize(
    "model, given, got",
    [
        ("identity_bytes", "a prompt", "a prompt"),
        ("identity_bytes", ["a", "ü"], ["a", "ü"]),
        ("identity_bool", [True, False], [True, False]),
        ("identity_uint64", 2**64 - 1, 2**64 - 1),
        ("identity_int8", [-128, 127], [-128, 127]),
        ("identity_fp64", [0.1, -1e300], [0.1, -1e300]),
        ("matrix", [1.0, 2.0, 3.0], [1.0, 2.0, 3.0]),
        ("batched", [1.0, 2.0], [1.0, 2.0]),
    ],
)
def test_values_and_lists_come_back(url, model, given, got):
    answer = generate(url, model, {"INPUT0": given, "id": "x", "temperature": 0.5, "parameters": {"stream": False}})
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"id": "x", "model_name": model, "model_version": "1", "OUTPUT0": got}


def test_a_decoupled_model_that_answers_once(url):
    answer = generate(url, "repeat", {"IN": 7})
    assert answer.json() == {"model_name": "repeat", "model_version": "1", "OUT": 7, "IDX": 0}
    for values in ([], [1, 2]):
        answer = generate(url, "repeat", {"IN": values})
        assert answer.status_code == 500 and "exactly 1 response" in answer.json()["error"]


@pytest.mark.parametrize(
    "model, body, status, text",
    [
        ("nothing", {}, 404, "unknown model"),
        ("identity_fp32", {}, 400, "expected 1 inputs but got 0"),
        ("identity_fp32", {"INPUT0": "a"}, 400, "INPUT0"),
        ("identity_fp32", {"INPUT0": [[1]]}, 400, "INPUT0"),
        ("identity_fp32", {"INPUT0": 1, "parameters": {"INPUT0": 2}}, 400, "INPUT0"),
        ("identity_fp32", {"INPUT0": 1, "free": [1]}, 400, "free"),
        ("identity_fp32", {"INPUT0": 1, "triton_free": 1}, 400, "reserved"),
        ("identity_uint8", {"INPUT0": 256}, 400, "out of range"),
        ("identity_fp16", {"INPUT0": 1}, 400, "FP16"),
        ("fixed", {"INPUT0": [1, 2, 3]}, 400, "can not convert input 'INPUT0' to tensor with proper shape"),
    ],
)
def test_refusals_name_what_is_wrong(url, model, body, status, text):
    answer = generate(url, model, body)
    assert answer.status_code == status, answer.text
    assert text in answer.json()["error"]
