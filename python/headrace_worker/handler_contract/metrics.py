"""Metrics of handlers on their way to the server: gathered while batches run, sent from a thread of their own some
times a second."""

import re
import socket
import threading
import time

from headrace_worker import errors, wire

_DELAY_S = 0.25
_SERIES_LIMIT = 1000  # of one worker; further ones are dropped, and said once
_OBSERVATION_LIMIT = 10_000  # of one histogram's series between two sendings
_BUCKETS = [0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000]
_LINE_LIMIT = 10_000  # between two sendings; further ones are dropped, and counted
_LINES_SIZE = 32 * 1024  # of one message
# What TorchServe's own metrics.yaml lists, where the server says nothing else.
DECLARED = [
    {"name": name, "unit": "ms", "kind": "gauge", "dimensions": ["ModelName", "Level"]}
    for name in ("HandlerTime", "PredictionTime")
]
_NOT_A_NAME = re.compile(r"[^a-zA-Z0-9_:]")


def metric_name(name):
    """`name` as a name of Prometheus."""
    name = _NOT_A_NAME.sub("_", name)
    return name if not name[:1].isdigit() else "_" + name


class _Relay:
    """What a ts.metrics store calls with each update, and the thread that sends. Thread-safe; never waits for the
    server."""

    def __init__(self, side, log):
        self._side = side
        self._log = log
        self._lock = threading.Lock()
        self._dirty = threading.Event()
        self._stop = threading.Event()
        self._thread = None
        self._begun = False

    def begin(self):
        """From now on it sends. What came before was a template's warm-up, which is no worker's."""
        self._begun = True
        self.discard()

    def discard(self):
        raise NotImplementedError

    def _wake(self):
        if self._begun and not self._dirty.is_set():
            self._dirty.set()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="headrace-metrics", daemon=True)
                self._thread.start()

    def close(self):
        """Sends what is there."""
        self._stop.set()
        self._dirty.set()
        if self._thread is not None:
            self._thread.join(1.0)

    def _run(self):
        try:
            while True:
                self._dirty.wait()
                self._stop.wait(_DELAY_S)
                self._dirty.clear()
                self.flush()
                if self._stop.is_set():
                    return
        except errors.ChannelClosed:
            pass

    def flush(self):
        raise NotImplementedError

    def _tell(self, message):
        self._side.tell(wire.METRIC, message)


class MetricLineRelay(_Relay):
    """Sends each update by itself, as the line that TorchServe's workers print."""

    def __init__(self, side, log):
        super().__init__(side, log)
        self._lines = []
        self._dropped = 0
        self._host = socket.gethostname()

    def __call__(self, metric, labels, value, request_id):
        self._add(metric.metric_type.value, metric.metric_name, metric.unit, labels, value, request_id)

    def set_gauge(self, key, value, request_ids):
        kind, name, unit, labels = key
        self._add(kind, name, unit, labels, round(value, 3), ",".join(str(one) for one in request_ids.values()))

    def _add(self, kind, name, unit, labels, value, request_id):
        dimensions = ",".join(f"{key}:{text}" for key, text in labels)
        line = (
            f"[METRICS]{name}.{unit}:{value!r}|#{dimensions}|#type:{kind.upper()}"
            f"|#hostname:{self._host},{int(time.time())}"
        )
        if request_id:
            line += f",{request_id}"
        with self._lock:
            if len(self._lines) < _LINE_LIMIT:
                self._lines.append(line.replace("\n", " "))
            else:
                self._dropped += 1
        self._wake()

    def discard(self):
        self._lines.clear()

    def flush(self):
        with self._lock:
            lines, self._lines = self._lines, []
            dropped, self._dropped = self._dropped, 0
        if dropped:
            self._log("WARNING", f"{dropped} updates of metrics were dropped: too many at once")
        begin = size = 0
        for end, line in enumerate(lines):
            if size + len(line) > _LINES_SIZE and end > begin:
                self._send(lines[begin:end])
                begin, size = end, 0
            size += len(line)
        if begin < len(lines):
            self._send(lines[begin:])

    def _send(self, lines):
        self._tell({"op": "lines", "id": 0, "description": "\n".join(lines)})


class MetricRelay(_Relay):
    """Sends what updates have come to, as families of the server's registry."""

    def __init__(self, side, log):
        super().__init__(side, log)
        self._pending = {}
        self._families = {}  # name -> (id, kind), or None for one that the server has refused
        self._series = {}  # (name, labels) -> id
        self._full = False

    def __call__(self, metric, labels, value, request_id):
        kind = metric.metric_type.value
        key = (kind, metric.metric_name, metric.unit, tuple(labels))
        with self._lock:
            if kind == "counter":
                self._pending[key] = self._pending.get(key, 0.0) + value
            elif kind == "gauge":
                self._pending[key] = value
            else:
                observed = self._pending.setdefault(key, [])
                if len(observed) < _OBSERVATION_LIMIT:
                    observed.append(value)
        self._wake()

    def set_gauge(self, key, value, request_ids):
        """The same for a gauge whose key is at hand: (kind, name, unit, labels)."""
        with self._lock:
            self._pending[key] = value
        self._wake()

    def discard(self):
        self._pending.clear()

    def flush(self):
        with self._lock:
            pending, self._pending = self._pending, {}
        for (kind, name, unit, labels), value in pending.items():
            number = self._series_of(kind, metric_name(name), unit, labels)
            if number is None:
                continue
            if kind == "counter":
                self._tell({"op": "increment", "id": number, "value": value})
            elif kind == "gauge":
                self._tell({"op": "set", "id": number, "value": value})
            else:
                for one in value:
                    self._tell({"op": "observe", "id": number, "value": one})

    def _series_of(self, kind, name, unit, labels):
        key = (name, labels)
        if key in self._series:
            return self._series[key]
        if len(self._series) >= _SERIES_LIMIT:
            if not self._full:
                self._full = True
                self._log(
                    "WARNING", f"more than {_SERIES_LIMIT} series of metrics: '{name}' and further new ones are dropped"
                )
            return None
        number = None
        family = self._family_of(kind, name, unit)
        if family is not None:
            message = {"op": "series", "id": self._side.next_number(), "family": family, "labels": dict(labels)}
            if kind == "histogram":
                message["buckets"] = _BUCKETS
            number = self._ask(message, name)
        self._series[key] = number
        return number

    def _family_of(self, kind, name, unit):
        if name not in self._families:
            message = {
                "op": "family",
                "id": self._side.next_number(),
                "name": name,
                "kind": kind.upper(),
                "description": f"Torchserve prometheus {kind} metric with unit: {unit}",
            }
            number = self._ask(message, name)
            self._families[name] = None if number is None else (number, kind)
        family = self._families[name]
        return None if family is None or family[1] != kind else family[0]

    def _ask(self, message, name):
        """The id of what the server has made; None where it has refused."""
        try:
            self._side.ask(wire.METRIC, message, "call")
            return message["id"]
        except errors.CallError as error:
            self._log("WARNING", f"metric '{name}' is dropped: {error}")
            return None
