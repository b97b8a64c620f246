"""How good a model is that accuracy control has made: what NNCF asks after each layer that it turns back."""

import math
import time
from typing import Any, Iterable, Mapping, Optional, Sequence

import numpy

from headrace_optimize import accuracy
from headrace_optimize.recipes.base import Context

_BATCH = 8  # samples of one call, where the model batches
_TELL_S = 3.0  # between two lines of progress
Sample = Mapping[str, numpy.ndarray]


def answers(model: Any, samples: Sequence[Sample], joined: bool) -> dict[str, numpy.ndarray]:
    """Of a compiled model, samples along the first dimension; outputs by their place. `joined`: inputs have a dimension
    for the batch, along which several go into one call."""
    rows: dict[str, list[numpy.ndarray]] = {}
    request = model.create_infer_request()
    step = _BATCH if joined else 1
    for i in range(0, len(samples), step):
        part = samples[i : i + step]
        inputs = {name: numpy.concatenate([sample[name] for sample in part]) for name in part[0]} if joined else part[0]
        for place, values in enumerate(request.infer(inputs).values()):
            rows.setdefault(str(place), []).append(numpy.array(values) if joined else numpy.array(values)[None])
    return {name: numpy.concatenate(values) for name, values in rows.items()}


def errors(reference: accuracy.Outputs, other: accuracy.Outputs) -> numpy.ndarray:
    """Of each sample, as a share of what the answer should be; of several outputs the worst."""
    worst = numpy.zeros(len(next(iter(reference.values()))))
    for name, values in reference.items():
        wanted = values.reshape(len(worst), -1).astype(numpy.float64)
        delta = other[name].reshape(len(worst), -1) - wanted
        norms = numpy.maximum(numpy.linalg.norm(wanted, axis=1), numpy.finfo(numpy.float32).tiny)
        worst = numpy.maximum(worst, numpy.linalg.norm(delta, axis=1) / norms)
    return worst


class Validation:
    """NNCF's validation_fn. Its data set are the samples' numbers, so that each meets its reference.

    A model that is asked for all samples is judged by what --max-drop bounds (accuracy.score). Asked for some, which is
    how NNCF ranks the layers, it is judged by its error: that tells layers apart of which none changes a class.
    """

    def __init__(self, reference: accuracy.Outputs, samples: Sequence[Sample], context: Context, seconds: float):
        """`reference`: the answers of the model before. `seconds`: from now on, for all calls."""
        labels = context.labels()
        self._samples = samples
        self._joined = context.source.batches
        self._reference = reference
        self._labels: Optional[numpy.ndarray] = None if labels is None else labels[: len(samples)]
        self._max_drop = context.max_drop
        self._tell = context.tell
        self._deadline = time.monotonic() + seconds
        self._told = -math.inf
        self._ranked = 0
        self._original = accuracy.score(self._compared(reference))
        self.tried = 0  # models that were asked for all samples
        self.drop = 0.0  # of the last of them
        self.ended_early = False  # the time was over, and the drop too large

    def _compared(self, found: accuracy.Outputs) -> accuracy.Accuracy:
        return accuracy.compare(self._reference, found, accuracy.Bound(None, None), self._labels)

    def _progress(self, text: str) -> None:
        now = time.monotonic()
        if now - self._told >= _TELL_S:
            self._told = now
            self._tell(text)

    def __call__(self, model: Any, chosen: Iterable[int]) -> tuple[float, list[float]]:
        """The figure, and one for each sample: 1 less its error. Both are better the higher."""
        places = [int(place) for place in chosen]
        late = time.monotonic() > self._deadline
        some = len(places) < len(self._samples)
        if some and late:
            return 0.0, [0.0] * len(places)  # in whatever order: there is no time left to go through them
        found = answers(model, [self._samples[place] for place in places], self._joined)
        wanted = {name: values[places] for name, values in self._reference.items()}
        each = [float(1 - error) for error in errors(wanted, found)]
        if some:
            self._ranked += 1
            if self.tried:  # before the first, NNCF only looks at what it is answered
                self._progress(f"ranking layers, {self._ranked} looked at; a drop of {self.drop * 100:.2f} % so far")
            return float(numpy.mean(each)), each
        self.tried += 1
        self._ranked = 0
        self.drop = self._original - accuracy.score(self._compared(found))
        self._progress(f"model {self.tried}: a drop of {self.drop * 100:.2f} %")
        if late and self.drop > self._max_drop:
            self.ended_early = True
            return self._original, each  # what NNCF takes for good enough, so that it hands over what it has
        return self._original - self.drop, each
