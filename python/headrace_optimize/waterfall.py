"""Which chains are tried: each recipe on the original, then one on top of the other."""

import dataclasses
from typing import Optional, Sequence

from headrace_optimize import recipes, trial
from headrace_optimize.model import Source
from headrace_optimize.recipes.base import STAGES, Recipe
from headrace_optimize.runner import Runner
from headrace_optimize.statistics import Interval
from headrace_optimize.trial import Trial


@dataclasses.dataclass
class Step:
    """One stage of the waterfall: the recipe that gained the most there."""

    stage: str
    trial: Trial
    gain: Interval  # over the step before
    tried: list[str]  # names of all that were tried in this stage


def _try(runner: Runner, chain: Sequence[Recipe]) -> Trial:
    """Runs it, unless it stands in for a recipe that did well."""
    recipe = chain[-1]
    if recipe.instead_of:
        before = runner.run([*chain[:-1], recipes.find(recipe.instead_of)])
        if before.usable:
            names = [step.name for step in chain]
            return Trial(names, recipe.title, trial.LEFT_OUT, f"{recipe.instead_of} is accurate enough")
    return runner.run(chain)


def singles(runner: Runner, source: Source, chosen: Sequence[Recipe]) -> list[Trial]:
    """Each recipe by itself, with the conversion that it needs."""
    trials = []
    for recipe in chosen:
        chain = recipes.chain_for(recipe, source.kind)
        if chain:
            trials.append(_try(runner, chain))
        else:
            reason = f"takes {' or '.join(recipe.takes)}, not {source.kind}"
            trials.append(Trial([recipe.name], recipe.title, trial.LEFT_OUT, reason))
    return trials


def _best_of(tried: Sequence[Trial], current: Trial) -> Optional[Trial]:
    """The fastest that is accepted and surely faster than what is there."""
    usable = [found for found in tried if found.usable and found.measured is not None]
    if not usable or current.measured is None:
        return None
    best = max(usable, key=lambda found: found.rate)
    assert best.measured is not None
    return best if best.measured.rate.over(current.measured.rate).low > 1 else None


def run(runner: Runner, chosen: Sequence[Recipe]) -> list[Step]:
    """Greedy: stage by stage, the best recipe of each is kept where it gains. Requires the original's measurement."""
    current, chain = runner.trials[()], list[Recipe]()
    steps = []
    for stage in STAGES:
        assert current.artefact is not None
        kind = current.artefact.kind
        candidates = [recipe for recipe in chosen if recipe.stage == stage and kind in recipe.takes]
        tried = [_try(runner, [*chain, recipe]) for recipe in candidates]
        best = _best_of(tried, current)
        if best is None:
            continue
        assert best.measured is not None and current.measured is not None
        gain = best.measured.rate.over(current.measured.rate)
        steps.append(Step(stage, best, gain, [recipe.name for recipe in candidates]))
        chain = [recipes.find(name) for name in best.chain]
        current = best
    return steps
