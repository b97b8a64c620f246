"""What detectors find: boxes of one answer beside those of another.

Answers are outputs as the pytorch backend gives them for a model with DETECTIONS: boxes [n, k, 4] (x1, y1, x2, y2), labels
[n, k] and scores [n, k] of n samples, filled up to the largest number k of detections, and count [n, 1] with how many
each sample has.
"""

import dataclasses
from typing import Mapping, Sequence

import numpy

Outputs = Mapping[str, numpy.ndarray]
NAMES = ("boxes", "labels", "scores", "count")
_OVERLAP_MIN = 0.5  # of two boxes that are one detection: intersection over union, as mAP@50 has it


@dataclasses.dataclass
class Agreement:
    """Of two answers to the same samples."""

    share: float  # of all scores that both give to the same detections, 0 to 1
    by_sample: numpy.ndarray  # the same of each sample
    # Of the detections that both have found, one row each, in the same order:
    original: dict[str, numpy.ndarray]  # boxes [m, 4], scores [m]
    other: dict[str, numpy.ndarray]


def joined(parts: Sequence[numpy.ndarray]) -> numpy.ndarray:
    """Answers to single samples [1, k, ...] as one array, filled up with zeros to the largest k."""
    most = max((part.shape[1] for part in parts if part.ndim > 1), default=0)
    filled = [numpy.pad(part, [(0, 0), (0, most - part.shape[1])] + [(0, 0)] * (part.ndim - 2)) for part in parts]
    return numpy.concatenate(filled)


def overlaps(one: numpy.ndarray, others: numpy.ndarray) -> numpy.ndarray:
    """Intersection over union of a box [4] with each of [m, 4]."""
    sides = numpy.minimum(one[2:], others[:, 2:]) - numpy.maximum(one[:2], others[:, :2])
    shared = numpy.clip(sides, 0, None).prod(axis=1)
    union = (one[2:] - one[:2]).prod() + (others[:, 2:] - others[:, :2]).prod(axis=1) - shared
    return numpy.divide(shared, union, out=numpy.zeros_like(shared), where=union > 0)


def _found(outputs: Outputs, sample: int) -> dict[str, numpy.ndarray]:
    count = int(outputs["count"][sample, 0])
    found = {name: outputs[name][sample, :count] for name in NAMES[:-1]}
    found["boxes"] = found["boxes"].astype(numpy.float64)
    found["scores"] = found["scores"].astype(numpy.float64)
    return found


def _pairs(original: dict[str, numpy.ndarray], other: dict[str, numpy.ndarray]) -> list[tuple[int, int]]:
    """The surest first, each takes the box of its class that it overlaps most, of those that are left."""
    free = numpy.ones(len(other["labels"]), bool)
    pairs = []
    for i in numpy.argsort(-original["scores"], kind="stable"):
        same = numpy.flatnonzero(free & (other["labels"] == original["labels"][i]))
        if not same.size:
            continue
        shared = overlaps(original["boxes"][i], other["boxes"][same])
        best = int(shared.argmax())
        if shared[best] >= _OVERLAP_MIN:
            free[same[best]] = False
            pairs.append((int(i), int(same[best])))
    return pairs


def agreement(original: Outputs, other: Outputs) -> Agreement:
    """A detection counts by its score, so that a sure one that is lost weighs more than one at the threshold."""
    rows: tuple[list[numpy.ndarray], ...] = ([], [], [], [])
    shared, given = [], []
    for sample in range(len(original["count"])):
        before, after = _found(original, sample), _found(other, sample)
        pairs = _pairs(before, after)
        first, second = (numpy.array([pair[side] for pair in pairs], int) for side in (0, 1))
        for kept, values in zip(rows, (before["boxes"][first], before["scores"][first], after["boxes"][second], after["scores"][second])):
            kept.append(values)
        shared.append(2 * numpy.minimum(before["scores"][first], after["scores"][second]).sum())
        given.append(before["scores"].sum() + after["scores"].sum())
    shares, totals = numpy.array(shared), numpy.array(given)
    by_sample = numpy.divide(shares, totals, out=numpy.ones_like(shares), where=totals > 0)
    boxes, scores, other_boxes, other_scores = (numpy.concatenate(kept) for kept in rows)
    return Agreement(
        share=float(shares.sum() / totals.sum()) if totals.sum() > 0 else 1.0,
        by_sample=by_sample,
        original={"boxes": boxes, "scores": scores},
        other={"boxes": other_boxes, "scores": other_scores},
    )
