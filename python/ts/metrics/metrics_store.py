"""`context.metrics`: what a handler tells about its work."""

import logging

from ts.metrics.caching_metric import CachingMetric
from ts.metrics.dimension import Dimension
from ts.metrics.metric_cache_errors import MetricsCacheKeyError, MetricsCacheTypeError, MetricsCacheValueError
from ts.metrics.metric_type_enum import MetricTypes

logger = logging.getLogger(__name__)

_TIME_UNITS = ("ms", "s")
_SIZE_UNITS = ("MB", "kB", "GB", "B")


class MetricsStore:
    """The metrics of one model in one worker, by type and name. Every add_* carries the model's name (but for
    add_error) and a level besides the handler's own dimensions. `sink` is a CachingMetric's; without one, updates are dropped (in tests of
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
            raise MetricsCacheValueError(f"metric {metric_name or name}: the unit of a time is ms or s, not {unit!r}")
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

    def declare(self, metrics):
        """Puts in what a metrics.yaml lists: [{"name", "unit", "kind", "dimensions"}]."""
        for metric in metrics:
            self.add_metric_to_cache(
                metric["name"], metric["unit"], list(metric["dimensions"]), MetricTypes(metric["kind"])
            )

    def add_metric_to_cache(self, metric_name, unit, dimension_names=(), metric_type=MetricTypes.COUNTER):
        """A metric to keep; it takes the place of one of this name and type."""
        _check_type(metric_name, str, "`metric_name` must be a str")
        _check_type(unit, str, "`unit` must be a str")
        _check_type(metric_type, MetricTypes, "`metric_type` must be a MetricTypes enum")
        if dimension_names:
            _check_type(dimension_names, (list, tuple), "`dimension_names` must be a list of names")
        metric = CachingMetric(metric_name, unit, dimension_names, metric_type, self._emit)
        self.cache[metric_type][metric_name] = metric
        return metric

    def get_metric(self, metric_name, metric_type=MetricTypes.COUNTER):
        """One that is declared, or was added."""
        _check_type(metric_name, str, "`metric_name` must be a str")
        _check_type(metric_type, MetricTypes, "`metric_type` must be a MetricTypes enum")
        metric = self.cache[metric_type].get(metric_name)
        if metric is None:
            raise MetricsCacheKeyError(f"there is no {metric_type.value} of the name {metric_name!r}")
        return metric

    def set_request_ids(self, request_ids):
        self.request_ids = request_ids

    def cache_keys(self):
        """["counter:Name"...]."""
        return [f"{kind.value}:{name}" for kind, metrics in self.cache.items() for name in metrics]

    def _request_id(self, idx):
        ids = self.request_ids or {}
        return ids[idx] if idx in ids else ",".join(str(given) for given in ids.values())

    def _add(self, name, value, unit, metric_type, idx, dimensions, level="Model"):
        """A metric's names are those that it was declared or first seen with: later values go by their places."""
        every = list(dimensions or ())
        named = {dimension.name for dimension in every}
        if level == "Model" and "ModelName" not in named:
            every.append(Dimension("ModelName", self.model_name))
        if "Level" not in named:
            every.append(Dimension("Level", level))
        metric = self.cache[metric_type].get(name) if isinstance(metric_type, MetricTypes) else None
        if metric is None:
            metric = self.add_metric_to_cache(name, unit, [dimension.name for dimension in every], metric_type)
        request_id = "" if level == "Error" else self._request_id(idx)
        metric.add_or_update(value, [dimension.value for dimension in every], request_id)

    def _emit(self, metric, labels, value, request_id):
        if self.sink is not None:
            self.sink(metric, labels, value, request_id)


def _check_type(value, wanted, text):
    if not isinstance(value, wanted):
        raise MetricsCacheTypeError(text)
