"""The event loop that coroutines of a model run on: one thread, started for the first of them."""

import asyncio
import threading
import traceback


class EventLoop:
    """Runs coroutines on a thread of its own, where their tasks go on between the calls."""

    def __init__(self, log_error):
        self._log_error = log_error
        self._loop = None
        self._running = set()

    def run(self, coroutine):
        """Its result; waits."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._started()).result()

    def run_in_background(self, coroutine):
        """Starts it; an exception becomes a line of the log."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self._started())
        self._running.add(future)
        future.add_done_callback(self._done)

    def stop(self):
        """Ends the loop; coroutines that still run end where they are."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)

    def _started(self):
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self._loop)
            threading.Thread(target=self._loop.run_forever, name="headrace-asyncio", daemon=True).start()
        return self._loop

    def _done(self, future):
        self._running.discard(future)
        error = None if future.cancelled() else future.exception()
        if error is not None:
            self._log_error("".join(traceback.format_exception(type(error), error, error.__traceback__)))
