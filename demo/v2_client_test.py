"""Tests of the demo client's request bytes and of what it makes of answers."""

import json
import socket

import numpy as np
import pytest

import v2_client


def test_a_request_is_its_json_head_followed_by_the_tensor():
    images = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
    headers, body = v2_client.encode_request("images", images, "probabilities", 5)
    head_size = int(headers["Inference-Header-Content-Length"])
    head = json.loads(body[:head_size])
    assert head["inputs"][0]["shape"] == [1, 2, 3]
    assert head["inputs"][0]["parameters"]["binary_data_size"] == 24
    assert head["outputs"][0]["parameters"] == {"classification": 5, "binary_data": False}
    np.testing.assert_array_equal(np.frombuffer(body[head_size:], "<f4"), np.arange(6))


def test_classes_are_read_with_and_without_a_label():
    answer = {"outputs": [{"name": "p", "data": ["0.750000:3:a: b", "0.250000:1"]}]}
    classes = v2_client.decode_response(json.dumps(answer), "p")
    assert classes == [(0.75, 3, "a: b"), (0.25, 1, "")]


def test_an_answer_without_the_output_is_an_error():
    with pytest.raises(v2_client.InferenceError, match="'p'"):
        v2_client.decode_response('{"outputs": []}', "p")


def test_a_server_that_is_not_there_is_an_error():
    with socket.socket() as bound:
        # Bound and not listening: nobody else can answer at this port.
        bound.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{bound.getsockname()[1]}"
        with pytest.raises(v2_client.InferenceError, match="no answer"):
            v2_client.classify(address, "m", "i", np.zeros((1, 1), np.float32), "o", 1)
