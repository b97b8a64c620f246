"""A metric that a handler keeps and updates."""

from ts.metrics.metric_cache_errors import MetricsCacheTypeError
from ts.metrics.metric_type_enum import MetricTypes
from ts.metrics.unit import unit_name


class CachingMetric:
    """`sink` takes every update: sink(metric, [(dimension, value)...], number, request_id)."""

    def __init__(self, metric_name, unit, dimension_names, metric_type, sink):
        if not isinstance(metric_type, MetricTypes):
            raise MetricsCacheTypeError(
                f"metric {metric_name}: metric_type must be one of MetricTypes, got {metric_type!r}"
            )
        if not metric_name or not isinstance(metric_name, str):
            raise MetricsCacheTypeError("a metric needs a name")
        self.metric_name = metric_name
        self.unit = unit_name(unit or "")
        self.dimension_names = [str(name) for name in dimension_names]
        self.metric_type = metric_type
        self._sink = sink

    def add_or_update(self, value, dimension_values=(), request_id="", dimensions=None):
        """Counters add up, gauges keep the value, histograms observe it. `dimension_values` are in the order of the
        names."""
        if dimensions:
            dimension_values = [dimension.value for dimension in dimensions]
        if len(dimension_values) != len(self.dimension_names):
            raise ValueError(
                f"metric {self.metric_name} has dimensions {self.dimension_names}, got values {list(dimension_values)}"
            )
        if self.metric_type is MetricTypes.COUNTER and value < 0:
            raise ValueError(f"counter {self.metric_name} only grows; got {value}")
        labels = [(name, str(given)) for name, given in zip(self.dimension_names, dimension_values)]
        self._sink(self, labels, float(value), request_id)

    def update(self, value, request_id="", dimensions=None):
        self.add_or_update(value, [dimension.value for dimension in dimensions or ()], request_id)
