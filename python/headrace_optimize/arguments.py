"""The command line of `headrace optimize MODEL`."""

import argparse
import pathlib
from typing import NoReturn, Sequence

from headrace_optimize import recipes, source
from headrace_optimize.accuracy import Bound
from headrace_optimize.errors import UsageError

_EXAMPLES = """\
examples:
  headrace optimize models/resnet50 --inputs photographs/
  headrace optimize models/resnet50 --inputs photographs/ --labels labels.txt --max-drop 0.5% --apply
  headrace optimize net.pt --input images:fp32:3x224x224 --output models
short forms: headrace optimize quantize|prune|fuse|profile|apply|env|recipes ... (each takes --help)
"""


class Parser(argparse.ArgumentParser):
    """Faults are UsageErrors: exit code 1, as of all tools here."""

    def error(self, message: str) -> NoReturn:
        """See argparse."""
        raise UsageError(f"{message}; try --help")


def share(text: str) -> float:
    """0.5% or 0.005"""
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError as error:
        raise UsageError(f"'{text}' is no share: 0.5% or 0.005") from error
    if not 0 <= value <= 1:
        raise UsageError(f"'{text}' is not between 0 and 100 %")
    return value


def _numbers(text: str) -> list[int]:
    try:
        values = [int(part) for part in text.split(",")]
    except ValueError as error:
        raise UsageError(f"'{text}' is no list of numbers: 1,4,16") from error
    if any(value < 1 for value in values):
        raise UsageError(f"'{text}': sizes are at least 1")
    return values


def add_model(parser: argparse.ArgumentParser) -> None:
    """What says which model it is, and what it is asked."""
    parser.add_argument("model", type=pathlib.Path, metavar="MODEL", help="a model's folder, an archive, or a file")
    parser.add_argument("--input", action="append", default=[], metavar="NAME:DTYPE:SHAPE", help="of TorchScript files")
    parser.add_argument("--shape", action="append", default=[], metavar="NAME:SHAPE", help="for open dimensions")
    parser.add_argument("--version", type=int, metavar="N", help="of a repository's model; default the newest")
    parser.add_argument("--model-file", type=pathlib.Path, metavar="FILE", help="the Python class of eager weights")
    parser.add_argument("--max-batch-size", type=int, metavar="N", help="of a file or an archive; 0: it does not batch")
    parser.add_argument("--inputs", type=pathlib.Path, metavar="PATH", help="images, .npy or .npz; default random")
    parser.add_argument("--labels", type=pathlib.Path, metavar="FILE", help="class numbers, one a line, or an .npy; -1: not known")
    parser.add_argument("--samples", type=int, default=16, metavar="N", help="of random inputs; default 16")
    parser.add_argument("--max-drop", type=share, default=0.01, metavar="SHARE", help="of accuracy; default 1%%")
    parser.add_argument("--atol", type=float, metavar="X", help="the largest difference of any number; default any")
    parser.add_argument("--seconds", type=float, default=2.0, metavar="S", help="of each load; default 2")
    parser.add_argument("--batches", type=_numbers, metavar="N,N", help="sizes to load with; default 1,4,16,64 up to the model's")
    parser.add_argument("--work-dir", type=pathlib.Path, metavar="DIR", help="for temporary files; default the system's")
    parser.add_argument("--recipe-seconds-max", type=float, default=900.0, metavar="S", help="of one recipe; default 900")
    parser.add_argument("--calibration-samples", type=int, default=300, metavar="N", help="for int8; default 300")
    parser.add_argument("--prune-amount", type=share, default=0.3, metavar="SHARE", help="of weights; default 30%%")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    parser.add_argument("--json", metavar="FILE", help="the report as JSON; - for stdout, in place of the table")


def parse(words: Sequence[str]) -> argparse.Namespace:
    """UsageError says what is wrong."""
    parser = Parser(
        prog="headrace optimize",
        description="Tries each known optimisation of a model, measures it by serving it, compares its answers.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_model(parser)
    parser.add_argument("--recipes", metavar="A,B", help="only these; `headrace optimize recipes` lists them")
    parser.add_argument("--without", metavar="A,B", help="all but these")
    parser.add_argument("--no-waterfall", action="store_true", help="each recipe by itself only")
    parser.add_argument("--no-singles", action="store_true", help="the waterfall only")
    parser.add_argument("--apply", nargs="?", const="best", default="", metavar="NAME", help="serve the best, or NAME, from now on")
    parser.add_argument("--keep", type=int, default=3, metavar="N", help="variants in the repository; default 3")
    parser.add_argument("--dry-run", action="store_true", help="writes no variants")
    parser.add_argument("--output", type=pathlib.Path, metavar="DIR", help="a repository that a file's model is put into")
    parser.add_argument("--markdown", type=pathlib.Path, metavar="FILE", help="the report as a page")
    parser.add_argument("--min-speed-up", type=float, metavar="X", help="exit code 3 if the best is less")
    options = parser.parse_args(list(words))
    _check(options)
    return options


def _check(options: argparse.Namespace) -> None:
    if options.recipes and options.without:
        raise UsageError("--recipes and --without exclude each other")
    if options.no_waterfall and options.no_singles:
        raise UsageError("--no-waterfall and --no-singles leave nothing to do")
    if options.seconds <= 0 or options.samples < 1 or options.keep < 0 or options.calibration_samples < 1:
        raise UsageError("--seconds, --samples, --calibration-samples and --keep must be positive")
    if options.max_batch_size is not None and not 0 <= options.max_batch_size <= 4096:
        raise UsageError("--max-batch-size is from 0 to 4096")


def chosen_recipes(options: argparse.Namespace) -> list[recipes.Recipe]:
    """UsageError for names that there are not."""
    if options.recipes:
        return [recipes.find(name.strip()) for name in options.recipes.split(",")]
    left_out = {recipes.find(name.strip()).name for name in options.without.split(",")} if options.without else set()
    return [recipe for recipe in recipes.ALL if recipe.name not in left_out]


def request_of(options: argparse.Namespace) -> source.Request:
    """The model that is named."""
    return source.Request(
        path=options.model,
        inputs=[source.parse_input(text) for text in options.input],
        shapes=dict(source.parse_shape(text) for text in options.shape),
        version=options.version,
        model_file=options.model_file,
    )


def bound_of(options: argparse.Namespace) -> Bound:
    """What is accepted."""
    return Bound(max_drop=options.max_drop, atol=options.atol)
