"""Variants in a repository: MODEL/VERSION/variants/manifest.json and a folder for each (docs/optimize.md).

The server reads it (src/repository/variant_manifest.h), so both change together.
"""

import datetime
import hashlib
import json
import os
import pathlib
import shutil
from typing import Any, Sequence

from headrace_optimize import accuracy, machine, measure, trial
from headrace_optimize.errors import OptimizeError, UsageError
from headrace_optimize.model import Artefact, Source, original
from headrace_optimize.report import Report
from headrace_optimize.source import VARIANTS
from headrace_optimize.trial import Trial

SCHEMA_VERSION = 1
FILE = "manifest.json"
BEST = "best"
NOT_APPLIED = ""


def digest(path: pathlib.Path) -> str:
    """SHA-256 as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _described(path: pathlib.Path, name: str) -> dict[str, Any]:
    return {"path": name, "byte_size": path.stat().st_size, "sha256": digest(path)}


def _variant(found: Trial, folder: pathlib.Path, source: Source) -> dict[str, Any]:
    artefact, measured = found.artefact, found.measured
    assert artefact is not None and measured is not None and found.speed_up is not None
    own = artefact.file != source.file
    files = []
    if own:
        folder.mkdir(parents=True)
        for path in artefact.files():
            shutil.copyfile(path, folder / path.name)
            files.append(_described(folder / path.name, path.name))
    judged = measured.accuracy
    return {
        "name": found.name,
        "recipes": found.chain,
        "provenance": artefact.provenance,
        "backend": artefact.served_by,
        "file": pathlib.Path(artefact.file).name if own else "",
        "files": files,
        "parameters": _changed(artefact, source),
        **({"instances": artefact.instances} if artefact.instances else {}),
        **({"graph_level": artefact.graph_level} if artefact.graph_level is not None else {}),
        "needs": {
            "architecture": machine.describe()["architecture"],
            "instruction_sets": artefact.instruction_sets,
            "runtimes": artefact.runtimes,
        },
        "accuracy": {"accepted": judged is None or judged.accepted, **measure.finite(_accuracy(judged))},
        "measured": {
            "items_per_s": measured.rate.mid,
            "speed_up": measure.finite({"low": found.speed_up.low, "mid": found.speed_up.mid, "high": found.speed_up.high}),
            "best_batch": measured.best.batch,
            "p50_ms": measured.single.p50_ms,
            "p99_ms": measured.single.p99_ms,
            "rss_bytes": measured.rss_bytes,
        },
    }


def _changed(artefact: Artefact, source: Source) -> dict[str, str]:
    """Parameters that the recipes have set: those of the model's configuration stay with the same backend, and whoever
    changes them there means the variant too."""
    if artefact.served_by != original(source).served_by:
        return artefact.parameters
    return {key: value for key, value in artefact.parameters.items() if source.parameters.get(key) != value}


def _accuracy(judged: Any) -> dict[str, Any]:
    if judged is None:
        return {}
    worst = max((output.max_abs for output in judged.outputs.values()), default=0.0)
    return {
        "samples": judged.samples,
        "drop": accuracy.drop(judged),
        "top1_agreement": judged.top1_agreement,
        "detection_agreement": judged.detection_agreement,
        "task_metric": judged.task_metric,
        "task_metric_original": judged.task_metric_original,
        "max_abs": worst,
    }


def chosen(report: Report, keep: int, applied: str) -> list[Trial]:
    """The variants that are worth their place: accepted and surely faster, and one that is to be applied by name."""
    better = sorted((found for found in report.trials if found.verdict == trial.BETTER), key=lambda t: -t.rate)
    kept = better[:keep]
    if applied not in (BEST, NOT_APPLIED):
        named = [found for found in report.trials if found.name == applied]
        if not named:
            raise UsageError(f"--apply: no variant '{applied}' was tried")
        if not named[0].usable:
            raise UsageError(f"--apply: '{applied}' cannot be used: {named[0].verdict}: {named[0].reason}")
        kept += [found for found in named if found not in kept]
    return kept


def write(report: Report, variants: Sequence[Trial], applied: str, program_version: str = "") -> pathlib.Path:
    """Puts variants, manifest and report into the version's folder, in the place of those that are there, by one rename.

    OptimizeError if that fails; then what was there is as it was. Returns the folder.
    """
    source = report.source
    version = pathlib.Path(source.version_folder)
    target, fresh, old = version / VARIANTS, version / f".{VARIANTS}-{os.getpid()}", version / f".{VARIANTS}-old"
    try:
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
        document = {
            "schema_version": SCHEMA_VERSION,
            "model": source.name,
            "made": {"time": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"), "headrace": program_version},
            "machine": report.machine,
            "source": {"files": [_described(version / name, name) for name in source.source_files]},
            "applied": applied,
            "original": {"items_per_s": report.original.rate},
            "variants": [_variant(found, fresh / found.name, source) for found in variants],
        }
        _write_json(fresh / FILE, document)
        _write_reports(report, fresh)
        shutil.rmtree(old, ignore_errors=True)
        if target.exists():
            target.rename(old)
        fresh.rename(target)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        if old.exists() and not target.exists():
            old.rename(target)
        raise OptimizeError(f"the variants cannot be written to '{version}': {error.strerror or error}") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return target


def _write_json(path: pathlib.Path, document: Any) -> None:
    path.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _write_reports(report: Report, folder: pathlib.Path) -> None:
    from headrace_optimize import report as report_module  # pylint: disable=import-outside-toplevel
    from headrace_optimize import report_text  # pylint: disable=import-outside-toplevel

    _write_json(folder / "report.json", report_module.to_json(report))
    (folder / "report.md").write_text(report_text.markdown(report), encoding="utf-8")


def apply(version_folder: pathlib.Path, applied: str) -> list[str]:
    """Changes what the manifest that is there says is applied; the names of its variants. UsageError if it cannot."""
    path = version_folder / VARIANTS / FILE
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        names = [variant["name"] for variant in document["variants"]]
    except OSError as error:
        raise UsageError(f"there are no variants in '{version_folder}': run headrace optimize first") from error
    except (ValueError, KeyError, TypeError) as error:
        raise OptimizeError(f"'{path}' cannot be read: {error}") from error
    if applied not in (NOT_APPLIED, BEST) and applied not in names:
        raise UsageError(f"there is no variant '{applied}'; there are {', '.join(names) or 'none'}")
    document["applied"] = applied
    fresh = path.with_suffix(f".{os.getpid()}")
    _write_json(fresh, document)
    fresh.rename(path)
    return names
