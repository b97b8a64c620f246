"""One inference over KServe v2 HTTP with its binary tensor extension, on the standard library.

The request body is a JSON head followed by the raw little-endian bytes of each tensor; the header
Inference-Header-Content-Length says where the JSON ends. The answer is asked for as JSON.
"""

import http.client
import json

_TIMEOUT_S = 60


class InferenceError(Exception):
    """The server could not be reached, refused the request, or answered something unexpected."""


def encode_request(input_name, images, output_name, classes):
    """Returns (headers, body) that ask for the `classes` most probable classes of each image.

    `images` is a float32 array. The classification extension makes the server pick the classes and
    put their labels beside them, so that a thousand probabilities need not travel.
    """
    data = images.astype("<f4").tobytes()
    head = {
        "inputs": [
            {
                "name": input_name,
                "shape": list(images.shape),
                "datatype": "FP32",
                "parameters": {"binary_data_size": len(data)},
            }
        ],
        "outputs": [
            {
                "name": output_name,
                "parameters": {"classification": classes, "binary_data": False},
            }
        ],
    }
    head_bytes = json.dumps(head).encode()
    headers = {
        "Content-Type": "application/octet-stream",
        "Inference-Header-Content-Length": str(len(head_bytes)),
    }
    return headers, head_bytes + data


def decode_response(body, output_name):
    """Returns the classes of every image as a list of (probability, class index, label)."""
    for output in json.loads(body)["outputs"]:
        if output["name"] == output_name:
            return [_decode_class(text) for text in output["data"]]
    raise InferenceError(f"the answer has no output {output_name!r}")


def _decode_class(text):
    probability, index, *label = text.split(":", 2)
    return float(probability), int(index), label[0] if label else ""


def classify(address, model, input_name, images, output_name, classes):
    """Sends `images` to `model` on the server at `address` (HOST:PORT); see decode_response."""
    headers, body = encode_request(input_name, images, output_name, classes)
    connection = http.client.HTTPConnection(address, timeout=_TIMEOUT_S)
    try:
        connection.request("POST", f"/v2/models/{model}/infer", body, headers)
        response = connection.getresponse()
        answer = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise InferenceError(f"no answer from {address}: {error}") from error
    finally:
        connection.close()
    if response.status != 200:
        text = answer.decode(errors="replace")
        raise InferenceError(f"{address} answered {response.status}: {text}")
    try:
        return decode_response(answer, output_name)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InferenceError(f"{address} answered something else than classes: {error}") from error
