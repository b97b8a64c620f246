"""Asks at a fixed rate, whatever the answers do: what a server does to clients that do not wait for it shows."""

import collections
import dataclasses
import selectors
import socket
import threading
import time

_RECEIVE = 65536
# A request that was not answered within this is lost.
_ANSWER_LIMIT_S = 20.0


@dataclasses.dataclass
class Report:
    """What became of the requests."""

    sent: int = 0
    ok: int = 0
    refused: collections.Counter = dataclasses.field(default_factory=collections.Counter)  # by status and text
    wrong: list = dataclasses.field(default_factory=list)  # answers that the check refused
    dropped: list = dataclasses.field(default_factory=list)  # connections that ended without an answer
    seen: collections.Counter = dataclasses.field(default_factory=collections.Counter)  # what the check returned
    latencies_s: list = dataclasses.field(default_factory=list)
    connections: int = 0

    def quantile_ms(self, share):
        ordered = sorted(self.latencies_s)
        return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def must_be_clean(self):
        assert self.sent > 0 and self.ok == self.sent, self.summary()
        assert not (self.refused or self.wrong or self.dropped), self.summary()

    def summary(self):
        text = f"{self.sent} sent, {self.ok} right, {sum(self.refused.values())} refused, {len(self.wrong)} wrong, "
        text += f"{len(self.dropped)} dropped, {self.connections} connections"
        if self.latencies_s:
            text += "; latency ms " + " ".join(
                f"p{100 * share:g}={self.quantile_ms(share):.1f}" for share in (0.5, 0.99, 0.999, 1.0)
            )
        for title, some in (("refused", self.refused), ("wrong", self.wrong[:3]), ("dropped", self.dropped[:3])):
            text += f"\n  {title}: {dict(some) if isinstance(some, dict) else some}" if some else ""
        return text


class _Exchange:
    """One connection; one request on it at a time."""

    def __init__(self, address):
        self.socket = socket.create_connection(address, timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""
        self.request = None
        self.due = 0.0

    def answer(self):
        """(status, headers, body) once all of it is there."""
        head, found, body = self.received.partition(b"\r\n\r\n")
        if not found:
            return None
        lines = head.split(b"\r\n")
        headers = dict(line.lower().split(b": ", 1) for line in lines[1:])
        if len(body) < int(headers.get(b"content-length", 0)):
            return None
        self.received = b""
        return int(lines[0].split()[1]), headers, body


class OpenLoop:
    """Sends `make(i)` (bytes of a whole HTTP request, and what the check needs) `rate` times a second.

    `check(context, headers, body)` returns what is counted in `seen`, or raises AssertionError. A request goes out at
    its time on an idle connection or on a new one. Runs on a thread of its own between start() and finish().
    """

    def __init__(self, server, rate, make, check):
        self._address = (server.host, server.port)
        self._interval = 1.0 / rate
        self._make = make
        self._check = check
        self._stop = threading.Event()
        self._selector = selectors.DefaultSelector()
        self._idle = []
        self._busy = {}  # exchange -> None, in the order of their requests
        self.report = Report()
        self._failure = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self._thread.start()
        return self

    def finish(self):
        """Waits for the last answers; the report."""
        self._stop.set()
        self._thread.join(2 * _ANSWER_LIMIT_S)
        assert not self._thread.is_alive()
        if self._failure is not None:
            raise self._failure
        return self.report

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(2 * _ANSWER_LIMIT_S)

    def _run(self):
        try:
            self._loop()
        except Exception as error:  # pylint: disable=broad-except
            self._failure = error
        finally:
            for exchange in [*self._idle, *self._busy]:
                exchange.socket.close()
            self._selector.close()

    def _loop(self):
        due = time.monotonic()
        number = 0
        while not self._stop.is_set() or self._busy:
            now = time.monotonic()
            if not self._stop.is_set() and now >= due:
                self._send(number, due)
                number += 1
                due += self._interval
                if time.monotonic() >= due:
                    timeout = 0
                else:
                    timeout = due - time.monotonic()
            else:
                timeout = max(0.0, due - now) if not self._stop.is_set() else 0.1
            for key, _ in self._selector.select(timeout):
                self._receive(key.data)
            self._drop_late()

    def _send(self, number, due):
        data, context = self._make(number)
        self.report.sent += 1
        try:
            exchange = self._idle.pop() if self._idle else self._open()
            exchange.request, exchange.due = context, due
            self._busy[exchange] = None
            exchange.socket.sendall(data)
        except OSError as error:
            self.report.dropped.append(f"request {number}: {error!r}")

    def _open(self):
        exchange = _Exchange(self._address)
        self.report.connections += 1
        self._selector.register(exchange.socket, selectors.EVENT_READ, exchange)
        return exchange

    def _close(self, exchange):
        self._selector.unregister(exchange.socket)
        exchange.socket.close()
        self._busy.pop(exchange, None)
        if exchange in self._idle:
            self._idle.remove(exchange)

    def _receive(self, exchange):
        try:
            data = exchange.socket.recv(_RECEIVE)
        except OSError as error:
            data = b""
            if exchange in self._busy:
                self.report.dropped.append(repr(error))
                self._close(exchange)
                return
        if not data:
            if exchange in self._busy:
                self.report.dropped.append(f"closed with {exchange.received[:80]!r} of the answer")
            self._close(exchange)
            return
        exchange.received += data
        answer = exchange.answer()
        if answer is None:
            return
        del self._busy[exchange]
        self._account(exchange, *answer)
        if answer[1].get(b"connection") == b"close":
            self._close(exchange)
        else:
            self._idle.append(exchange)

    def _account(self, exchange, status, headers, body):
        self.report.latencies_s.append(time.monotonic() - exchange.due)
        if status != 200:
            self.report.refused[f"{status} {body[:200]!r}"] += 1
            return
        try:
            self.report.seen[self._check(exchange.request, headers, body)] += 1
            self.report.ok += 1
        except AssertionError as error:
            self.report.wrong.append(str(error)[:300])

    def _drop_late(self):
        if self._busy:
            oldest = next(iter(self._busy))
            if time.monotonic() - oldest.due > _ANSWER_LIMIT_S:
                self.report.dropped.append(f"no answer within {_ANSWER_LIMIT_S} s")
                self._close(oldest)
