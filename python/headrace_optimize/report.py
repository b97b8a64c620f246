"""The report as data: one JSON document, of which table and Markdown are views."""

import dataclasses
import datetime
import statistics as python_statistics
from typing import Any

from headrace_optimize import load, machine, measure, model, trial
from headrace_optimize.accuracy import Bound
from headrace_optimize.examples import Examples
from headrace_optimize.model import Source
from headrace_optimize.settings import Settings
from headrace_optimize.trial import Trial
from headrace_optimize.waterfall import Step

SCHEMA_VERSION = 1


@dataclasses.dataclass
class Report:
    """All that a run found out."""

    source: Source
    examples: Examples
    settings: Settings
    original: Trial
    trials: list[Trial]  # without the original, in the order in which they were tried
    steps: list[Step]
    machine: dict[str, Any] = dataclasses.field(default_factory=machine.describe)
    made: str = dataclasses.field(
        default_factory=lambda: datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    )
    interrupted: bool = False

    @property
    def bound(self) -> Bound:
        """What was accepted."""
        return self.settings.bound

    def best(self) -> Trial:
        """The fastest that is accepted and surely faster than the original; or the original."""
        better = [found for found in self.trials if found.verdict == trial.BETTER]
        return max(better, key=lambda found: found.rate, default=self.original)


def to_json(report: Report) -> dict[str, Any]:
    """One object."""
    return {
        "kind": "headrace-optimize",
        "schema_version": SCHEMA_VERSION,
        "made": report.made,
        "interrupted": report.interrupted,
        "model": model.to_json(report.source),
        "machine": report.machine,
        "load_tool": load.TOOL,
        "inputs": {"origin": report.examples.origin, "samples": report.examples.count, "real": report.examples.is_real},
        "bound": dataclasses.asdict(report.bound),
        "seed": report.settings.seed,
        "original": trial.to_json(report.original),
        "trials": [trial.to_json(found) for found in report.trials],
        "waterfall": [
            {
                "stage": step.stage,
                "variant": step.trial.name,
                "gain": measure.finite(dataclasses.asdict(step.gain)),
                "tried": step.tried,
            }
            for step in report.steps
        ],
        "best": report.best().name,
    }


def warnings(report: Report) -> list[str]:
    """What a reader should know before believing the figures."""
    found = list(report.source.warnings)
    if not report.examples.is_real:
        found.append("the inputs are random: accuracy on them says little; give real ones by --inputs")
    elif report.examples.count < 50:
        found.append(f"only {report.examples.count} samples: one answer that differs is {100 / report.examples.count:.1f} %")
    load_average, cores = report.machine["load_average"], report.machine["cores"]
    if load_average > cores * 1.5:
        found.append(f"the machine was busy at the end (load {load_average:g} on {cores} cores): intervals are wide")
    rates = [found.measured.rate for found in (report.original, *report.trials) if found.measured]
    spread = python_statistics.median((r.high - r.low) / max(r.mid, 1e-9) for r in rates) if rates else 0
    if spread > 0.3:
        found.append(f"the middle interval is {spread * 100:.0f} % wide: longer runs (--seconds) would narrow it")
    return found
