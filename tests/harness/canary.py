"""A well-behaved client that keeps asking while something else is done to the server."""

import struct
import threading
import time

from harness import raw_http


def _binary_request(model, dtype, payload, count):
    head = (
        f'{{"inputs":[{{"name":"INPUT0","shape":[{count}],"datatype":"{dtype}",'
        f'"parameters":{{"binary_data_size":{len(payload)}}}}}],'
        f'"parameters":{{"binary_data_output":true}}}}'
    ).encode()
    return raw_http.request(
        "POST",
        f"/v2/models/{model}/infer",
        head + payload,
        [("Inference-Header-Content-Length", len(head))],
    )


# A connection that has been idle for longer is not used again: servers with short limits, which tests start, close it
# at any moment then. On a busy machine this process can be kept from asking for so long.
_IDLE_LIMIT_S = 0.5


class _Asker:
    """Asks on one connection, and on a new one where the server has said that it ends the old one."""

    def __init__(self, server):
        self._server = server
        self._connection = None
        self._answered = 0.0

    def ask(self, model, dtype, payload):
        """One request; raises unless the answer holds `payload`, byte for byte."""
        if time.monotonic() - self._answered > _IDLE_LIMIT_S:
            self.close()
        if self._connection is None:
            self._connection = raw_http.Connection(self._server)
        self._connection.send(_binary_request(model, dtype, payload, 3))
        answer = self._connection.read()
        self._answered = time.monotonic()
        if answer.headers.get("connection") == "close":
            self.close()
        head_size = int(answer.headers.get("inference-header-content-length", len(answer.body)))
        if answer.status != 200 or answer.body[head_size:] != payload:
            raise AssertionError(f"the canary got {answer} for {payload!r}")

    def close(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Canary:
    """Asks two healthy models in turn on one connection each and checks every byte of their answers.

    At most `count_max` requests, one in `interval_s`. A wrong answer, an error or a closed connection is kept and
    raised by `check`.
    """

    def __init__(self, server, interval_s=0.02, count_max=50_000):
        self._server = server
        self._interval_s = interval_s
        self._count_max = count_max
        self._failure = None
        self._answered = 0
        self._stop = threading.Event()
        self._progress = threading.Condition()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def answered(self):
        return self._answered

    def _run(self):
        try:
            with _Asker(self._server) as first, _Asker(self._server) as second:
                for i in range(self._count_max):
                    first.ask("identity_fp32", "FP32", struct.pack("<3f", i, -i, 0.5))
                    second.ask("identity_uint64", "UINT64", struct.pack("<3Q", i, i << 40, 2**64 - 1))
                    with self._progress:
                        self._answered += 1
                        self._progress.notify_all()
                    if self._stop.wait(self._interval_s):
                        return
        except Exception as error:  # pylint: disable=broad-except
            with self._progress:
                self._failure = error
                self._progress.notify_all()

    def start(self):
        self._thread.start()
        return self

    def check(self, limit_s=10.0):
        """One more round of right answers from now on, within `limit_s`."""
        with self._progress:
            goal = self._answered + 1
            moved = self._progress.wait_for(lambda: self._failure or self._answered >= goal, limit_s)
        if self._failure:
            raise AssertionError(f"the canary failed: {self._failure!r}") from self._failure
        assert moved, "the canary got no answer"

    def stop(self):
        self._stop.set()
        self._thread.join(20)
        if self._failure:
            raise AssertionError(f"the canary failed: {self._failure!r}") from self._failure
