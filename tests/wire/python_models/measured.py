"""Keeps metrics of its own: a counter, a gauge and a histogram. Answers their values.

It does nothing that fails: the published backend may crash its server when such a call does (a race in its own code,
seen in the stock server too)."""

import json

import numpy as np
import triton_python_backend_utils as pb_utils


def _tried(action):
    try:
        return action()
    except Exception as error:
        return f"{type(error).__name__}: {error}"


class TritonPythonModel:
    def initialize(self, args):
        families = [
            pb_utils.MetricFamily(name=f"check_{name}", description=f"A {name}", kind=kind)
            for name, kind in (
                ("counter", pb_utils.MetricFamily.COUNTER),
                ("gauge", pb_utils.MetricFamily.GAUGE),
                ("histogram", pb_utils.MetricFamily.HISTOGRAM),
            )
        ]
        self._families = families
        self._counter = families[0].Metric(labels={"model": "measured", "kind": "c"})
        self._gauge = families[1].Metric(labels={"model": "measured"})
        self._histogram = families[2].Metric(labels={"model": "measured"}, buckets=[0.5, 1.0, 5.0])

    def execute(self, requests):
        responses = []
        for request in requests:
            value = float(pb_utils.get_input_tensor_by_name(request, "INPUT0").as_numpy().reshape(-1)[0])
            before = _tried(self._counter.value)
            answer = {
                "increment": _tried(lambda: self._counter.increment(value)),
                "set": _tried(lambda: self._gauge.set(value)),
                "observe": _tried(lambda: self._histogram.observe(value)),
                "counter": _tried(lambda: self._counter.value() - before),
                "gauge": _tried(self._gauge.value),
            }
            text = np.array([json.dumps(answer, sort_keys=True)], dtype=object)
            responses.append(pb_utils.InferenceResponse([pb_utils.Tensor("OUTPUT0", text)]))
        return responses
