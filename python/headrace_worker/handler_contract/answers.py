"""From what a handler returns or raises to a response's bytes and parameters."""

import io
import json
import sys

from headrace_worker import errors, wire

CONTENT_TYPE = "content-type"
PREDICTION_FAILED = "Prediction failed"


class Failure(Exception):
    """What all requests of a batch are answered with: an HTTP status and a text."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status
        self.message = message


def failure_of(error):
    """The Failure that an exception of a handler is to its clients; what else it says is for the log."""
    if isinstance(error, Failure):
        return error
    status = getattr(error, "error_code", None)
    if type(error).__name__ == "PredictionException" and isinstance(status, int):
        return Failure(status, str(getattr(error, "message", "")))
    if isinstance(error, MemoryError) or "CUDA" in str(error):
        return Failure(507, "Out of resources")
    return Failure(503, PREDICTION_FAILED)


def checked(result, count):
    """The answers of a batch of `count` requests, or Failure."""
    if not isinstance(result, list):
        raise Failure(503, "Invalid model predict output")
    if len(result) != count:
        raise Failure(503, "number of batch response mismatched")
    return result


def encoded(value):
    """An answer as bytes: bytes as they are, a string in UTF-8, a tensor as torch.save writes it, anything else as
    JSON."""
    if isinstance(value, (bytes, bytearray)):
        return value
    if isinstance(value, str):
        return value.encode("utf-8")
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        file = io.BytesIO()
        torch.save(value, file)
        return file.getbuffer()
    try:
        return json.dumps(value, indent=2).encode("utf-8")
    except (TypeError, ValueError, RecursionError):
        raise Failure(503, "Unsupported model output data type.") from None


def parameters(context, index):
    """The parameters of the answer to request number `index`: status, phrase, content type and headers that the
    handler has set."""
    found = {}
    status, phrase = context.get_response_status(index)
    if status is not None and status != 200:
        found["status"] = int(status)
    if phrase:
        found["phrase"] = str(phrase)
    headers = context.get_response_headers(index)
    if headers:
        rest = {}
        for name, value in headers.items():
            if name == CONTENT_TYPE:
                found["content_type"] = str(value)
            else:
                rest[str(name)] = str(value)
        if rest:
            found["headers"] = json.dumps(rest)
    return found


def extras(found):
    """The extras of a response with these parameters."""
    return wire.pack_json({"parameters": found}) if found else b""


# What clients that do not speak HTTP are told, by status; the rest is INTERNAL.
_CODES = {404: "NOT_FOUND", 409: "ALREADY_EXISTS", 501: "UNSUPPORTED", 503: "INTERNAL", 507: "UNAVAILABLE"}


def failure_extras(failure):
    """The extras of an error response: the text, and the status for clients of HTTP."""
    code = _CODES.get(failure.status, "INVALID_ARG" if 400 <= failure.status < 500 else "INTERNAL")
    return wire.pack_json(
        {
            "error": errors.as_object(code, failure.message or PREDICTION_FAILED),
            "parameters": {"status": failure.status},
        }
    )
