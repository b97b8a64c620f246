"""`headrace optimize`: the command line, and what it prints. Exit codes: contracts/tools.md 6.5."""

import argparse
import json
import os
import pathlib
import sys
from typing import Optional, Sequence

from headrace_optimize import arguments, manifest, report_text, repository, short_forms
from headrace_optimize import report as report_module
from headrace_optimize.errors import OptimizeError, UsageError, in_one_line
from headrace_optimize.model import original
from headrace_optimize.progress import Progress
from headrace_optimize.report import Report
from headrace_optimize.session import Session, settings_of
from headrace_optimize.source import source_files

OK, USAGE, FAILED, MISSED, INTERRUPTED = 0, 1, 2, 3, 130


def main(words: Optional[Sequence[str]] = None) -> int:
    """The exit code."""
    given = list(sys.argv[1:] if words is None else words)
    try:
        if given and given[0] in short_forms.COMMANDS and not os.path.exists(given[0]):
            return short_forms.COMMANDS[given[0]](given[1:])
        return _optimize(arguments.parse(given))
    except UsageError as error:
        print(f"headrace optimize: {error}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        print("headrace optimize: interrupted before anything was known", file=sys.stderr)
        return INTERRUPTED
    except (OptimizeError, OSError) as error:
        print(f"headrace optimize: {in_one_line(error)}", file=sys.stderr)
        return FAILED


def _optimize(options: argparse.Namespace) -> int:
    progress = Progress(options.quiet)
    chosen = arguments.chosen_recipes(options)
    with settings_of(options) as settings:
        session = Session(options, settings, progress)
        if options.output is not None:
            _place(session, options.output)
        found = session.run(chosen, singles=not options.no_singles, cumulative=not options.no_waterfall)
        written = _write(found, options)
    _print(found, options)
    hint = _hint(found, written, options)
    if not options.quiet:
        print(hint, file=sys.stderr if options.json == "-" else sys.stdout)
    if found.interrupted:
        return INTERRUPTED
    best = found.best()
    if options.min_speed_up is not None and (best.speed_up.mid if best.speed_up else 1.0) < options.min_speed_up:
        print(f"headrace optimize: the best is below --min-speed-up {options.min_speed_up:g}", file=sys.stderr)
        return MISSED
    return OK


def _place(session: Session, folder: pathlib.Path) -> None:
    """Makes the file's model one of a repository, so that its variants have a place."""
    if session.source.version_folder:
        raise UsageError("--output is for files; this model is in a repository already")
    if (folder / session.source.name).exists():
        raise UsageError(f"'{folder / session.source.name}' exists; name another --output")
    made = repository.write_model(folder, session.source.name, session.source, original(session.source))
    session.source.version_folder = str(made / "1")
    session.source.source_files = source_files(made / "1")


def _write(found: Report, options: argparse.Namespace) -> Optional[pathlib.Path]:
    if options.dry_run or not found.source.version_folder:
        if options.apply:
            raise UsageError("--apply needs a model of a repository, and no --dry-run (--output makes one of a file)")
        return None
    return manifest.write(found, manifest.chosen(found, options.keep, options.apply), options.apply, _version())


def _version() -> str:
    return os.environ.get("HEADRACE_VERSION", "")


def _print(found: Report, options: argparse.Namespace) -> None:
    document = json.dumps(report_module.to_json(found), indent=1)
    if options.json == "-":
        print(document)
    else:
        print(report_text.terminal(found))
        print(report_text.summary(found))
        if options.json:
            pathlib.Path(options.json).write_text(document + "\n", encoding="utf-8")
    if options.markdown is not None:
        options.markdown.write_text(report_text.markdown(found), encoding="utf-8")


def _hint(found: Report, written: Optional[pathlib.Path], options: argparse.Namespace) -> str:
    model = pathlib.Path(found.source.version_folder).parent if found.source.version_folder else None
    if written is None:
        return "next: --output DIR (or a model of a repository) keeps the variants" if model is None else "nothing was written"
    if not found.best().chain:
        return f"next: headrace bench or headrace tune on '{found.source.name}' as it is; the report is in {written}"
    if options.apply:
        return f"next: headrace serve --model-repository={model.parent if model else ''} serves the variant; report: {written}/report.md"
    return f"next: headrace optimize apply {model} puts it in force; report: {written}/report.md"
