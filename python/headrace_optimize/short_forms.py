"""The commands of torchprep, doing what their names say, and what goes with variants."""

import argparse
import json
import pathlib
import shutil
import sys
from typing import Callable, Sequence

from headrace_optimize import arguments, machine, manifest, recipes, report_text
from headrace_optimize import report as report_module
from headrace_optimize.errors import OptimizeError, UsageError
from headrace_optimize.model import ONNX, OPENVINO, TORCHSCRIPT, Source
from headrace_optimize.progress import Progress
from headrace_optimize.recipes.base import Recipe
from headrace_optimize.report import Report
from headrace_optimize.session import Session, settings_of

_QUANTIZE = {
    "int8": {TORCHSCRIPT: "int8", ONNX: "int8", OPENVINO: "int8"},
    "int8-dynamic": {TORCHSCRIPT: "int8_dynamic", ONNX: "int8_dynamic"},
    "bf16": {TORCHSCRIPT: "bf16", ONNX: "openvino_bf16", OPENVINO: "openvino_bf16"},
    "float16": {TORCHSCRIPT: "fp16", ONNX: "openvino_fp16", OPENVINO: "openvino_fp16"},
}


def _parser(command: str, text: str) -> arguments.Parser:
    parser = arguments.Parser(prog=f"headrace optimize {command}", description=text)
    arguments.add_model(parser)
    return parser


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output-name", type=pathlib.Path, metavar="FILE", help="where the result goes")


def _one(options: argparse.Namespace, choose: Callable[[Source], Recipe]) -> int:
    """Tries one recipe against the original, and writes its file."""
    progress = Progress(options.quiet)
    with settings_of(options) as settings:
        session = Session(options, settings, progress)
        chosen = choose(session.source)
        found = session.run([chosen], singles=True, cumulative=False)
        done = found.trials[-1]
        _show(found, options)
        if done.artefact is None or done.measured is None:
            raise OptimizeError(f"{chosen.name}: {done.verdict}: {done.reason}")
        if done.verdict == "rejected":
            print(f"headrace optimize: not written: {done.reason} (--max-drop, --atol)", file=sys.stderr)
            return 3
        if done.artefact.file == session.source.file:
            print(f"the file stays as it is; serve it with {done.artefact.parameters}")
            return 0
        first, *more = done.artefact.files()
        target = options.output_name or pathlib.Path(f"{session.source.name}-{done.name}{first.suffix}")
        shutil.copyfile(first, target)
        for path in more:
            shutil.copyfile(path, target.with_suffix(path.suffix))
        settings_text = f"; serve it with the parameters {done.artefact.parameters}" if done.artefact.parameters else ""
        print(f"written: {target}, for the {done.artefact.served_by} backend{settings_text}")
    return 0


def _show(found: Report, options: argparse.Namespace) -> None:
    if options.json == "-":
        print(json.dumps(report_module.to_json(found), indent=1))
        return
    print(report_text.terminal(found))
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(report_module.to_json(found)) + "\n", encoding="utf-8")


def quantize(words: Sequence[str]) -> int:
    """quantize MODEL int8|int8-dynamic|bf16|float16"""
    parser = _parser("quantize", "Makes the model compute in a lower precision, and says what it costs and brings.")
    parser.add_argument("precision", choices=sorted(_QUANTIZE), metavar="PRECISION", help=", ".join(sorted(_QUANTIZE)))
    _add_output(parser)
    options = parser.parse_args(list(words))

    def choose(source: Source) -> Recipe:
        name = _QUANTIZE[options.precision].get(source.kind)
        if name is None:
            raise UsageError(f"a model of kind {source.kind} cannot be quantised to {options.precision}")
        return recipes.find(name)

    return _one(options, choose)


def prune(words: Sequence[str]) -> int:
    """prune MODEL --prune-amount 30%"""
    parser = _parser("prune", "Sets the smallest weights to zero, for good. The file packs better; nothing becomes faster.")
    _add_output(parser)
    return _one(parser.parse_args(list(words)), lambda _: recipes.find("prune"))


def fuse(words: Sequence[str]) -> int:
    """fuse MODEL"""
    parser = _parser("fuse", "Folds constants and normalisations, fuses operators, and saves what can be saved.")
    _add_output(parser)
    options = parser.parse_args(list(words))
    return _one(options, lambda source: recipes.find("ort_optimized" if source.kind == ONNX else "freeze"))


def profile(words: Sequence[str]) -> int:
    """profile MODEL: how fast it is as it is."""
    parser = _parser("profile", "Serves the model and measures it: load, first answer, memory, latency, throughput.")
    parser.add_argument("--iterations", type=int, metavar="N", help="no effect: --seconds says how long")
    options = parser.parse_args(list(words))
    if options.iterations is not None:
        print("headrace optimize profile: --iterations has no effect; --seconds says how long", file=sys.stderr)
    with settings_of(options) as settings:
        session = Session(options, settings, Progress(options.quiet))
        _show(session.run([], singles=False, cumulative=False), options)
    return 0


def apply(words: Sequence[str]) -> int:
    """apply MODEL [best|off|NAME]"""
    parser = arguments.Parser(
        prog="headrace optimize apply", description="Says which variant of a model the server takes from now on."
    )
    parser.add_argument("model", type=pathlib.Path, metavar="MODEL", help="a model's folder")
    parser.add_argument("variant", nargs="?", default=manifest.BEST, help="best (the default), off, or a name")
    parser.add_argument("--version", type=int, metavar="N", help="default the newest")
    options = parser.parse_args(list(words))
    folder = options.model
    versions = sorted(int(entry.name) for entry in folder.iterdir() if entry.name.isdigit()) if folder.is_dir() else []
    if not versions:
        raise UsageError(f"'{folder}' is no model's folder")
    names = manifest.apply(
        folder / str(options.version or versions[-1]), manifest.NOT_APPLIED if options.variant == "off" else options.variant
    )
    print(f"{folder.name}: {options.variant} is in force at the next load (variants: {', '.join(names) or 'none'})")
    return 0


def env(words: Sequence[str]) -> int:
    """env: what this machine has, and what to set."""
    parser = arguments.Parser(prog="headrace optimize env", description="What this machine has that matters to speed.")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(list(words))
    facts = machine.describe()
    facts["recipes"] = {recipe.name: recipe.missing_packages() for recipe in recipes.ALL}
    facts["compiler"] = shutil.which("g++") or shutil.which("clang++") or ""
    if options.json:
        print(json.dumps(facts, indent=1))
        return 0
    have = set(facts["instruction_sets"])
    print(f"processor   {facts['processor']}, {facts['cores']} cores, load {facts['load_average']}")
    print(f"int8        {'pays: ' + ', '.join(sorted(have & set(machine.INT8_SETS))) if have & set(machine.INT8_SETS) else 'no VNNI or AMX: slow'}")
    print(f"bf16        {'pays: ' + ', '.join(sorted(have & set(machine.BF16_SETS))) if have & set(machine.BF16_SETS) else 'emulated: slow'}")
    print(f"fp16        {'pays: ' + ', '.join(sorted(have & set(machine.FP16_SETS))) if have & set(machine.FP16_SETS) else 'emulated: slow'}")
    print(f"packages    {', '.join(f'{name} {version}' for name, version in facts['packages'].items())}")
    print(f"compiler    {facts['compiler'] or 'none: no AOTInductor (install g++)'}")
    for name, missing in facts["recipes"].items():
        if missing:
            print(f"left out    {name}: needs {', '.join(missing)}")
    print("threads     the server gives each instance its cores; nothing need be set in the environment")
    return 0


def list_recipes(words: Sequence[str]) -> int:
    """recipes: what is tried."""
    arguments.Parser(prog="headrace optimize recipes", description="Lists the recipes.").parse_args(list(words))
    head = ["recipe", "what", "stage", "takes", "risk", "needs"]
    rows = []
    for recipe in recipes.ALL:
        needs = [*recipe.packages, *(["inputs"] if recipe.needs_data else [])]
        rows.append([recipe.name, recipe.title, recipe.stage, ", ".join(recipe.takes), recipe.risk, ", ".join(needs)])
    print(report_text.text_table(head, rows))
    return 0


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "quantize": quantize,
    "prune": prune,
    "fuse": fuse,
    "profile": profile,
    "apply": apply,
    "env": env,
    "recipes": list_recipes,
}

