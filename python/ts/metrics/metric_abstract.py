"""What every metric has."""

import abc

from ts.metrics.metric_type_enum import MetricTypes
from ts.metrics.unit import unit_name


class MetricAbstract(abc.ABC):
    def __init__(self, metric_name, unit, dimension_names=None, metric_type=MetricTypes.COUNTER):
        self.metric_name = metric_name
        self.unit = unit_name(unit)
        self.dimension_names = [str(name) for name in dimension_names or ()]
        self.metric_type = metric_type

    @abc.abstractmethod
    def add_or_update(self, value, dimension_values=(), request_id=""):
        """Counters add up, gauges keep the value, histograms observe it."""
