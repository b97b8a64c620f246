"""v2 infer requests of the identity model, and one exchange to prove that a server answers them."""

import dataclasses
import http.client
import json
import struct

from harness.servers import HOST


@dataclasses.dataclass(frozen=True)
class Request:
    """A POST: path, headers and body."""

    path: str
    headers: dict
    body: bytes


def _values(count):
    return [float(i % 97) / 4 for i in range(count)]


def binary(byte_size, model="identity", shape=None, input_name="INPUT0", output="OUTPUT0"):
    """A binary FP32 tensor in, a binary tensor out."""
    count = byte_size // 4
    head = {
        "inputs": [
            {
                "name": input_name,
                "shape": shape or [count],
                "datatype": "FP32",
                "parameters": {"binary_data_size": byte_size},
            }
        ],
        "outputs": [{"name": output, "parameters": {"binary_data": True}}],
    }
    text = json.dumps(head, separators=(",", ":")).encode()
    headers = {
        "Content-Type": "application/octet-stream",
        "Inference-Header-Content-Length": str(len(text)),
    }
    body = text + struct.pack(f"<{count}f", *_values(count))
    return Request(f"/v2/models/{model}/infer", headers, body)


def plain_json(count, model="identity"):
    """A JSON tensor of `count` numbers in and out."""
    tensor = {"name": "INPUT0", "shape": [count], "datatype": "FP32", "data": _values(count)}
    body = json.dumps({"inputs": [tensor]}, separators=(",", ":")).encode()
    return Request(f"/v2/models/{model}/infer", {"Content-Type": "application/json"}, body)


def exchange(server, request):
    """Sends the request once; the answer's headers and body. Fails unless it is 200."""
    connection = http.client.HTTPConnection(HOST, server.port, timeout=60)
    try:
        connection.request("POST", request.path, request.body, request.headers)
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    if response.status != 200:
        server.fail(f"answered {response.status}: {body[:500]!r}")
    return response.headers, body


def check_identity(server, request):
    """Proves once that the server answers the request with the tensor that it sent."""
    headers, body = exchange(server, request)
    sent_head = int(request.headers.get("Inference-Header-Content-Length", len(request.body)))
    got_head = int(headers.get("Inference-Header-Content-Length", len(body)))
    if sent_head == len(request.body):
        sent, got = json.loads(request.body)["inputs"], json.loads(body)["outputs"]
        same = sent[0]["data"] == got[0]["data"]
    else:
        same = request.body[sent_head:] == body[got_head:]
    if not same:
        server.fail("the answer is not the tensor that was sent")


def statistics(server, model):
    """The server's own counters of the model's only version."""
    connection = http.client.HTTPConnection(HOST, server.port, timeout=10)
    try:
        connection.request("GET", f"/v2/models/{model}/stats")
        answer = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    stats = answer["model_stats"][0]
    return {key: int(stats[key]) for key in ("inference_count", "execution_count")}
