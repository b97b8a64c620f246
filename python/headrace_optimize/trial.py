"""One recipe chain, tried: what came of it."""

import dataclasses
from typing import Any, Optional

from headrace_optimize import measure, model
from headrace_optimize.measure import Measurement
from headrace_optimize.model import Artefact
from headrace_optimize.statistics import Interval

BETTER = "better"
NO_GAIN = "no gain"
SLOWER = "slower"
REJECTED = "rejected"  # for accuracy
FAILED = "failed"
LEFT_OUT = "left out"  # not applicable, or a package is missing


@dataclasses.dataclass
class Trial:
    """A row of the report."""

    chain: list[str]  # names of recipes
    title: str
    verdict: str
    reason: str = ""
    artefact: Optional[Artefact] = None
    measured: Optional[Measurement] = None
    speed_up: Optional[Interval] = None  # of the original's throughput
    made_s: float = 0.0  # how long the recipe took

    @property
    def name(self) -> str:
        """Of the variant."""
        return "-".join(self.chain) or "original"

    @property
    def usable(self) -> bool:
        """Whether it may serve in place of the original."""
        return self.measured is not None and self.verdict in (BETTER, NO_GAIN, SLOWER)

    @property
    def rate(self) -> float:
        """Items per second; 0 where it was not measured."""
        return self.measured.rate.mid if self.measured is not None else 0.0


def judge(measured: Measurement, base: Measurement) -> tuple[str, str, Interval]:
    """Verdict, reason and speed-up. A gain counts when the intervals do not touch."""
    speed_up = measured.rate.over(base.rate)
    if measured.accuracy is not None and not measured.accuracy.accepted:
        return REJECTED, measured.accuracy.reason, speed_up
    if speed_up.low > 1:
        return BETTER, "", speed_up
    if speed_up.high < 1:
        return SLOWER, "", speed_up
    return NO_GAIN, "the intervals touch", speed_up


def to_json(trial: Trial) -> dict[str, Any]:
    """For reports."""
    return {
        "name": trial.name,
        "chain": trial.chain,
        "title": trial.title,
        "verdict": trial.verdict,
        "reason": trial.reason,
        "made_s": round(trial.made_s, 3),
        "speed_up": measure.finite(dataclasses.asdict(trial.speed_up)) if trial.speed_up else None,
        "artefact": model.to_json(trial.artefact) if trial.artefact else None,
        "measured": measure.to_json(trial.measured) if trial.measured else None,
    }
