"""Readable tables, verdicts, and the same as JSON."""

import datetime
import json
import os
import pathlib
import platform

FIGURES = {
    "requests_per_s": ("requests/s", 0),
    "cpu_us": ("CPU us/request", 1),
    "p50_us": ("p50 us", 0),
    "p99_us": ("p99 us", 0),
    "client_cpu_us": ("client CPU us/request", 2),
    "lag_p50_us": ("send lag p50 us", 1),
    "lag_p99_us": ("send lag p99 us", 1),
    "mean_us": ("mean us", 1),
    "batch_size": ("batch size", 1),
    "ready_s": ("s until ready", 3),
    "process_bytes": ("PSS bytes each", 0),
    "kernel_bytes": ("kernel bytes each", 0),
    "still_open": ("still open", 0),
    "ms_per_model": ("ms for a model", 2),
    "threads": ("threads", 0),
    "pss_mib": ("PSS MiB", 0),
    "idle_cpu_percent": ("idle CPU %", 1),
}
USUAL_FIGURES = ("requests_per_s", "cpu_us", "p50_us", "p99_us")


def machine():
    """What the figures were taken on."""
    model = "unknown processor"
    for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": model,
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "load_average": [round(value, 2) for value in os.getloadavg()],
    }


def table(header, rows):
    """Columns as wide as they need; the first is left-aligned."""
    widths = [max(len(str(row[i])) for row in [header, *rows]) for i in range(len(header))]
    for row in [header, *rows]:
        cells = [str(cell).rjust(width) for cell, width in zip(row, widths)]
        cells[0] = str(row[0]).ljust(widths[0])
        print("  " + "   ".join(cells))


class Report:
    """Collects what a benchmark found; prints it as it comes and writes JSON at the end."""

    def __init__(self, title):
        self._content = {"title": title, "machine": machine(), "comparisons": [], "verdicts": []}
        self._titled = False

    def _print_title(self):
        if self._titled:
            return
        self._titled = True
        on = self._content["machine"]
        print(self._content["title"])
        print(f"{on['date']}; {on['processor']}, {on['cores']} cores, {on['kernel']}")
        print(f"load average before: {on['load_average']}; figures are median [least .. greatest]")

    def comparison(self, comparison, figures=USUAL_FIGURES):
        self._print_title()
        print(f"\n{comparison.title}   (load average by round: {comparison.loads})")
        header = [""] + [FIGURES[figure][0] for figure in figures]
        rows = []
        for side in comparison.sides():
            cells = [comparison.spread(side, f).text(FIGURES[f][1]) for f in figures]
            rows.append([side, *cells])
        table(header, rows)
        self._content["comparisons"].append(comparison.as_json())

    def verdict(self, what, spread, limit, at_most, goal=None):
        """Compares the median of a ratio with its target."""
        met = spread.median <= limit if at_most else spread.median >= limit
        sign = "<=" if at_most else ">="
        wanted = f"target {sign} {limit:.3g}" + (f", goal {goal:.3g}" if goal else "")
        word = "met" if met else "NOT MET"
        print(f"  {what}: {spread.text(3)}   {wanted}: {word}")
        self._content["verdicts"].append(
            {
                "what": what,
                "median": spread.median,
                "minimum": spread.minimum,
                "maximum": spread.maximum,
                "limit": limit,
                "at_most": at_most,
                "met": met,
            }
        )

    def note(self, text, **values):
        self._print_title()
        print(f"  {text}")
        self._content.setdefault("notes", []).append({"text": text, **values})

    def save(self, path):
        self._content["load_average_after"] = [round(value, 2) for value in os.getloadavg()]
        if path:
            text = json.dumps(self._content, indent=1) + "\n"
            pathlib.Path(path).write_text(text, encoding="utf-8")
        return all(verdict["met"] for verdict in self._content["verdicts"])
