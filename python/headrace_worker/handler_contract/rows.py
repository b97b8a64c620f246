"""From a request to what a handler gets: a dictionary of its parts, and its headers."""

import json
import logging

from headrace_worker import wire

logger = logging.getLogger(__name__)

# The plain way into the decoder: what comes is the server's own JSON, without blanks around it.
_decode_json = json.JSONDecoder().raw_decode
# What `parts` said, parsed: requests of one client tend to look alike.
_PARTS_KEPT = 256


class Row:
    """One request of a batch. `content`: {part: bytearray, str or parsed JSON}."""

    __slots__ = ("key", "request_id", "content", "alone", "_parts", "_parameters", "_headers")

    def __init__(self, key, request_id, content, alone, parts, parameters):
        self.key = key
        self.request_id = request_id
        self.content = content
        self.alone = alone  # not to be mixed with others: handlers look at the first request only
        self._parts = parts
        self._parameters = parameters
        self._headers = None

    @property
    def headers(self):
        """The client's, with those that the server adds; made when they are asked for."""
        if self._headers is None:
            parameters = self._parameters
            headers = {name: {"content-type": kind} for name, kind, _, _ in self._parts}
            given = parameters.get("headers")
            if given:
                headers.update(_decode_json(given)[0])
            if "path" in parameters:
                headers["url_path"] = parameters["path"]
            if "explain" in parameters:
                headers["explain"] = "True" if parameters["explain"] else "False"
            self._headers = headers
        return self._headers


class RowMaker:
    """Makes rows; one for each model. `decode`: whether parts are decoded by their media types."""

    def __init__(self, decode):
        self._decode = decode
        self._known_parts = {}

    def make(self, request, data, running=()):
        """`request` is a wire.Request, `data` the bytes of its tensor. One that is executed once more and whose id is in
        `running` has no content: the handler has seen it."""
        extras = _decode_json(str(request.extras, "utf-8"))[0] if request.extras else {}
        parameters = extras.get("parameters") or {}
        request_id = parameters.get("request_id") or extras.get("id") or str(request.key)
        again = running and not request.flags & wire.START and request_id in running
        parts = () if again else self._parts(parameters.get("parts"), len(data))
        content = {}
        for name, kind, offset, end in parts:
            value = bytearray(data[offset:end])
            content[name] = decoded(value, kind) if kind and self._decode else value
        alone = bool(parameters.get("explain")) or '"describe"' in parameters.get("headers", "")
        return Row(request.key, request_id, content, alone, parts, parameters)

    def _parts(self, text, size):
        """((name, media type, begin, end)...); without the parameter all is a part `body`."""
        if text is None:
            return (("body", "", 0, size),)
        parts = self._known_parts.get(text)
        if parts is None:
            parts = tuple(
                (one["name"], one.get("type", ""), one["offset"], one["offset"] + one["size"])
                for one in _decode_json(text)[0]
            )
            if len(self._known_parts) >= _PARTS_KEPT:
                self._known_parts.clear()
            self._known_parts[text] = parts
        return parts


def decoded(value, kind):
    """A part as its media type says: JSON is parsed and text is a string where they are what they claim, and all else
    stays a bytearray. The type is compared as it was sent, with its capitals."""
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
