#!/usr/bin/env python3
"""What the hook for profiles costs a model that nobody watches: the engine with it and without it, in turn."""

import argparse
import json
import pathlib
import random
import statistics
import subprocess
import sys

from harness import report

_DESCRIPTION = """\
Processor time for a batch of the engine alone, whose model answers at once: bench/batch_observer.cc as it is, and
with an engine that is compiled without the hook. Both are built by
  cmake --build --preset release --target batch_observer_bench
"""
_KINDS = {"single": "batches of one request", "dynamic": "batches of up to 8"}


def _run(program, seconds):
    return json.loads(subprocess.run([program, str(seconds)], capture_output=True, text=True, check=True).stdout)


def _interval(ratios):
    """The middle 95 % of medians of draws from the ratios."""
    draw = random.Random(1)
    medians = sorted(statistics.median(draw.choices(ratios, k=len(ratios))) for _ in range(2000))
    return medians[50], medians[1949]


def main():
    options = argparse.ArgumentParser(
        description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--rounds", type=int, default=20)
    options.add_argument("--seconds", type=int, default=1, help="of each measurement")
    options.add_argument("--directory", type=pathlib.Path, default=pathlib.Path("build/release/bench"))
    given = options.parse_args()
    programs = [given.directory / name for name in ("bench_batch_observer", "bench_batch_observer_absent")]
    for program in programs:
        if not program.exists():
            sys.exit(f"{program} is not built: cmake --build --preset release --target batch_observer_bench")
    on = report.machine()
    print(f"{on['date']}; {on['processor']}, {on['cores']} cores; load average before: {on['load_average']}")
    pairs = []
    for number in range(given.rounds):
        # Whoever runs second has no advantage over all rounds.
        order = (0, 1) if number % 2 == 0 else (1, 0)
        results = {which: _run(programs[which], given.seconds) for which in order}
        pairs.append((results[0], results[1]))
    for kind, text in _KINDS.items():
        present, absent, watched = (
            [pair[side][kind][figure] for pair in pairs]
            for side, figure in ((0, "cpu_ns"), (1, "cpu_ns"), (0, "watched_cpu_ns"))
        )
        ratios = [mine / other for mine, other in zip(present, absent)]
        low, high = _interval(ratios)
        print(
            f"{text}: {statistics.median(present):.0f} ns a batch with the hook, {statistics.median(absent):.0f} ns "
            f"without; ratio {statistics.median(ratios):.4f} (95 % interval {low:.4f} to {high:.4f}); "
            f"{statistics.median(watched):.0f} ns while it is watched"
        )
    look = statistics.median(pair[0]["look_ns"] for pair in pairs)
    print(f"one look at the hook: {look:.2f} ns; {given.rounds} rounds; load average after: {report.machine()['load_average']}")


if __name__ == "__main__":
    main()
