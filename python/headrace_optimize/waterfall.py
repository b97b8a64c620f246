"""Which chains are tried: each recipe on the original, then one on top of the other."""

import dataclasses
from typing import Optional, Sequence

from headrace_optimize import recipes, trial
from headrace_optimize.model import Source
from headrace_optimize.recipes.base import STAGES, Recipe
from headrace_optimize.runner import Runner
from headrace_optimize.statistics import Interval
from headrace_optimize.trial import Trial

_CONVERTING = "runtime"  # the stage of the recipes that make artefacts of another kind


@dataclasses.dataclass
class Step:
    """One stage of the waterfall: the recipe that gained the most there."""

    stage: str
    trial: Trial
    gain: Interval  # over the step before
    tried: list[str]  # names of all that were tried in this stage
    added: list[str]  # what the chain has more than that of the step before: the recipe, maybe with a conversion before it


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


def _ways(chosen: Sequence[Recipe], stage: str, kind: str) -> list[list[Recipe]]:
    """What may come next: the stage's recipes for artefacts of this kind. Those of the stages after the conversions may
    bring one along, whose own speed is no gain: int8 pays though the runtime that computes it is no faster in floats."""
    converts = STAGES.index(stage) > STAGES.index(_CONVERTING)
    ways = [recipes.chain_for(recipe, kind) for recipe in chosen if recipe.stage == stage]
    return [way for way in ways if len(way) == 1 or (way and converts)]


def run(runner: Runner, chosen: Sequence[Recipe]) -> list[Step]:
    """Greedy: stage by stage, the best recipe of each is kept where it gains. Requires the original's measurement."""
    current, chain = runner.trials[()], list[Recipe]()
    steps = []
    for stage in STAGES:
        assert current.artefact is not None
        kind = current.artefact.kind
        ways = _ways(chosen, stage, kind)
        tried = [_try(runner, [*chain, *way]) for way in ways]
        best = _best_of(tried, current)
        if best is None:
            continue
        assert best.measured is not None and current.measured is not None
        gain = best.measured.rate.over(current.measured.rate)
        steps.append(Step(stage, best, gain, [way[-1].name for way in ways], best.chain[len(chain) :]))
        chain = [recipes.find(name) for name in best.chain]
        current = best
    return steps
