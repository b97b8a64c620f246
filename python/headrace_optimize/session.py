"""One run of `headrace optimize MODEL`, from the model to the report."""

import argparse
import contextlib
import pathlib
import tempfile
from typing import Iterator, Sequence

from headrace_optimize import arguments, examples, source, waterfall
from headrace_optimize.measure import Bench
from headrace_optimize.progress import Progress
from headrace_optimize.recipes.base import Recipe
from headrace_optimize.report import Report
from headrace_optimize.runner import Runner
from headrace_optimize.settings import Settings
from headrace_optimize.trial import Trial


@contextlib.contextmanager
def settings_of(options: argparse.Namespace) -> Iterator[Settings]:
    """With a work directory that goes with it."""
    with tempfile.TemporaryDirectory(prefix="headrace-optimize-", dir=options.work_dir) as folder:
        yield Settings(
            work=pathlib.Path(folder),
            bound=arguments.bound_of(options),
            seconds=options.seconds,
            recipe_seconds_max=options.recipe_seconds_max,
            batches=options.batches,
            calibration_samples=options.calibration_samples,
            prune_amount=options.prune_amount,
            batch_size_max=options.max_batch_size,
        )


class Session:
    """Reads model and inputs at once: UsageError says what is wrong with them."""

    def __init__(self, options: argparse.Namespace, settings: Settings, progress: Progress):
        progress.phase("reading the model")
        self.source = source.read(arguments.request_of(options), settings)
        self.examples = examples.read(self.source, options.inputs, options.labels, options.samples)
        self.settings = settings
        self.progress = progress
        bench = Bench(self.source, self.examples, settings)
        self.runner = Runner(self.source, self.examples, settings, bench, progress)

    def run(self, chosen: Sequence[Recipe], singles: bool, cumulative: bool) -> Report:
        """OptimizeError if the original cannot be served. Ctrl-C keeps what is known."""
        original = self.runner.measure_original()
        others: list[Trial] = []
        steps: list[waterfall.Step] = []
        interrupted = False
        try:
            if singles:
                others += waterfall.singles(self.runner, self.source, chosen)
            if cumulative:
                steps = waterfall.run(self.runner, chosen)
        except KeyboardInterrupt:
            interrupted = True
        known = {found.name: found for found in others}
        known.update({found.name: found for key, found in self.runner.trials.items() if key})
        self.progress.done()
        return Report(
            source=self.source,
            examples=self.examples,
            settings=self.settings,
            original=original,
            trials=list(known.values()),
            steps=steps,
            interrupted=interrupted,
        )
