"""How far a variant's answers are from the original's."""

import dataclasses
import math
from typing import Any, Mapping, Optional

import numpy

from headrace_optimize import detections

Outputs = Mapping[str, numpy.ndarray]
_WORST_SHOWN = 5


@dataclasses.dataclass(frozen=True)
class Bound:
    """What is accepted. Each is None where it does not count."""

    max_drop: Optional[float] = 0.01  # of the task metric, or of the agreement with the original: a share
    atol: Optional[float] = None  # the largest difference of any number

    def describe(self) -> str:
        """In words."""
        parts = []
        if self.max_drop is not None:
            parts.append(f"a drop of at most {self.max_drop * 100:g} %")
        if self.atol is not None:
            parts.append(f"differences of at most {self.atol:g}")
        return " and ".join(parts) or "any difference"


@dataclasses.dataclass
class OutputDifference:
    """Of one output, over all samples."""

    max_abs: float
    mean_abs: float
    cosine: float
    snr_db: float  # infinite for equal answers


@dataclasses.dataclass
class Accuracy:
    """Of one variant. Shares are from 0 to 1."""

    samples: int
    outputs: dict[str, OutputDifference]  # of a detector: of what both have found
    top1_agreement: Optional[float] = None  # None: no output is a list of classes
    detection_agreement: Optional[float] = None  # detections.Agreement.share; None: it is no detector
    task_metric: Optional[float] = None  # top-1 accuracy, where there are labels
    task_metric_original: Optional[float] = None
    labelled: int = 0  # samples that have one
    worst: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    accepted: bool = True
    reason: str = ""


def _difference(original: numpy.ndarray, other: numpy.ndarray) -> OutputDifference:
    a = original.astype(numpy.float64).ravel()
    b = other.astype(numpy.float64).ravel()
    delta = numpy.abs(a - b)
    norms = math.sqrt(float(a @ a)) * math.sqrt(float(b @ b))
    noise, signal = float(delta @ delta), float(a @ a)
    if noise == 0:
        snr = math.inf
    else:
        snr = 10 * math.log10(signal / noise) if signal > 0 else -math.inf
    return OutputDifference(
        max_abs=float(delta.max(initial=0.0)),
        mean_abs=float(delta.mean()) if delta.size else 0.0,
        cosine=float(a @ b) / norms if norms > 0 else (1.0 if noise == 0 else 0.0),
        snr_db=snr,
    )


def classes_of(outputs: Outputs) -> Optional[numpy.ndarray]:
    """The best class of each sample, where an output is [samples, at least 2 classes]; else None."""
    for values in outputs.values():
        if values.ndim == 2 and values.shape[1] >= 2 and values.dtype.kind == "f":
            return values.argmax(axis=1)
    return None


def _worst(original: Outputs, other: Outputs, count: int) -> list[dict[str, Any]]:
    samples = len(next(iter(original.values())))
    largest = numpy.zeros(samples)
    for name, values in original.items():
        delta = numpy.abs(values.astype(numpy.float64) - other[name].astype(numpy.float64))
        largest = numpy.maximum(largest, delta.reshape(samples, -1).max(axis=1, initial=0.0))
    order = numpy.argsort(-largest, kind="stable")[:count]
    rows = [{"sample": int(i), "max_abs": float(largest[i])} for i in order if largest[i] > 0]
    before, after = classes_of(original), classes_of(other)
    if before is not None and after is not None:
        for row in rows:
            row["class_original"], row["class"] = int(before[row["sample"]]), int(after[row["sample"]])
    return rows


def compare(original: Outputs, other: Outputs, bound: Bound, labels: Optional[numpy.ndarray] = None) -> Accuracy:
    """Requires the same outputs for the same samples; otherwise the variant is not accepted, and the reason says so.
    Samples whose label is negative do not count for the task metric; where none has another, there is none."""
    samples = len(next(iter(original.values())))
    for name, values in original.items():
        if name not in other or other[name].shape != values.shape:
            found = "missing" if name not in other else f"of shape {list(other[name].shape)}, not {list(values.shape)}"
            return Accuracy(samples, {}, accepted=False, reason=f"output '{name}' is {found}")
    result = Accuracy(samples, {name: _difference(values, other[name]) for name, values in original.items()})
    result.worst = _worst(original, other, _WORST_SHOWN)
    before, after = classes_of(original), classes_of(other)
    if before is not None and after is not None:
        result.top1_agreement = float((before == after).mean())
        known = labels >= 0 if labels is not None else numpy.zeros(samples, bool)
        if labels is not None and known.any():
            result.labelled = int(known.sum())
            result.task_metric_original = float((before == labels)[known].mean())
            result.task_metric = float((after == labels)[known].mean())
    _judge(result, other, bound)
    return result


def compare_detections(original: Outputs, other: Outputs, bound: Bound) -> Accuracy:
    """Of a detector's answers (detections.py), whose number of boxes is its own business."""
    samples = len(original["count"])
    if missing := [name for name in detections.NAMES if name not in other]:
        return Accuracy(samples, {}, accepted=False, reason=f"output '{missing[0]}' is missing")
    found = detections.agreement(original, other)
    result = Accuracy(samples, {name: _difference(values, found.other[name]) for name, values in found.original.items()})
    result.detection_agreement = found.share
    order = numpy.argsort(found.by_sample, kind="stable")[:_WORST_SHOWN]
    result.worst = [{"sample": int(i), "agreement": float(found.by_sample[i])} for i in order if found.by_sample[i] < 1]
    _judge(result, other, bound)
    return result


def _relative_error(result: Accuracy) -> float:
    """The root of the energy of the error, as a share of the signal's; of several outputs the worst."""
    worst = min((output.snr_db for output in result.outputs.values()), default=math.inf)
    return 10 ** (-worst / 20) if math.isfinite(worst) else (0.0 if worst > 0 else math.inf)


def score(result: Accuracy) -> float:
    """What a bound's max_drop bounds the drop of, from 0 to 1: the task metric, or else the agreement of the best class
    or of what is detected, or else, where an output is no list of classes, 1 less the relative error."""
    if result.task_metric is not None:
        return result.task_metric
    if result.detection_agreement is not None:
        return result.detection_agreement
    if result.top1_agreement is not None:
        return result.top1_agreement
    return max(0.0, 1 - _relative_error(result))


def drop(result: Accuracy) -> float:
    """What a bound's max_drop bounds: of the task metric against the original's, else from full agreement. May be below 0."""
    return (result.task_metric_original if result.task_metric_original is not None else 1.0) - score(result)


def _judge(result: Accuracy, other: Outputs, bound: Bound) -> None:
    faults = []
    if any(values.dtype.kind == "f" and not numpy.isfinite(values).all() for values in other.values()):
        faults.append("answers that are no finite numbers")
    largest = max((output.max_abs for output in result.outputs.values()), default=0.0)
    if bound.atol is not None and not largest <= bound.atol:
        faults.append(f"a difference of {largest:.3g}, more than {bound.atol:g}")
    if bound.max_drop is not None:
        faults += _drops(result, bound.max_drop)
    result.accepted = not faults
    result.reason = "; ".join(faults)


def _drops(result: Accuracy, max_drop: float) -> list[str]:
    lost = drop(result)
    if lost <= max_drop + 1e-12:
        return []
    if result.task_metric is not None:
        return [f"top-1 accuracy drops by {lost * 100:.2f} %, more than {max_drop * 100:g} %"]
    if result.detection_agreement is not None:
        return [f"what is detected agrees for {(1 - lost) * 100:.1f} % of the scores only"]
    if result.top1_agreement is not None:
        return [f"top-1 agrees for {(1 - lost) * 100:.1f} % only"]
    return [f"the error is {_relative_error(result) * 100:.2g} % of the answer (root of squares)"]
