"""Measures an artefact by serving it."""

import dataclasses
import math
import pathlib
import shutil
import tempfile
import time
from typing import Any, Optional

import numpy

from headrace_optimize import accuracy, detections, load, repository
from headrace_optimize.accuracy import Accuracy
from headrace_optimize.client import Client
from headrace_optimize.examples import Examples
from headrace_optimize.load import Load, Target
from headrace_optimize.model import Artefact, Source
from headrace_optimize.server import Server
from headrace_optimize.settings import Settings
from headrace_optimize.statistics import Interval

_MODEL = "measured"
_BATCHES = (1, 4, 16, 64)


@dataclasses.dataclass
class Measurement:
    """Of one artefact. Times are seconds unless the name says ms."""

    load_s: float
    first_answer_s: float
    file_bytes: int
    rss_bytes: int
    single: Load  # one request at a time, batch 1
    loads: list[Load]  # saturated, by batch size
    accuracy: Optional[Accuracy] = None  # None: of the original

    @property
    def best(self) -> Load:
        """The most items per second."""
        return max(self.loads, key=lambda found: found.rate.mid)

    @property
    def rate(self) -> Interval:
        """Items per second at the best batch."""
        return self.best.rate


def batches_of(source: Source, settings: Settings) -> list[int]:
    """The batch sizes to measure, ascending."""
    if not source.batches:
        return [1]
    wanted = settings.batches or [size for size in _BATCHES if size < source.max_batch_size] + [source.max_batch_size]
    return sorted({min(size, source.max_batch_size) for size in wanted if size >= 1} or {1})


class Bench:
    """Serves one artefact after the other, and remembers the original's answers.

    The original must be the first. Not for several threads: measurements must not overlap.
    """

    def __init__(self, source: Source, examples: Examples, settings: Settings):
        self._source = source
        self._examples = examples
        self._settings = settings
        self._data = load.write_data(settings.work / "load.json", examples.arrays)
        self._reference: Optional[dict[str, numpy.ndarray]] = None

    def run(self, artefact: Artefact) -> Measurement:
        """OptimizeError with the reason if it cannot be served or answers nothing. The load is left out where the
        answers are not accepted (it would say nothing that anybody wants)."""
        folder = pathlib.Path(tempfile.mkdtemp(prefix="serve-", dir=self._settings.work))
        try:
            repository.write_model(folder, _MODEL, self._source, artefact)
            with Server(folder) as server:
                return self._measure(server, artefact)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _measure(self, server: Server, artefact: Artefact) -> Measurement:
        load_s = server.load(_MODEL)
        client = server.client()
        try:
            start = time.monotonic()
            client.infer(_MODEL, self._examples.batch(self._source, 1))
            first_answer_s = time.monotonic() - start
            judged = self._judge(self._answers(client))
        except OSError as error:
            time.sleep(0.2)
            raise ConnectionError(server.how_it_ended() or str(error)) from error
        finally:
            client.close()
        target = Target(server.host, server.port, _MODEL)
        concurrency = (artefact.instances or self._source.instances) + 1
        single = self._load(target, 1, 1)
        loads = [self._load(target, size, concurrency) for size in batches_of(self._source, self._settings)]
        return Measurement(
            load_s=load_s,
            first_answer_s=first_answer_s,
            file_bytes=artefact.byte_size(),
            rss_bytes=server.rss_bytes(),
            single=single,
            loads=loads,
            accuracy=judged,
        )

    def _answers(self, client: Client) -> dict[str, numpy.ndarray]:
        """To all examples, one by one: what batches add is the server's business, and tested there."""
        parts: dict[str, list[numpy.ndarray]] = {}
        for i in range(self._examples.count):
            for name, values in client.infer(_MODEL, self._examples.batch(self._source, 1, i)).items():
                parts.setdefault(name, []).append(values if self._source.batches else values[None])
        join = detections.joined if self._source.detects else numpy.concatenate
        return {name: join(values) for name, values in parts.items()}

    def _judge(self, answers: dict[str, numpy.ndarray]) -> Optional[Accuracy]:
        if self._reference is None:
            self._reference = answers
            return None
        if self._source.detects:
            return accuracy.compare_detections(self._reference, answers, self._settings.bound)
        return accuracy.compare(self._reference, answers, self._settings.bound, self._examples.labels)

    def _load(self, target: Target, batch: int, concurrency: int) -> Load:
        return load.run(target, self._data, batch if self._source.batches else 0, concurrency, self._settings.seconds)


def to_json(measured: Measurement) -> dict[str, Any]:
    """For reports; infinite numbers become null."""
    values = dataclasses.asdict(measured)
    values["best_batch"] = measured.best.batch
    return finite(values)


def finite(value: Any) -> Any:
    """JSON has no infinite numbers."""
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


