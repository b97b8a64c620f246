"""Does what the body names: one row of every kind of answer, and of every kind of failure."""

from ts.utils.util import PredictionException


class Opaque:
    """Not serialisable."""


def _raise(error):
    raise error


_ACTIONS = {
    "bytes": lambda context: [b"\x00\x01raw"],
    "bytearray": lambda context: [bytearray(b"array")],
    "str": lambda context: ["text \u00e4"],
    "dict": lambda context: [{"a": 1, "b": [1.5, None, True], "c": "\u00e4"}],
    "list": lambda context: [[1, 2, [3]]],
    "int": lambda context: [7],
    "float": lambda context: [0.1],
    "big_float": lambda context: [1e30],
    "bool": lambda context: [True],
    "none": lambda context: [None],
    "empty_str": lambda context: [""],
    "empty_list": lambda context: [[]],
    "nan": lambda context: [{"x": float("nan")}],
    "tuple_row": lambda context: [(1, 2)],
    "no_list": lambda context: "text",
    "dict_result": lambda context: {"a": 1},
    "tuple_result": lambda context: ("a",),
    "none_result": lambda context: None,
    "too_many": lambda context: ["a", "b"],
    "too_few": lambda context: [],
    "opaque": lambda context: [Opaque()],
    "nested_opaque": lambda context: [{"a": Opaque()}],
    "raise": lambda context: _raise(ValueError("no")),
    "raise_key": lambda context: _raise(KeyError("k")),
    "memory": lambda context: _raise(MemoryError("no memory")),
    "cuda": lambda context: _raise(RuntimeError("CUDA error: out of memory")),
    "prediction_default": lambda context: _raise(PredictionException("not now")),
    "prediction_400": lambda context: _raise(PredictionException("bad image", 400)),
    "prediction_404": lambda context: _raise(PredictionException("no such thing", 404)),
    "prediction_409": lambda context: _raise(PredictionException("conflict", 409)),
    "prediction_413": lambda context: _raise(PredictionException("large", 413)),
    "prediction_429": lambda context: _raise(PredictionException("slow down", 429)),
    "prediction_503": lambda context: _raise(PredictionException("later", 503)),
    "prediction_507": lambda context: _raise(PredictionException("full", 507)),
    "prediction_599": lambda context: _raise(PredictionException("odd", 599)),
    "prediction_200": lambda context: _raise(PredictionException("fine", 200)),
}


def _with_status(context):
    context.set_response_status(code=202, phrase="Taken", idx=0)
    return ["taken"]


def _with_all_status(context):
    context.set_all_response_status(code=404, phrase="Nothing Here")
    return [{"error": "nothing"}]


def _with_type(context):
    context.set_response_content_type(0, "text/csv")
    return ["a,b"]


def _with_header(context):
    context.set_response_header(0, "X-Answer", "yes")
    context.set_response_header(0, "x-other", "1")
    return ["headers"]


def _with_json_type(context):
    context.set_response_content_type(0, "application/json")
    return ['{"as": "text"}']


def _with_error_status(context):
    context.set_response_status(code=500, phrase="Own Failure", idx=0)
    return ["failed"]


_ACTIONS.update(
    status=_with_status,
    all_status=_with_all_status,
    type=_with_type,
    header=_with_header,
    json_type=_with_json_type,
    error_status=_with_error_status,
)


def handle(rows, context):
    """Called once without rows when the model is loaded."""
    if rows is None:
        return None
    body = rows[0].get("body") or rows[0].get("data")
    if isinstance(body, (bytes, bytearray)):
        body = bytes(body).decode()
    return _ACTIONS[body](context)
