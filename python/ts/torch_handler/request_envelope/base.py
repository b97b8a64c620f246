"""Between a protocol's documents and the rows that a handler wants."""

import json


class BaseEnvelope:
    """A subclass says what the rows of a batch are, and how a handler's answers become the requests' again. `handle`
    is the model's own entry: handle(rows, context)."""

    def __init__(self, handle_fn):
        self._handle_fn = handle_fn
        self.context = None

    def handle(self, data, context):
        self.context = context
        if data is None:
            return self._handle_fn(data, context)
        return self.format_output(self._handle_fn(self.parse_input(data), context))

    def parse_input(self, data):
        raise NotImplementedError("parse_input")

    def format_output(self, data):
        raise NotImplementedError("format_output")


def row_content(row):
    """What a request carries, under the names that it may have."""
    content = row.get("data")
    return row.get("body") if content is None else content


def json_content(row):
    """The same as a parsed JSON object."""
    content = row_content(row)
    if isinstance(content, (bytes, bytearray, str)):
        content = json.loads(content)
    if not isinstance(content, dict):
        raise ValueError("the request must be a JSON object")
    return content
