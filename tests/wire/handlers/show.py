"""Answers with what it was given: types and values of the parts, and of the headers those that a test sets."""

import json


def _shown(value):
    if isinstance(value, (bytes, bytearray)):
        return [type(value).__name__, value.decode("latin-1")]
    return [type(value).__name__, value]


def handle(rows, context):
    if rows is None:
        return None
    answers = []
    for index, row in enumerate(rows):
        headers = context.get_all_request_header(index)
        kept = {name: headers[name] for name in ("X-Mine", "url_path", "explain") if name in headers}
        kept.update({name: headers[name] for name in row if isinstance(headers.get(name), dict)})
        answers.append(
            json.dumps({"row": {name: _shown(value) for name, value in row.items()}, "headers": kept}, sort_keys=True)
        )
    return answers
