"""Load on a server: `headrace bench` in a process of its own, so that the client takes no time of what is measured."""

import base64
import dataclasses
import json
import math
import os
import pathlib
import subprocess
import tempfile
from typing import Any, Mapping

import numpy

from headrace_optimize.errors import OptimizeError
from headrace_optimize.server import program
from headrace_optimize.statistics import Interval

TOOL = "headrace bench"
_REQUESTS_MIN = 10  # however long they take: fewer say nothing
_SECONDS_MAX = 20.0  # until there are that many, or ten times what was wanted
_WARM_UP_REQUESTS = 3  # of each client: TorchScript profiles its first calls and compiles with the next
_REQUEST_SECONDS_MAX = 120
_OVERHEAD_SECONDS_MAX = 600.0  # for connecting, warming up and draining
_SAMPLES_MAX = 4  # that are sent in turn; the tool keeps a batch of each


@dataclasses.dataclass
class Load:
    """What one run found. Latencies of answered requests; rates count items (rows of batches)."""

    batch: int
    concurrency: int
    seconds: float
    requests: int
    failures: int
    rate: Interval  # items per second, 95 %
    p50_ms: float
    p99_ms: float
    max_ms: float


@dataclasses.dataclass(frozen=True)
class Target:
    """A model on a server."""

    host: str
    port: int
    model: str


def write_data(path: pathlib.Path, arrays: Mapping[str, numpy.ndarray]) -> pathlib.Path:
    """perf_analyzer's JSON of single inferences, which the tool joins to batches. `arrays`: samples first."""

    def encoded(values: numpy.ndarray) -> dict[str, Any]:
        raw = numpy.ascontiguousarray(values).tobytes()
        return {"b64": base64.b64encode(raw).decode("ascii"), "shape": list(values.shape)}

    count = min(_SAMPLES_MAX, *(len(values) for values in arrays.values()))
    entries = [{name: encoded(values[i]) for name, values in arrays.items()} for i in range(count)]
    path.write_text(json.dumps({"data": entries}), encoding="utf-8")
    return path


def run(target: Target, data: pathlib.Path, batch: int, concurrency: int, seconds: float) -> Load:
    """Keeps `concurrency` requests out for `seconds`, or until so many are answered that they say something.
    `batch` 0: the model does not batch. OptimizeError if nothing is answered at all."""
    found = _run(target, data, batch, concurrency, ["--duration", f"{round(seconds * 1000)}ms"])
    if found.requests < _REQUESTS_MIN:
        limit = max(_SECONDS_MAX, 10 * seconds)
        length = ["--duration", f"{round(limit * 1000)}ms", "--requests", str(_REQUESTS_MIN)]
        found = _run(target, data, batch, concurrency, length)
        if not found.requests:
            raise OptimizeError(f"no request is answered within {limit:g} s")
    return found


def _run(target: Target, data: pathlib.Path, batch: int, concurrency: int, length: list[str]) -> Load:
    with tempfile.TemporaryDirectory(prefix="load-", dir=data.parent) as folder:
        result = os.path.join(folder, "result.json")
        command = [program(), "bench", "--quiet", "-m", target.model, "-u", f"{target.host}:{target.port}", *length]
        command += ["--concurrency", str(concurrency), "--warmup-requests", str(_WARM_UP_REQUESTS * concurrency)]
        command += ["--input-data", str(data), "--timeout", f"{_REQUEST_SECONDS_MAX}s", "--metrics-interval", "0"]
        command += ["--drain", f"{_REQUEST_SECONDS_MAX}s", "--json", result, *(["-b", str(batch)] if batch else [])]
        try:
            ran = subprocess.run(command, capture_output=True, text=True, timeout=_OVERHEAD_SECONDS_MAX, check=False)
        except subprocess.TimeoutExpired as error:
            raise OptimizeError(f"{TOOL} did not end within {_OVERHEAD_SECONDS_MAX:g} s") from error
        try:
            level = json.loads(pathlib.Path(result).read_text(encoding="utf-8"))["levels"][0]
        except (OSError, ValueError, LookupError) as error:
            said = (ran.stderr or ran.stdout).strip().splitlines() or [str(error)]
            raise OptimizeError(f"{TOOL}: {said[-1]}") from error
    return of_level(level, max(batch, 1), concurrency)


def of_level(level: dict[str, Any], batch: int, concurrency: int) -> Load:
    """Of a level of the tool's result document. OptimizeError if its requests failed, with what they ended as."""
    answered = int(level["outcomes"].get("ok", 0))
    failures = sum(level["outcomes"].values()) - answered
    if failures and not answered:
        raise OptimizeError(f"no request is answered: {', '.join(level['outcomes'])}")
    rate = level["throughput_interval"]
    times = level.get("response_time_ns") or {}  # not there where nothing came within the time

    def milliseconds(value: Any) -> float:
        return float(value) / 1e6 if answered and value is not None else math.nan

    def percentile(name: str) -> float:
        return milliseconds(times.get("percentiles", {}).get(name, {}).get("value"))

    return Load(
        batch=batch,
        concurrency=concurrency,
        seconds=(level["measured_to_ns"] - level["measured_from_ns"]) / 1e9,
        requests=answered,
        failures=failures,
        rate=Interval(
            float(rate["low"] or 0), float(rate["value"]), math.inf if rate["high"] is None else float(rate["high"])
        ),
        p50_ms=percentile("50"),
        p99_ms=percentile("99"),
        max_ms=milliseconds(times.get("max")),
    )
