"""Makes and measures chains of recipes, each once."""

import pathlib
import time
from typing import Optional, Sequence

from headrace_optimize import children, model, trial
from headrace_optimize.errors import NotApplicable, OptimizeError, in_one_line
from headrace_optimize.examples import Examples
from headrace_optimize.measure import Bench, Measurement
from headrace_optimize.model import Artefact, Source
from headrace_optimize.progress import Progress
from headrace_optimize.recipes.base import Recipe
from headrace_optimize.settings import Settings
from headrace_optimize.trial import Trial


class Runner:
    """Keeps every trial by its chain, so that the waterfall does not measure again what stood alone before."""

    def __init__(self, source: Source, examples: Examples, settings: Settings, bench: Bench, progress: Progress):
        self._source = source
        self._settings = settings
        self._bench = bench
        self._progress = progress
        self._examples_file = settings.work / "examples.npz"
        examples.save(self._examples_file)
        self._real = examples.is_real
        self._artefacts: dict[tuple[str, ...], Artefact] = {(): model.original(source)}
        self._failures: dict[tuple[str, ...], Trial] = {}
        self._made_s: dict[tuple[str, ...], float] = {}
        self.trials: dict[tuple[str, ...], Trial] = {}

    @property
    def base(self) -> Measurement:
        """Of the original. Requires measure_original()."""
        measured = self.trials[()].measured
        assert measured is not None
        return measured

    def measure_original(self) -> Trial:
        """The first thing to do. OptimizeError if it cannot be served: then nothing can be compared."""
        self._progress.phase("original: serving and measuring")
        measured = self._bench.run(self._artefacts[()])
        self.trials[()] = Trial([], "original", trial.BETTER, artefact=self._artefacts[()], measured=measured)
        self._progress.trial(self.trials[()])
        return self.trials[()]

    def run(self, chain: Sequence[Recipe]) -> Trial:
        """Makes what is missing of the chain and measures its end. Never fails: the trial says why not."""
        key = tuple(recipe.name for recipe in chain)
        if key not in self.trials:
            self.trials[key] = self._try(chain, key)
            self._progress.trial(self.trials[key])
        return self.trials[key]

    def _try(self, chain: Sequence[Recipe], key: tuple[str, ...]) -> Trial:
        for length in range(1, len(chain) + 1):
            failed = self._make(chain[:length])
            if failed is not None:
                return Trial(list(key), chain[-1].title, failed.verdict, failed.reason)
        artefact = self._artefacts[key]
        made_s = sum(self._made_s[key[:length]] for length in range(1, len(key) + 1))
        self._progress.phase(f"{'-'.join(key)}: serving and measuring")
        try:
            measured = self._bench.run(artefact)
        except (OptimizeError, OSError, ValueError) as error:
            reason = f"cannot be served: {in_one_line(error)}"
            return Trial(list(key), chain[-1].title, trial.FAILED, reason, artefact, made_s=made_s)
        verdict, reason, speed_up = trial.judge(measured, self.base)
        return Trial(list(key), chain[-1].title, verdict, reason, artefact, measured, speed_up, made_s)

    def _make(self, chain: Sequence[Recipe]) -> Optional[Trial]:
        """The artefact of the chain; not None: why there is none."""
        key = tuple(recipe.name for recipe in chain)
        if key in self._artefacts:
            return None
        if key in self._failures:
            return self._failures[key]
        recipe, before = chain[-1], self._artefacts[key[:-1]]
        verdict, reason = trial.LEFT_OUT, self._why_not(recipe, before)
        if not reason:
            self._progress.phase(f"{'-'.join(key)}: making it")
            start = time.monotonic()
            try:
                self._artefacts[key] = self._apply(recipe, before, key)
                self._made_s[key] = time.monotonic() - start
                return None
            except NotApplicable as error:
                reason = str(error)
            except (OptimizeError, OSError) as error:
                verdict, reason = trial.FAILED, in_one_line(error)
        self._failures[key] = Trial(list(key), recipe.title, verdict, reason)
        return self._failures[key]

    def _why_not(self, recipe: Recipe, before: Artefact) -> str:
        if missing := recipe.missing_packages():
            return f"needs the Python package {' and '.join(missing)}: tools/setup.sh --optimize, or pip install it"
        if before.kind not in recipe.takes:
            return f"takes {' or '.join(recipe.takes)}, not {before.kind}"
        if recipe.traces and self._source.detects:
            return "what a detector does depends on what it finds: following one call does not show it"
        return recipe.why_not(before, self._source)

    def _apply(self, recipe: Recipe, before: Artefact, key: tuple[str, ...]) -> Artefact:
        folder: pathlib.Path = self._settings.work / "made" / "-".join(key)
        job = {
            "action": "recipe",
            "recipe": recipe.name,
            "source": model.to_json(self._source),
            "artefact": model.to_json(before),
            "folder": str(folder),
            "examples": str(self._examples_file),
            "calibration_samples": self._settings.calibration_samples,
            "prune_amount": self._settings.prune_amount,
            "max_drop": self._settings.bound.max_drop or 0.0,
            "seconds_max": self._settings.recipe_seconds_max,
        }
        name = "-".join(key)
        answer = children.run(
            job,
            self._settings.work / "jobs",
            self._settings.recipe_seconds_max,
            lambda text: self._progress.phase(f"{name}: {text}"),
        )
        made = model.artefact_from_json(answer["artefact"])
        if recipe.needs_data and not self._real:
            made.notes.append("calibrated on random inputs: give real ones by --inputs")
        return made
