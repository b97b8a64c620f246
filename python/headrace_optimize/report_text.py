"""The report for a terminal and as Markdown."""

import math
from typing import Callable, Optional, Sequence

from headrace_optimize import load
from headrace_optimize import report as report_module
from headrace_optimize.accuracy import Accuracy
from headrace_optimize.report import Report
from headrace_optimize.statistics import Interval
from headrace_optimize.trial import Trial

Rows = list[list[str]]
_HEAD = [
    "variant", "verdict", "items/s", "speed-up (95 %)", "batch", "p50 ms", "p99 ms", "p50 ms, b=1", "p99 ms, b=1",
    "load s", "first s", "file MB", "RSS MB",
]  # fmt: skip
_ACCURACY_HEAD = ["variant", "agrees", "accuracy", "max |d|", "mean |d|", "cosine", "SNR dB", "worst samples"]


def number(value: float, digits: int = 3) -> str:
    """With so many significant digits, and never in powers of ten for common sizes."""
    if not math.isfinite(value):
        return "inf" if value > 0 else "-"
    if value == 0:
        return "0"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:.{places}f}" if places <= 6 else f"{value:.{digits - 1}e}"


def interval(found: Optional[Interval]) -> str:
    """1.23 (1.10 to 1.34)"""
    return f"{found.mid:.2f} ({found.low:.2f} to {found.high:.2f})" if found else ""


def _speed_row(found: Trial) -> list[str]:
    if found.measured is None:
        return [found.name, found.verdict, *[""] * (len(_HEAD) - 2)]
    measured = found.measured
    return [
        found.name,
        found.verdict if found.chain else "",
        number(measured.rate.mid),
        interval(found.speed_up),
        str(measured.best.batch),
        number(measured.best.p50_ms),
        number(measured.best.p99_ms),
        number(measured.single.p50_ms),
        number(measured.single.p99_ms),
        number(measured.load_s),
        number(measured.first_answer_s),
        number(measured.file_bytes / 1e6),
        number(measured.rss_bytes / 1e6),
    ]


def _share(value: Optional[float]) -> str:
    return f"{value * 100:.1f} %" if value is not None else ""


def _worst(found: Accuracy) -> str:
    rows = []
    for row in found.worst[:3]:
        changed = row.get("class_original") != row.get("class")
        rows.append(f"{row['sample']}" + (f" ({row['class_original']} -> {row['class']})" if changed else ""))
    return ", ".join(rows)


def _accuracy_row(found: Trial) -> Optional[list[str]]:
    judged = found.measured.accuracy if found.measured else None
    if judged is None or not judged.outputs:
        return None
    worst = max(judged.outputs.values(), key=lambda output: output.max_abs)
    metric = ""
    if judged.task_metric is not None:
        metric = f"{_share(judged.task_metric)} (was {_share(judged.task_metric_original)})"
    return [
        found.name,
        _share(judged.top1_agreement if judged.detection_agreement is None else judged.detection_agreement),
        metric,
        number(worst.max_abs, 2),
        number(worst.mean_abs, 2),
        f"{worst.cosine:.5f}",
        "inf" if math.isinf(worst.snr_db) else f"{worst.snr_db:.1f}",
        _worst(judged),
    ]


def _waterfall_rows(report: Report) -> Rows:
    rows: Rows = [["original", number(report.original.rate), "", "1.00"]]
    base = report.original.rate or math.nan
    for step in report.steps:
        rows.append(
            [f"+ {', '.join(step.added)}", number(step.trial.rate), interval(step.gain), f"{step.trial.rate / base:.2f}"]
        )
    return rows


def text_table(head: Sequence[str], rows: Rows) -> str:
    """Columns by width, numbers to the right."""
    widths = [max(len(row[i]) for row in [list(head), *rows]) for i in range(len(head))]
    lines = []
    for row in [list(head), *rows]:
        cells = [cell.ljust(width) if i < 2 else cell.rjust(width) for i, (cell, width) in enumerate(zip(row, widths))]
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def markdown_table(head: Sequence[str], rows: Rows) -> str:
    """A table of GitHub's Markdown."""
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in [list(head), *rows]]
    lines.insert(1, "|" + "---|" * len(head))
    return "\n".join(lines)


def _trials(report: Report) -> list[Trial]:
    return [report.original, *report.trials]


def _bar(rate: float, highest: float) -> str:
    return "#" * max(1, round(30 * rate / highest)) if highest > 0 else ""


def terminal(report: Report) -> str:
    """Tables, waterfall, and what to do next."""
    parts = [text_table(_HEAD, [_speed_row(found) for found in _trials(report)])]
    rows = [row for found in report.trials if (row := _accuracy_row(found))]
    if rows:
        parts.append("accuracy against the original, on " + report.examples.origin + ":")
        parts.append(text_table(_ACCURACY_HEAD, rows))
    parts += _reasons(report, "  {}: {}: {}".format)
    waterfall = _waterfall_rows(report)
    if len(waterfall) > 1:
        parts.append("waterfall (items/s; gain over the step before; over the original):")
        highest = max(report.original.rate, *(step.trial.rate for step in report.steps))
        rates = [report.original.rate, *(step.trial.rate for step in report.steps)]
        lines = text_table(["step", "items/s", "gain (95 %)", "in all"], waterfall).splitlines()
        parts.append("\n".join(lines[:2] + [f"{line}  {_bar(r, highest)}" for line, r in zip(lines[2:], rates)]))
    parts += [f"warning: {text}" for text in report_module.warnings(report)]
    return "\n".join(parts)


def _reasons(report: Report, shape: Callable[[str, str, str], str]) -> list[str]:
    lines = [shape(found.name, found.verdict, found.reason) for found in report.trials if found.reason]
    notes = [
        shape(found.name, "note", note)
        for found in report.trials
        if found.artefact and found.measured
        for note in found.artefact.notes
    ]
    return lines + notes


def summary(report: Report) -> str:
    """In one line."""
    best = report.best()
    if not best.chain:
        return "nothing is surely faster than the original within the bound"
    return f"best: {best.name}, {interval(best.speed_up)} times the original's throughput"


def markdown(report: Report) -> str:
    """A page."""
    machine = report.machine
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    sets = [name for name in machine["instruction_sets"] if name.startswith(("avx512", "amx", "avx2", "avx_vnni"))]
    bound, inputs = report.bound.describe(), report.examples.origin
    parts = [
        f"# {report.source.name}, optimised",
        f"{report.made}, {machine['processor']}, {machine['cores']} cores ({', '.join(sets)}), load "
        f"{machine['load_average']}; {packages}. Each variant was served by Headrace and loaded by {load.TOOL} for "
        f"{report.settings.seconds:g} s at each batch size. Accepted is {bound}, on {inputs}.",
        summary(report).capitalize() + ".",
        "## Waterfall",
        markdown_table(["step", "items/s", "gain (95 %)", "in all"], _waterfall_rows(report)),
        "## Each recipe",
        markdown_table(_HEAD, [_speed_row(found) for found in _trials(report)]),
    ]
    rows = [row for found in report.trials if (row := _accuracy_row(found))]
    if rows:
        parts += ["## Accuracy against the original", markdown_table(_ACCURACY_HEAD, rows)]
    if reasons := _reasons(report, "- {}: {}: {}".format):
        parts.append("\n".join(reasons))
    if found := report_module.warnings(report):
        parts.append("\n".join(f"- Warning: {text}." for text in found))
    return "\n\n".join(parts) + "\n"
