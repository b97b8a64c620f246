"""The metrics that a metrics.yaml lists, for tests of handlers; in a worker `context.metrics` has them already."""

from ts.metrics import metric_cache_errors
from ts.metrics.metric_type_enum import MetricTypes
from ts.metrics.metrics_store import MetricsStore


class MetricsCacheYamlImpl(MetricsStore):
    """`config_file_path`: the file. `initialize_cache` reads its `model_metrics`. Needs the package PyYAML."""

    def __init__(self, config_file_path):
        super().__init__(None, None)
        self.config_file_path = config_file_path
        if not config_file_path:
            raise metric_cache_errors.MetricsCacheTypeError("a file of metrics is needed")

    def initialize_cache(self):
        import yaml

        try:
            with open(self.config_file_path, encoding="utf-8") as file:
                content = yaml.safe_load(file)
        except OSError as error:
            raise metric_cache_errors.MetricsCacheIOError(f"{self.config_file_path}: {error}") from error
        except yaml.YAMLError as error:
            raise metric_cache_errors.MetricsCachePyYamlError(f"{self.config_file_path}: {error}") from error
        if not isinstance(content, dict) or "model_metrics" not in content:
            raise metric_cache_errors.MetricsCacheKeyError(f"{self.config_file_path}: there is no 'model_metrics'")
        if not content["model_metrics"]:
            raise metric_cache_errors.MetricsCacheValueError(f"{self.config_file_path}: 'model_metrics' is empty")
        for kind, metrics in content["model_metrics"].items():
            if kind not in [one.value for one in MetricTypes]:
                raise metric_cache_errors.MetricsCacheKeyError(f"{self.config_file_path}: there is no type '{kind}'")
            for metric in metrics:
                try:
                    self.declare([{**metric, "kind": kind}])
                except KeyError as error:
                    raise metric_cache_errors.MetricsCacheKeyError(
                        f"{self.config_file_path}: a {kind} lacks {error}"
                    ) from error
