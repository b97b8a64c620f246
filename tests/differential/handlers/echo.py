"""Answers with what it was given: the types and contents of its row, and the headers that a test asks about."""

_HEADERS = ("content-type", "Content-Type", "explain", "describe", "url_path", "X-Test", "x-test")


def _shown(value):
    if isinstance(value, (bytes, bytearray)):
        return {"type": type(value).__name__, "text": bytes(value).decode("latin-1")}
    return {"type": type(value).__name__, "value": value}


def handle(rows, context):
    """Called once without rows when the model is loaded."""
    if rows is None:
        return None
    answers = []
    for index, row in enumerate(rows):
        given = context.get_all_request_header(index)
        headers = {name: _shown(given[name]) for name in _HEADERS if name in given}
        shown = {
            "row": {name: _shown(row[name]) for name in sorted(row)},
            "headers": headers,
            "looked_up": context.get_request_header(index, "x-test"),
            "model": context.model_name,
            "version": context.manifest["model"].get("modelVersion"),
            "batch_size": context.system_properties.get("batch_size"),
            "gpu_id": context.system_properties.get("gpu_id"),
        }
        answers.append(shown)
    return answers
