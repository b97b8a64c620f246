"""From a request to what a handler gets: a dictionary of its parts, and its headers."""

import json
import logging

logger = logging.getLogger(__name__)


class Row:
    """One request of a batch. `content`: {part: bytearray, str or parsed JSON}. `headers`: the client's, with those that the server adds."""

    __slots__ = ("key", "request_id", "content", "headers", "alone")

    def __init__(self, key, request_id, content, headers, alone):
        self.key = key
        self.request_id = request_id
        self.content = content
        self.headers = headers
        self.alone = alone  # not to be mixed with others: handlers look at the first request only


def make_row(request, data, decode):
    """`request` is a wire.Request, `data` the bytes of its tensor."""
    extras = request.parsed_extras()
    parameters = extras.get("parameters") or {}
    parts = parameters.get("parts")
    content, headers = {}, {}
    if parts is None:
        content["body"] = bytearray(data)
        headers["body"] = {"content-type": ""}
    else:
        for part in json.loads(parts):
            name, kind, offset = part["name"], part.get("type", ""), part["offset"]
            content[name] = decoded(bytearray(data[offset:offset + part["size"]]), kind, decode)
            headers[name] = {"content-type": kind}
    given = parameters.get("headers")
    if given:
        headers.update(json.loads(given))
    path = parameters.get("path")
    if path is not None:
        headers["url_path"] = path
    explain = parameters.get("explain")
    if explain is not None:
        headers["explain"] = "True" if explain else "False"
    request_id = parameters.get("request_id") or extras.get("id") or str(request.key)
    return Row(request.key, request_id, content, headers, bool(explain) or headers.get("describe") == "True")


def decoded(value, kind, decode=True):
    """A part as its media type says: JSON is parsed and text is a string where they are what they claim, and all else stays a bytearray.
    The type is compared as it was sent, with its capitals."""
    if not decode or not kind:
        return value
    if kind == "application/json":
        try:
            return json.loads(value)
        except ValueError:
            logger.warning("a part that should be application/json is none; the handler gets its bytes")
    elif kind.startswith("text"):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            logger.warning("a part that should be %s is not UTF-8; the handler gets its bytes", kind)
    return value
