"""Intervals, and what becomes of them in ratios."""

import dataclasses
import math


@dataclasses.dataclass(frozen=True)
class Interval:
    """A mean with its 95 % confidence interval."""

    low: float
    mid: float
    high: float

    def over(self, other: "Interval") -> "Interval":
        """The ratio, taken at the far ends: it holds at least as often as the two."""
        if other.mid <= 0 or other.high <= 0:
            return Interval(0.0, 0.0, math.inf)
        return Interval(self.low / other.high, self.mid / other.mid, self.high / other.low if other.low > 0 else math.inf)
