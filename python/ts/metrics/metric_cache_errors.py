"""What looking for metrics may raise, below the exceptions that TorchServe's are."""


class MetricsCacheTypeError(TypeError):
    """An argument is not of the type that it should be."""


class MetricsCacheValueError(ValueError):
    """An argument is none of the values that it may be."""


class MetricsCacheKeyError(KeyError):
    """There is no metric of that name and type."""

    def __str__(self):
        return str(self.args[0]) if self.args else ""


class MetricsCacheIOError(IOError):
    """A file of metrics cannot be read."""


class MetricsCachePyYamlError(ValueError):
    """A file of metrics is no YAML."""


class GeneralMetricsCacheError(Exception):
    """Anything else."""
