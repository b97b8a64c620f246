"""A metric that a handler keeps and updates."""

import logging

from ts.metrics.metric_abstract import MetricAbstract
from ts.metrics.metric_type_enum import MetricTypes

logger = logging.getLogger(__name__)


class CachingMetric(MetricAbstract):
    """`sink` takes every update: sink(metric, [(dimension, value)...], number, request_id); without one they are
    dropped."""

    def __init__(self, metric_name, unit, dimension_names=None, metric_type=MetricTypes.COUNTER, sink=None):
        super().__init__(metric_name, unit, dimension_names, metric_type)
        self._sink = sink

    def add_or_update(self, value, dimension_values=(), request_id=""):
        """`dimension_values` are in the order of the names. An update that cannot be is a line of the log, and no
        failure of the request that it counts."""
        names = self.dimension_names
        if dimension_values is None or len(dimension_values) != len(names):
            return self._refuse(value, f"it has the dimensions {names}, not values {dimension_values!r}")
        if self.metric_type is MetricTypes.COUNTER and value < 0:
            return self._refuse(value, "a counter only grows")
        try:
            number = float(value)
        except (TypeError, ValueError):
            return self._refuse(value, "it is no number")
        if self._sink is not None:
            labels = [(name, str(given)) for name, given in zip(names, dimension_values)]
            self._sink(self, labels, number, request_id)
        return None

    def update(self, value, request_id="", dimensions=()):
        """The same with Dimension objects, whose names become the metric's."""
        self.dimension_names = [dimension.name for dimension in dimensions]
        self.add_or_update(value, [dimension.value for dimension in dimensions], request_id)

    def _refuse(self, value, why):
        logger.error("metric '%s' is not updated with %r: %s", self.metric_name, value, why)
