"""What a recipe is. One class and one file for each; `recipes/__init__.py` lists them."""

import abc
import dataclasses
import pathlib
from typing import Any, Callable, ClassVar, Optional

import numpy

from headrace_optimize import examples, machine
from headrace_optimize.errors import OptimizeError
from headrace_optimize.model import Artefact, Source

# The order of the waterfall: what changes nothing comes before what changes numbers, settings come last.
STAGES = ("layout", "graph", "runtime", "precision", "sparsity", "settings")


@dataclasses.dataclass
class Context:
    """What a recipe may use, in its child process."""

    source: Source
    folder: pathlib.Path  # for what it makes; exists
    examples_file: pathlib.Path  # .npz: one array for each input, samples first
    calibration_samples: int
    prune_amount: float
    max_drop: float
    seconds_max: float  # after which the process is killed, with whatever it has
    tell: Callable[[str], None]  # of progress, a line

    def examples(self) -> dict[str, numpy.ndarray]:
        """All of them."""
        return examples.load(self.examples_file)[0]

    def labels(self) -> Optional[numpy.ndarray]:
        """Of all examples; None where there are none."""
        return examples.load(self.examples_file)[1]

    def calibration(self) -> list[dict[str, numpy.ndarray]]:
        """Inputs of single calls (a batch of one where the model batches)."""
        arrays = self.examples()
        count = min(self.calibration_samples, len(next(iter(arrays.values()))))
        if self.source.batches:
            return [{name: values[i : i + 1] for name, values in arrays.items()} for i in range(count)]
        return [{name: values[i] for name, values in arrays.items()} for i in range(count)]


class Recipe(abc.ABC):
    """One switch. `apply` runs in a child process and may take its time, fail or crash."""

    name: ClassVar[str]  # becomes part of a variant's folder: letters, digits, '_'
    title: ClassVar[str]
    stage: ClassVar[str]
    takes: ClassVar[tuple[str, ...]]  # kinds of artefacts
    packages: ClassVar[tuple[str, ...]] = ()  # of Python, without which it cannot run
    needs_data: ClassVar[bool] = False  # real inputs, to calibrate with
    traces: ClassVar[bool] = False  # follows one call: lost on models whose control flow depends on their input
    instead_of: ClassVar[str] = ""  # another recipe, whose result must have been too inaccurate before this is tried
    risk: ClassVar[str] = "none"  # what may become of the answers

    def why_not(self, artefact: Artefact, source: Source) -> str:
        """Why it makes no sense here; empty if it does. Cheap, in the parent process."""
        del artefact, source
        return ""

    @abc.abstractmethod
    def apply(self, artefact: Artefact, context: Context) -> Artefact:
        """The next artefact. NotApplicable and OptimizeError say why there is none; any other failure is told too."""

    def missing_packages(self) -> list[str]:
        """Of `packages`, those that are not installed."""
        return [package for package in self.packages if not machine.version_of(package)]

    def provenance(self, **facts: Any) -> dict[str, Any]:
        """What is recorded: versions of the packages, and the facts."""
        return {"versions": {package: machine.version_of(package) for package in self.packages}, **facts}


def ensure_made(path: pathlib.Path) -> str:
    """The path, if there is a file."""
    if not path.is_file() or path.stat().st_size == 0:
        raise OptimizeError(f"nothing was written to '{path.name}'")
    return str(path)
