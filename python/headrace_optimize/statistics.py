"""Percentiles and intervals."""

import dataclasses
import math
from typing import Sequence

# Two-sided 95 % of Student's distribution, by degrees of freedom.
_T95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131)

_TICK_S = 1e-6  # requests that end together


@dataclasses.dataclass(frozen=True)
class Interval:
    """A mean with its 95 % confidence interval."""

    low: float
    mid: float
    high: float

    def over(self, other: "Interval") -> "Interval":
        """The ratio, taken at the far ends: it holds at least as often as the two."""
        if other.low <= 0 or other.mid <= 0 or other.high <= 0:
            return Interval(0.0, 0.0, math.inf)
        return Interval(self.low / other.high, self.mid / other.mid, self.high / other.low)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of them do not exceed; NaN of nothing."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def mean_interval(values: Sequence[float]) -> Interval:
    """Of independent values. One value has no interval that means anything: it is from 0 to infinity."""
    if not values:
        return Interval(0.0, 0.0, 0.0)
    mean = math.fsum(values) / len(values)
    half = _half_width(values)
    return Interval(max(0.0, mean - half), mean, mean + half)


def _half_width(values: Sequence[float]) -> float:
    """Of the mean's interval; infinite for one value."""
    if len(values) < 2:
        return math.inf
    mean = math.fsum(values) / len(values)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))
    t = _T95[len(values) - 2] if len(values) - 2 < len(_T95) else 1.96
    return t * deviation / math.sqrt(len(values))


def rate_interval(ends: Sequence[float], items_each: int, groups: int = 10) -> Interval:
    """Items per second from the times at which requests ended: the run is cut into groups of equally many requests.

    Of logarithms, since rates are never negative and stalls make them lopsided.
    """
    ordered = sorted(ends)
    count = min(groups, len(ordered) - 1)
    if count < 1:
        return Interval(0.0, 0.0, 0.0)
    cuts = [round(i * (len(ordered) - 1) / count) for i in range(count + 1)]
    rates = []
    for start, end in zip(cuts, cuts[1:]):
        seconds = max(ordered[end] - ordered[start], _TICK_S)
        rates.append(math.log((end - start) * items_each / seconds))
    whole = (len(ordered) - 1) * items_each / max(ordered[-1] - ordered[0], _TICK_S)
    around = min(_half_width(rates), 700.0)  # beyond it exp() overflows
    return Interval(whole * math.exp(-around), whole, whole * math.exp(around))
