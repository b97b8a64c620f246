"""What looking for metrics may raise."""


class MetricsCacheTypeError(Exception):
    """An argument is not what it should be."""


class MetricsCacheKeyError(Exception):
    """There is no metric of that name and type."""


class MetricsCachePyTypeError(Exception):
    """An argument has another Python type."""
