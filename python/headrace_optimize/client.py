"""The v2 protocol over HTTP with binary tensors: as much of it as optimising needs."""

import http.client
import json
from typing import Any, Mapping, Optional

import numpy

from headrace_optimize import tensors
from headrace_optimize.errors import OptimizeError

Arrays = Mapping[str, numpy.ndarray]


class ServerError(OptimizeError):
    """An answer other than 200: the server's own text."""


def encode(inputs: Arrays, outputs: Optional[list[str]] = None) -> tuple[bytes, dict[str, str]]:
    """The body of an inference request, and its headers."""
    described, data = [], []
    for name, values in inputs.items():
        raw = numpy.ascontiguousarray(values).tobytes()
        described.append(
            {
                "name": name,
                "datatype": tensors.name_of(values.dtype),
                "shape": list(values.shape),
                "parameters": {"binary_data_size": len(raw)},
            }
        )
        data.append(raw)
    document: dict[str, Any] = {"inputs": described, "parameters": {"binary_data_output": True}}
    if outputs:
        document["outputs"] = [{"name": name, "parameters": {"binary_data": True}} for name in outputs]
    head = json.dumps(document).encode()
    headers = {"Inference-Header-Content-Length": str(len(head)), "Content-Type": "application/octet-stream"}
    return b"".join([head, *data]), headers


def decode(body: bytes, head_size: int) -> dict[str, numpy.ndarray]:
    """The outputs of an answer. ServerError for one that is not as it should be."""
    try:
        document = json.loads(body[:head_size])
        offset, outputs = head_size, {}
        for output in document["outputs"]:
            shape, dtype = output["shape"], tensors.to_numpy(output["datatype"])
            size = output.get("parameters", {}).get("binary_data_size")
            if size is None:
                outputs[output["name"]] = numpy.array(output["data"], dtype).reshape(shape)
                continue
            outputs[output["name"]] = numpy.frombuffer(body[offset : offset + size], dtype).reshape(shape)
            offset += size
        return outputs
    except (ValueError, KeyError, TypeError) as error:
        raise ServerError(f"an answer cannot be read: {error!r}") from error


class Client:
    """One connection; not for several threads."""

    def __init__(self, host: str, port: int, timeout_s: float = 120.0):
        self._connection = http.client.HTTPConnection(host, port, timeout=timeout_s)

    def close(self) -> None:
        """Ends the connection."""
        self._connection.close()

    def exchange(
        self, method: str, path: str, body: bytes = b"", headers: Optional[dict[str, str]] = None
    ) -> tuple[bytes, dict[str, str]]:
        """Body and headers (in small letters) of an answer. ServerError for one other than 2xx; OSError if none comes."""
        try:
            self._connection.request(method, path, body, headers or {})
            answer = self._connection.getresponse()
            content = answer.read()
        except http.client.HTTPException as error:
            self._connection.close()
            raise ConnectionError(f"the server ended the connection: {error!r}") from error
        except OSError:
            self._connection.close()
            raise
        if not 200 <= answer.status < 300:
            raise ServerError(_error_text(content, answer.status))
        return content, {key.lower(): value for key, value in answer.getheaders()}

    def get_json(self, path: str) -> Any:
        """Of a GET."""
        return json.loads(self.exchange("GET", path)[0])

    def infer(self, model: str, inputs: Arrays, outputs: Optional[list[str]] = None) -> dict[str, numpy.ndarray]:
        """One inference."""
        body, headers = encode(inputs, outputs)
        content, answered = self.exchange("POST", f"/v2/models/{model}/infer", body, headers)
        return decode(content, int(answered.get("inference-header-content-length", len(content))))


def _error_text(content: bytes, status: int) -> str:
    try:
        text = json.loads(content)["error"]
    except (ValueError, KeyError, TypeError):
        text = content[:200].decode(errors="replace")
    return str(text) or f"the server answered {status}"
