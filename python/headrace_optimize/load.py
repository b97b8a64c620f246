"""Load on a server. What measures is behind one interface, so that it can be replaced by `headrace bench`."""

import dataclasses
import threading
import time
from typing import Any, Optional, Protocol

from headrace_optimize import client as client_module
from headrace_optimize import statistics
from headrace_optimize.errors import OptimizeError
from headrace_optimize.statistics import Interval

_REQUESTS_MIN = 10  # however long they take: fewer say nothing
_SECONDS_MAX_FACTOR = 10


@dataclasses.dataclass
class Load:
    """What one run found. Latencies of answered requests; rates count items (rows of batches)."""

    batch: int
    concurrency: int
    seconds: float
    requests: int
    failures: int
    rate: Interval  # items per second
    p50_ms: float
    p99_ms: float
    max_ms: float
    tool: str = ""

    def to_json(self) -> dict[str, Any]:
        """For reports."""
        return dataclasses.asdict(self)


class LoadTool(Protocol):
    """Sends the same request again and again from `concurrency` clients, each after the answer to its last."""

    name: str

    def run(self, target: "Target", inputs: client_module.Arrays, batch: int, concurrency: int, seconds: float) -> Load:
        """Blocks. OptimizeError if nothing is answered at all."""


@dataclasses.dataclass(frozen=True)
class Target:
    """A model on a server."""

    host: str
    port: int
    model: str


class ClosedLoop:
    """Threads of this process. Good for models that take a millisecond and more; it costs about half of one itself."""

    name = "closed loop"

    def run(self, target: Target, inputs: client_module.Arrays, batch: int, concurrency: int, seconds: float) -> Load:
        """See LoadTool."""
        body, headers = client_module.encode(inputs)
        path = f"/v2/models/{target.model}/infer"
        start = time.monotonic()
        soft_end, hard_end = start + seconds, start + seconds * _SECONDS_MAX_FACTOR
        lock = threading.Lock()
        records: list[tuple[float, float]] = []
        failures: list[str] = []

        def send() -> None:
            connection = client_module.Client(target.host, target.port)
            try:
                while True:
                    now = time.monotonic()
                    with lock:
                        if now >= hard_end or (now >= soft_end and len(records) >= _REQUESTS_MIN) or len(failures) > 20:
                            return
                    try:
                        connection.exchange("POST", path, body, headers)
                    except (OSError, OptimizeError) as error:
                        with lock:
                            failures.append(str(error))
                        continue
                    end = time.monotonic()
                    with lock:
                        records.append((end, end - now))
            finally:
                connection.close()

        threads = [threading.Thread(target=send) for _ in range(concurrency)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if not records:
            raise OptimizeError(f"no request is answered: {failures[-1] if failures else 'nothing was sent'}")
        return summarise(records, len(failures), batch, concurrency, time.monotonic() - start, self.name)


def summarise(
    records: list[tuple[float, float]], failures: int, batch: int, concurrency: int, seconds: float, tool: str
) -> Load:
    """Of (time of the end, latency), both in seconds."""
    latencies = [latency * 1000 for _, latency in records]
    return Load(
        batch=batch,
        concurrency=concurrency,
        seconds=seconds,
        requests=len(records),
        failures=failures,
        rate=statistics.rate_interval([end for end, _ in records], batch),
        p50_ms=statistics.percentile(latencies, 0.5),
        p99_ms=statistics.percentile(latencies, 0.99),
        max_ms=max(latencies),
        tool=tool,
    )


def default_tool(choice: Optional[str] = None) -> LoadTool:
    """The tool of that name."""
    if choice not in (None, "", "closed-loop"):
        raise OptimizeError(f"--load-tool: '{choice}' is unknown; there is closed-loop")
    return ClosedLoop()
