"""The frame of a benchmark program: options, a scratch directory, skipping, the exit status."""

import argparse
import contextlib
import pathlib
import resource
import sys
import tempfile

from harness import report, servers


def _arguments(description, rounds, seconds):
    parser = argparse.ArgumentParser(
        description=description,
        epilog="Environment: HEADRACE_PEERS names the directory with bin/tritonserver and "
        "bin/perf_analyzer; HEADRACE_BINARY the program (default build/release/headrace); "
        "HEADRACE_BACKENDS and HEADRACE_FLOOR other backends and another floor_http.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=rounds, help=f"default {rounds}")
    help_seconds = f"of load for a side and round, default {seconds}"
    parser.add_argument("--seconds", type=int, default=seconds, help=help_seconds)
    parser.add_argument("--json", metavar="FILE", help="write all samples and verdicts there")
    parser.add_argument(
        "--strict", action="store_true", help="end with status 1 when a target is not met"
    )
    return parser


def raise_descriptor_limit():
    """As many descriptors as this process may have; children inherit it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def run(name, description, measure, rounds=5, seconds=3, more_options=None):
    """Runs measure(options, report, scratch, stack); what enters `stack` is ended at the end."""
    parser = _arguments(description, rounds, seconds)
    if more_options:
        more_options(parser)
    options = parser.parse_args()
    raise_descriptor_limit()
    try:
        with tempfile.TemporaryDirectory(prefix="headrace-bench-") as scratch:
            with contextlib.ExitStack() as stack:
                results = report.Report(f"{name}: {description.splitlines()[0]}")
                measure(options, results, pathlib.Path(scratch), stack)
        met = results.save(options.json)
    except servers.Missing as missing:
        print(f"skipped {name}: {missing}")
        return 0
    except KeyboardInterrupt:
        return 130
    return 1 if options.strict and not met else 0


def main(*arguments, **options):
    sys.exit(run(*arguments, **options))
