"""`headrace bench` as the tool that loads: it costs a tenth of what Python's loop costs, and its intervals are its own."""

import base64
import functools
import json
import os
import pathlib
import subprocess
import tempfile
from typing import Any

import numpy

from headrace_optimize.client import Arrays
from headrace_optimize.errors import OptimizeError
from headrace_optimize.load import Load, Target
from headrace_optimize.statistics import Interval

_REQUESTS_MIN = 10
_SECONDS_MAX_FACTOR = 10
_LIMIT_S = 600.0


def program() -> str:
    """HEADRACE_BENCH, or the program that started us."""
    return os.environ.get("HEADRACE_BENCH") or os.environ.get("HEADRACE_BINARY", "")


@functools.lru_cache(maxsize=None)
def is_there() -> bool:
    """Whether the program has the command."""
    if not program():
        return False
    try:
        ran = subprocess.run([program(), "bench", "--help"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return ran.returncode == 0 and "--concurrency" in ran.stdout


def _input_data(inputs: Arrays, batches: bool) -> dict[str, Any]:
    """perf_analyzer's JSON: one entry for each row, which the command joins to batches."""
    rows = len(next(iter(inputs.values()))) if batches else 1
    entries = []
    for i in range(rows):
        entry = {}
        for name, values in inputs.items():
            row = values[i] if batches else values
            raw = numpy.ascontiguousarray(row).tobytes()
            entry[name] = {"b64": base64.b64encode(raw).decode("ascii"), "shape": list(row.shape)}
        entries.append(entry)
    return {"data": entries}


class HeadraceBench:
    """See load.LoadTool."""

    name = "headrace bench"

    def __init__(self, batches: bool):
        self._batches = batches

    def run(self, target: Target, inputs: Arrays, batch: int, concurrency: int, seconds: float) -> Load:
        """See load.LoadTool."""
        load = self._run(target, inputs, batch, concurrency, seconds)
        if load.requests < _REQUESTS_MIN and load.requests > 0:
            longer = min(seconds * _SECONDS_MAX_FACTOR, seconds * _REQUESTS_MIN / load.requests * 1.2)
            load = self._run(target, inputs, batch, concurrency, longer)
        return load

    def _run(self, target: Target, inputs: Arrays, batch: int, concurrency: int, seconds: float) -> Load:
        with tempfile.TemporaryDirectory(prefix="headrace-bench-") as folder:
            data, result = pathlib.Path(folder, "data.json"), pathlib.Path(folder, "result.json")
            data.write_text(json.dumps(_input_data(inputs, self._batches)), encoding="utf-8")
            command = [program(), "bench", "-m", target.model, "-u", f"{target.host}:{target.port}", "--quiet"]
            command += ["--concurrency", str(concurrency), "--duration", f"{round(seconds * 1000)}ms"]
            command += ["--warmup-requests", "1", "--input-data", str(data), "--json", str(result)]
            if self._batches:
                command += ["-b", str(batch)]
            try:
                ran = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
                level = json.loads(result.read_text(encoding="utf-8"))["levels"][0]
            except (OSError, ValueError, KeyError, IndexError) as error:
                said = (ran.stderr or ran.stdout).strip().splitlines()[-1:] or [str(error)]
                raise OptimizeError(f"headrace bench: {said[0]}") from error
            except subprocess.TimeoutExpired as error:
                raise OptimizeError(f"headrace bench did not end within {_LIMIT_S:g} s") from error
        return self._of_level(level, batch, concurrency, seconds)

    def _of_level(self, level: dict[str, Any], batch: int, concurrency: int, seconds: float) -> Load:
        answered = int(level["outcomes"].get("ok", 0))
        failures = sum(level["outcomes"].values()) - answered
        if not answered:
            kinds = ", ".join(level["outcomes"]) or "nothing was sent"
            raise OptimizeError(f"no request is answered: {kinds}")
        rate, times = level["throughput_interval"], level["response_time_ns"]

        def milliseconds(share: str) -> float:
            return float(times["percentiles"][share]["value"]) / 1e6

        value = float(rate["value"]) * batch
        low, high = (value if found is None else float(found) * batch for found in (rate["low"], rate["high"]))
        return Load(
            batch=batch,
            concurrency=concurrency,
            seconds=seconds,
            requests=answered,
            failures=failures,
            rate=Interval(max(0.0, low), value, high),
            p50_ms=milliseconds("50"),
            p99_ms=milliseconds("99"),
            max_ms=float(times["max"]) / 1e6,
            tool=self.name,
        )
