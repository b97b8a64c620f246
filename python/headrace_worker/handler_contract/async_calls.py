"""Requests of a model with `asyncCommunication`: each is a task of one event loop, and is answered when its task ends."""

import asyncio

from headrace_worker import errors

_LOOK_S = 0.05  # between two looks for requests whose clients have gone


class AsyncCalls:
    """The event loop of the process's main thread: the one that the handler's `initialize` finds, too.

    region: what says whether a request is cancelled. answer: a coroutine function of a row, which answers its request
    whatever happens; what else it raises (SystemExit) ends `run`.
    """

    def __init__(self, region, answer):
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)
        self._region = region
        self._answer = answer
        self._slots = {}  # task -> the request's cancel slot
        self._looks = False

    def finished(self, result):
        """`result`, or what it comes to if it is a coroutine; while the loop does not run."""
        return self.loop.run_until_complete(result) if asyncio.iscoroutine(result) else result

    def begin(self, row, slot):
        """Takes a request; any thread."""
        self.loop.call_soon_threadsafe(self._begin, row, slot)

    def run(self):
        """Runs tasks until `stop`, on the main thread."""
        while True:
            try:
                return self.loop.run_forever()
            except KeyboardInterrupt:
                continue
            except errors.ChannelClosed:
                return None

    def stop(self):
        """Any thread."""
        self.loop.call_soon_threadsafe(self.loop.stop)

    def _begin(self, row, slot):
        task = self.loop.create_task(self._answer(row))
        self._slots[task] = slot
        task.add_done_callback(self._end)
        if not self._looks:
            self._looks = True
            self.loop.call_later(_LOOK_S, self._look)

    def _end(self, task):
        self._slots.pop(task, None)
        if not task.cancelled() and isinstance(task.exception(), errors.ChannelClosed):
            self.loop.stop()

    def _look(self):
        for task, slot in list(self._slots.items()):
            if self._region.cancelled(slot):
                self._slots.pop(task)  # once: the handler may need its time
                task.cancel()
        self._looks = bool(self._slots)
        if self._looks:
            self.loop.call_later(_LOOK_S, self._look)
