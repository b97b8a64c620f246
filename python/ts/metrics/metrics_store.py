"""`context.metrics`: what a handler tells about its work."""

import logging

from ts.metrics.caching_metric import CachingMetric
from ts.metrics.dimension import Dimension
from ts.metrics.metric_cache_errors import MetricsCacheKeyError
from ts.metrics.metric_type_enum import MetricTypes

logger = logging.getLogger(__name__)

_TIME_UNITS = ("ms", "s")
_SIZE_UNITS = ("MB", "kB", "GB", "B")


class MetricsStore:
    """The metrics of one model in one worker, by type and name. Every add_* carries the model's name and a level
    besides the handler's own dimensions. `sink` is a CachingMetric's; without one, updates are dropped (in tests of
    handlers, for instance)."""

    def __init__(self, request_ids, model_name, sink=None):
        self.request_ids = request_ids
        self.model_name = model_name
        self.sink = sink
        self.cache = {kind: {} for kind in MetricTypes}

    def add_counter(self, name=None, value=None, idx=None, dimensions=None, metric_name=None):
        """Adds to a counter; `idx` says for which request of the batch."""
        self._add(metric_name or name, value, "count", MetricTypes.COUNTER, idx, dimensions)

    def add_time(
        self,
        name=None,
        value=None,
        idx=None,
        unit="ms",
        dimensions=None,
        metric_type=MetricTypes.GAUGE,
        metric_name=None,
    ):
        if unit not in _TIME_UNITS:
            raise ValueError(f"metric {metric_name or name}: the unit of a time is ms or s, not {unit!r}")
        self._add(metric_name or name, value, unit, metric_type, idx, dimensions)

    def add_size(
        self,
        name=None,
        value=None,
        idx=None,
        unit="MB",
        dimensions=None,
        metric_type=MetricTypes.GAUGE,
        metric_name=None,
    ):
        if unit not in _SIZE_UNITS:
            raise ValueError(f"metric {metric_name or name}: the unit of a size is MB, kB, GB or B, not {unit!r}")
        self._add(metric_name or name, value, unit, metric_type, idx, dimensions)

    def add_percent(
        self, name=None, value=None, idx=None, dimensions=None, metric_type=MetricTypes.GAUGE, metric_name=None
    ):
        self._add(metric_name or name, value, "percent", metric_type, idx, dimensions)

    def add_error(self, name=None, value=None, dimensions=None, metric_name=None):
        """Says what went wrong. A number counts, anything else is for the log."""
        name = metric_name or name
        if isinstance(value, (int, float)):
            self._add(name, value, "", MetricTypes.COUNTER, None, dimensions, level="Error")
        else:
            logger.error("%s: %s", name, value)

    def add_metric(
        self,
        name=None,
        value=None,
        unit="",
        idx=None,
        dimensions=None,
        metric_type=MetricTypes.COUNTER,
        metric_name=None,
    ):
        self._add(metric_name or name, value, unit, metric_type, idx, dimensions)

    def add_metric_to_cache(self, metric_name, unit="", dimension_names=(), metric_type=MetricTypes.COUNTER):
        """A metric to keep: the one that exists, or a new one."""
        metric = self.cache.get(metric_type, {}).get(metric_name)
        if metric is None or metric.dimension_names != list(dimension_names):
            metric = CachingMetric(metric_name, unit, dimension_names, metric_type, self._emit)
            self.cache[metric_type][metric_name] = metric
        return metric

    def get_metric(self, metric_name, metric_type=MetricTypes.COUNTER):
        metric = self.cache.get(metric_type, {}).get(metric_name)
        if metric is None:
            raise MetricsCacheKeyError(f"there is no {getattr(metric_type, 'value', metric_type)} {metric_name!r}")
        return metric

    def _request_id(self, idx):
        if idx is None:
            return ",".join(str(given) for given in (self.request_ids or {}).values())
        return (self.request_ids or {}).get(idx, "")

    def _add(self, name, value, unit, metric_type, idx, dimensions, level="Model"):
        own = [Dimension("ModelName", self.model_name), Dimension("Level", level)]
        every = list(dimensions or ()) + own
        metric = self.add_metric_to_cache(name, unit, [dimension.name for dimension in every], metric_type)
        request_id = "" if level == "Error" else self._request_id(idx)
        metric.add_or_update(value, [dimension.value for dimension in every], request_id)

    def _emit(self, metric, labels, value, request_id):
        if self.sink is not None:
            self.sink(metric, labels, value, request_id)
