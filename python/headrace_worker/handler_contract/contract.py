"""The contract itself: loads the handler, and takes each batch through it."""

import asyncio
import copy
import inspect
import logging
import os
import sys
import time

from headrace_worker import contracts, errors, wire
from headrace_worker.handler_contract import answers, archive, async_calls, entry, metrics, ranks, rows, sequences

logger = logging.getLogger("headrace.handler")
_BODY = 0  # the number of the output
_TEXT_OF_200 = b"error"  # what a PredictionException of that code is to its clients


class LogRelay(logging.Handler):
    """Lines of the logging module become lines of the server's log, with their level."""

    def __init__(self, side):
        super().__init__()
        self._side = side

    def emit(self, record):
        level = (
            "ERROR" if record.levelno >= logging.ERROR else "WARNING" if record.levelno >= logging.WARNING else "INFO"
        )
        try:
            self._side.log(level, self.format(record), record.pathname, record.lineno)
        except errors.ChannelClosed:
            pass


class HandlerContract(contracts.Contract):
    """One handler with its context, which is the same object for all batches."""

    def __init__(self, runtime, load):
        self._runtime = runtime
        self._load = load
        self._rows = None
        self._handle = None
        self._service = None  # what `_handle` belongs to
        self._context = None
        self._metrics = None
        self._prediction_time = None
        self._processor = None
        self._ranks = None  # ranks.Ranks of a model that is spread over processes
        self._running = None  # sequences.Running of a model that batches continuously

    def load(self):
        folder = archive.ModelFolder(self._load)
        self._rows = rows.RowMaker(folder.decode)
        self._running = sequences.Running() if folder.continuous else None
        archive.keep_compiled_code()
        root = logging.getLogger()
        root.addHandler(LogRelay(self._runtime.side))
        root.setLevel(logging.INFO)
        sys.path.insert(0, folder.directory)
        os.chdir(folder.directory)

        from headrace_worker.handler_contract.processor import RowProcessor
        from ts.metrics.metrics_store import MetricsStore

        self._processor = RowProcessor
        given = self._load.get("handler") or {}
        relay = metrics.MetricLineRelay if given.get("metric_lines") else metrics.MetricRelay
        self._metrics = relay(self._runtime.side, self._runtime.side.log)
        if not contracts.forks(self._load):
            self._metrics.begin()
        self._prediction_time = (
            "gauge",
            "PredictionTime",
            "Milliseconds",
            (("ModelName", folder.name), ("Level", "Model")),
        )
        store = MetricsStore({}, folder.name, self._metrics)
        store.declare(given.get("metrics", metrics.DECLARED))
        self._context = folder.context(store)
        if folder.asynchronous:
            if folder.envelope:
                raise ValueError(f"service_envelope '{folder.envelope}' does not go with asyncCommunication")
            self.main = async_calls.AsyncCalls(self._runtime.region, self._answer_alone)
        finished = None if self.main is None else self.main.finished
        if folder.rank_count > 1:
            if self.main is not None:
                raise ValueError("asyncCommunication does not go with a parallelType that torchrun would start")
            if contracts.forks(self._load):
                raise ValueError("the parameter fork_workers does not go with rank_count: processes of a group are no copies")
            self._ranks = ranks.Ranks(self._load, folder)
        try:
            function, self._service = entry.load_entry(folder.handler, folder.directory, self._context, finished)
        except BaseException:
            if self._ranks is not None:
                self._ranks.blame_the_dead()
            raise
        if self._ranks is not None:
            self._ranks.wait_loaded()
        # An event loop does not survive a copy of its process.
        self.fork_safe = self.main is None and getattr(self._service, "fork_safe", True) is not False
        self._handle = entry.wrap(function, folder.envelope)

    def before_fork(self):
        contracts.hook(self._service, "before_fork", self._context)

    def after_fork(self, load):
        self._load = load
        self._metrics.begin()
        contracts.hook(self._service, "after_fork", self._context)

    def execute(self, batch):
        """Rows are handed over as they came, in one call; those that handlers look at alone, in calls of their own."""
        together = []
        running = self._running or ()
        for request in batch.requests:
            _, _, _, offset, size = request.tensors[0]
            row = self._rows.make(request, batch.read(offset, size), running)
            if self.main is not None:
                self.main.begin(row, request.cancel_slot)
            elif row.alone:
                self._predict(batch, [row])
            else:
                together.append(row)
        if together:
            self._predict(batch, together)

    def finalize(self):
        if self._ranks is not None:
            self._ranks.close()
        if self._metrics is not None:
            self._metrics.close()

    def _predict(self, batch, taken):
        context = self._context
        stream = _Stream(self._runtime.side, context, taken)
        self._begin(context, taken, stream)
        if self._ranks is not None:
            self._ranks.send(taken)
        started = time.perf_counter()
        try:
            result = self._handle([row.content for row in taken], context)
            bodies = [answers.encoded(value) for value in answers.checked(result, len(taken))]
            goes_on = sequences.unfinished(context, result) if self._running is not None and not taken[0].alone else ()
        except Exception as error:
            if self._ranks is not None:
                self._ranks.wait_in_step()
            self._fail(batch, taken, stream, error)
            return
        finally:
            context.streamer = None
        self._metrics.set_gauge(self._prediction_time, (time.perf_counter() - started) * 1000, context.request_ids)
        ended = sequences.ended(context, taken)
        streamed = stream.used
        for index, row in enumerate(taken):
            found = answers.parameters(context, index) if index not in stream.begun else {}
            if index in goes_on:
                stream.send(index, bodies[index], found, 0)
                batch.respond(row.key, flags=wire.RESCHEDULED)
                continue
            flags = wire.FINAL | (wire.ENDS_SEQUENCE if index in ended else 0)
            if streamed:
                stream.send(index, bodies[index], found, flags)
                continue
            offset, size = batch.write(bodies[index])
            tensor = wire.pack_tensor(_BODY, b"", wire.UINT8, (1, size), offset, size)
            batch.respond(row.key, (tensor,), answers.extras(found), flags)
        if self._running is not None:
            self._running.update(taken, goes_on)
        if goes_on:
            # EXECUTED must not be faster than the pieces.
            self._runtime.side.sync()

    async def _answer_alone(self, row):
        """One request of a model with asyncCommunication, with a context of its own. Its answer takes the side channel."""
        context = copy.copy(self._context)
        context.metrics = copy.copy(context.metrics)
        stream = _Stream(self._runtime.side, context, [row])
        self._begin(context, [row], stream)
        try:
            await self._predict_alone(row, context, stream)
        except asyncio.CancelledError:
            self._runtime.side.respond_error(row.key, "CANCELLED", "the handler's task was cancelled")
        except errors.ChannelClosed:
            raise
        except Exception as error:
            failure = _logged(error)
            if failure.status == 200 and not stream.used:
                stream.send(0, _TEXT_OF_200, {}, wire.FINAL)
            else:
                stream.fail(failure)
        finally:
            context.streamer = None

    async def _predict_alone(self, row, context, stream):
        started = time.perf_counter()
        result = self._handle([row.content], context)
        if inspect.isawaitable(result):
            result = await result
        (value,) = answers.checked(result, 1)
        body = answers.encoded(value)
        found = {} if stream.used else answers.parameters(context, 0)
        flags = wire.FINAL | (wire.ENDS_SEQUENCE if sequences.ended(context, [row]) else 0)
        self._metrics.set_gauge(self._prediction_time, (time.perf_counter() - started) * 1000, context.request_ids)
        stream.send(0, body, found, flags)

    def _begin(self, context, taken, stream):
        context.request_ids = {index: row.request_id for index, row in enumerate(taken)}
        context.request_processor = [self._processor(row) for row in taken]
        context.metrics.request_ids = context.request_ids
        context.streamer = stream

    def _fail(self, batch, taken, stream, error):
        failure = _logged(error)
        if stream.used:
            stream.fail(failure)
            return
        for row in taken:
            if failure.status == 200:
                offset, size = batch.write(_TEXT_OF_200)
                batch.respond(row.key, (wire.pack_tensor(_BODY, b"", wire.UINT8, (1, size), offset, size),))
            else:
                batch.responses.append(
                    wire.pack_response(row.key, wire.FINAL | wire.ERROR, (), answers.failure_extras(failure))
                )


def _logged(error):
    failure = answers.failure_of(error)
    if not isinstance(error, answers.Failure):
        logger.error("the handler has failed: %s", error, exc_info=error)
    else:
        logger.error("%s", failure.message)
    return failure


class _Stream:
    """Takes the intermediate answers of a batch: what send_intermediate_predict_response calls, on any thread. Once it
    was used, the last answers take the same way, so that none overtakes another."""

    def __init__(self, side, context, taken):
        self._side = side
        self._context = context
        self._rows = taken
        self.begun = set()  # numbers of requests whose first piece is out, and their status with it

    @property
    def used(self):
        return bool(self.begun)

    def __call__(self, values, request_ids):
        if len(values) != len(request_ids):
            raise answers.Failure(503, "number of batch response mismatched")
        for index, value in zip(request_ids, values):
            found = {} if index in self.begun else answers.parameters(self._context, index)
            self.send(index, answers.encoded(value), found, 0)

    def send(self, index, body, found, flags):
        self.begun.add(index)
        offset, size = self._side.write(body)
        tensor = wire.pack_tensor(_BODY, b"", wire.UINT8, (1, size), offset, size)
        self._side.respond(self._rows[index].key, (tensor,), answers.extras(found), flags)

    def fail(self, failure):
        for row in self._rows:
            response = wire.pack_response(row.key, wire.FINAL | wire.ERROR, (), answers.failure_extras(failure))
            self._side.send(wire.RESPONSE, wire.pack_responses([response]))
