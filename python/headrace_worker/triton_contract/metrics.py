"""Metrics of a model's own on the server's metrics page."""

from headrace_worker import wire
from headrace_worker.triton_contract import context, values

_Kind = values.named_enum("MetricKind", ("COUNTER", "GAUGE", "HISTOGRAM"))


class MetricFamily:
    """A family: its name, help and kind (MetricFamily.COUNTER, GAUGE or HISTOGRAM). Its end removes it from the page."""

    COUNTER, GAUGE, HISTOGRAM = _Kind

    def __init__(self, name, description, kind):
        self._number = 0
        self._kind = _Kind(kind)
        number = context.current.side().next_number()
        question = {"op": "family", "id": number, "name": str(name), "description": str(description)}
        question["kind"] = self._kind.name
        context.current.ask("Error when creating MetricFamily: ", wire.METRIC, question, "call")
        self._number = number

    def Metric(self, labels=None, buckets=None):
        """A series of the family: labels {name: text}, and for a histogram its ascending bounds."""
        if labels is not None and not isinstance(labels, dict):
            raise values.TritonModelException("Failed to create metric. Labels must be a dictionary.")
        if buckets is not None:
            if not isinstance(buckets, list):
                raise values.TritonModelException("Failed to create metric. Buckets must be a list.")
            if self._kind != _Kind.HISTOGRAM:
                raise values.TritonModelException("Failed to create metric. Unexpected buckets found.")
        elif self._kind == _Kind.HISTOGRAM:
            raise values.TritonModelException("Failed to create metric. Missing required buckets.")
        return Metric(self, labels or {}, [float(bound) for bound in buckets or ()])

    def __del__(self):
        if self._number:
            _drop("drop_family", self._number)


class Metric:
    """One series. Thread-safe; what changes it does not wait for the server."""

    def __init__(self, family, labels, buckets):
        self._number = 0
        self._family = family
        number = context.current.side().next_number()
        question = {"op": "series", "id": number, "family": family._number}
        question["labels"] = {str(name): str(value) for name, value in labels.items()}
        if buckets:
            question["buckets"] = buckets
        context.current.ask("Error when creating Metric: ", wire.METRIC, question, "call")
        self._number = number

    def increment(self, value):
        """Adds to a counter (nothing negative) or a gauge."""
        self._change("increment", value, "Failed to increment metric value: ")

    def set(self, value):
        """Sets a gauge."""
        self._change("set", value, "Failed to set metric value: ")

    def observe(self, value):
        """Counts a value in a histogram."""
        self._change("observe", value, "Failed to observe metric value: ")

    def value(self):
        """The value of a counter or a gauge."""
        question = {"op": "value", "id": self._number}
        return float(context.current.ask("Failed to get metric value: ", wire.METRIC, question, "call"))

    def _change(self, operation, value, prefix):
        value = float(value)
        question = {"op": operation, "id": self._number, "value": value}
        if _plain(self._family._kind, operation, value):
            context.current.side().tell(wire.METRIC, question)
        else:
            # What cannot be done: the server says why.
            context.current.ask(prefix, wire.METRIC, question, "call")

    def __del__(self):
        if self._number:
            _drop("drop_series", self._number)


def _plain(kind, operation, value):
    """Whether the server will do this for certain."""
    if value != value or value in (float("inf"), float("-inf")):
        raise values.TritonModelException(f"a metric's value must be a finite number, not {value}")
    if operation == "increment":
        return kind == _Kind.GAUGE or kind == _Kind.COUNTER and value >= 0
    return kind == (_Kind.GAUGE if operation == "set" else _Kind.HISTOGRAM)


def _drop(operation, number):
    runtime = context.current.runtime
    if runtime is not None:
        runtime.side.tell_later(wire.METRIC, {"op": operation, "id": number})
