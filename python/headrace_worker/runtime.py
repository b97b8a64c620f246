"""The worker's main loop: one question of the server after the other, on the main thread."""

import os
import platform
import sys
import threading

from headrace_worker import batch as batch_module
from headrace_worker import channel as channel_module
from headrace_worker import contracts, errors, forking, region, side_channel, wire

_PROTOCOL = 1
_BESIDE = object()  # what _load returns if the contract wants the main thread


class Runtime:
    """What a contract may use: the data region, the side channel, and the facts of LOAD.

    region: region.Region. side: side_channel.SideChannel. load: the object of LOAD, {} before it came.
    """

    def __init__(self, call, side, data):
        """Takes the three inherited descriptors."""
        self.region = region.Region(data)
        self._call = channel_module.Channel(call, self.region)
        self.side = side_channel.SideChannel(channel_module.Channel(side, self.region), self.region)
        self.load = {}
        self._begin()
        self._contract = None
        self._cloner = None
        self._input_names = ()
        self._is_template = False  # FORK may come
        self._is_copy = False  # of a template, and LOAD has not come yet
        self._forked = False
        os.register_at_fork(after_in_child=self._after_fork)

    def _begin(self):
        # The server may send an EXECUTE before it has read the last answer, but not before the one that came before that.
        self._space = batch_module.CallSpace(self.region.arena)
        self._last_space = batch_module.CallSpace(self.region.arena)
        self._execute_count = 0

    def serve(self):
        """Answers until FINALIZE, or the end of the channel, or a model that exits; returns the exit status."""
        self._call.send(wire.HELLO, wire.pack_json(self._greeting()))
        try:
            status = self._answer_questions()
            return self._answer_beside() if status is _BESIDE else status
        except errors.ChannelClosed:
            return 0
        finally:
            self.side.close()

    def _answer_questions(self):
        """The loop; returns the exit status, or _BESIDE."""
        answers = {
            wire.EXECUTE: self._execute,
            wire.LOAD: self._load,
            wire.COMPLETE_CONFIG: self._complete_config,
            wire.FINALIZE: self._finalize,
            wire.PREPARE: self._prepare,
        }
        receive = self._call.receive
        while True:
            try:
                kind, flags, body, _ = receive()
            except KeyboardInterrupt:
                continue
            if kind == wire.EXECUTE:
                self._begin_execute(flags)
            else:
                self._space.reset()
            answer = answers.get(kind)
            if answer is None:
                raise errors.WireError(f"a packet of type {kind} came on the call channel")
            status = answer(body)
            if status is not None:
                return status
            if self._is_template:
                body = None  # it may lie in the region, which a copy leaves
                if not self._serve_forks():
                    return 0
                receive = self._call.receive

    def _answer_beside(self):
        """The contract has the main thread, and questions are answered on another one."""
        ended = []

        def answer():
            try:
                ended.append((self._answer_questions(), None))
            except BaseException as error:
                ended.append((None, error))
            finally:
                self._contract.main.stop()

        threading.Thread(target=answer, name="headrace-calls", daemon=True).start()
        try:
            self._contract.main.run()
        except SystemExit as error:
            return exit_status(error)
        if not ended:
            return 0  # the side channel has closed
        status, error = ended[0]
        if error is not None:
            raise error
        return status

    @staticmethod
    def _greeting():
        greeting = {"protocol": _PROTOCOL, "pid": os.getpid(), "python": platform.python_version()}
        try:
            import numpy

            greeting["numpy"] = numpy.__version__
        except ImportError:
            greeting["numpy"] = ""
        return greeting

    # Questions. Each returns None, or the status that the process exits with after the answer.

    def _load(self, body):
        loaded = self._contract is not None
        if loaded and not self._is_copy:
            raise errors.WireError("a second LOAD came")
        self._is_copy = False
        self.load = wire.parse_json(body)
        answer, status = {}, None
        try:
            self.region.check(self.load.get("data"))
            self._input_names = tuple(self.load.get("input_names", ()))
            if not loaded:
                self._contract = contracts.create(self.load.get("contract"), self, self.load)
                self._contract.load()
                if contracts.forks(self.load):
                    self._contract.before_fork()
            if loaded or contracts.forks(self.load):
                self._contract.after_fork(self.load)
            self.side.is_ready = self._contract.is_ready
            if self.side.is_ready is not None:
                answer["is_ready"] = True
            self.side.start()
        except errors.WireError:
            raise
        except BaseException as error:
            answer, status = self._failure(error)
        self._answer(wire.LOADED, wire.pack_json(answer), status)
        if status is None and "error" not in answer and self._contract.main is not None:
            return _BESIDE
        return status

    def _prepare(self, body):
        """Loads as `_load` does, to be copied."""
        if self._contract is not None:
            raise errors.WireError("a PREPARE came after the model was loaded")
        self.load = wire.parse_json(body)
        answer, status = {}, None
        try:
            self._cloner = forking.Cloner()
            self.region.check(self.load.get("data"))
            self._input_names = tuple(self.load.get("input_names", ()))
            self._contract = contracts.create(self.load.get("contract"), self, self.load)
            self._contract.load()
            if not self._contract.fork_safe:
                raise errors.CallError("UNSUPPORTED", "the model says fork_safe = False, or asyncCommunication is on")
            self._contract.before_fork()
            forking.make_ready()
            self._is_template = True
        except BaseException as error:
            answer, status = self._failure(error)
        self._answer(wire.PREPARED, wire.pack_json(answer), status)
        return status

    def _serve_forks(self):
        """Makes a copy for each FORK. True in the copy, which goes on as a worker does; False at the template's end."""
        while True:
            try:
                kind, body, descriptors = self._call.receive_with_descriptors(4)
            except KeyboardInterrupt:
                continue
            if kind == wire.FINALIZE:
                self._answer(wire.FINALIZED, wire.pack_json({}))
                return False
            order = wire.parse_json(body) if kind == wire.FORK else None
            if order is None or len(descriptors) != 4:
                raise errors.WireError(f"a packet of type {kind} with {len(descriptors)} descriptors came to a template")
            try:
                copied = self._cloner.fork() == 0
            except OSError as error:
                copied = False
                self._answer(wire.FORKED, wire.pack_json({"error": errors.as_object("UNAVAILABLE", str(error))}))
            if copied:
                self._become_worker(order, *descriptors)
                return True
            for descriptor in descriptors:
                os.close(descriptor)

    def _become_worker(self, order, call, side, data, output):
        self._is_template, self._is_copy = False, True
        try:
            self._cloner.die_with_server()
            self._cloner.set_mark(order.get("mark", ""))
            forking.settle(order, output)
            self.region.attach(data)
            self.side.attach(channel_module.Channel(side, self.region))
            self._begin()
        except BaseException as error:
            self._call.send(wire.FORKED, wire.pack_json(self._failure(error)[0]))
            os._exit(1)
        # The server takes the process id from the kernel, which says it of the sender.
        self._call.send(wire.FORKED, wire.pack_json({}))
        self._call.close()
        self._call = channel_module.Channel(call, self.region)
        self._call.send(wire.HELLO, wire.pack_json(self._greeting()))

    def _complete_config(self, body):
        self.load = wire.parse_json(body)
        answer, status = {"config": None}, None
        try:
            contract = contracts.create(self.load.get("contract"), self, self.load)
            config = contract.complete_config()
            answer["config"] = None if config is None else wire.pack_json(config).decode()
        except BaseException as error:
            answer, status = self._failure(error)
        self._answer(wire.CONFIG, wire.pack_json(answer), status)
        return status

    def _finalize(self, _):
        answer = {}
        try:
            if self._contract is not None:
                self._contract.finalize()
        except BaseException as error:
            answer, _ = self._failure(error)
        self._answer(wire.FINALIZED, wire.pack_json(answer))
        return 0

    def _begin_execute(self, flags):
        """Says that it has begun, and makes room for its answer."""
        self._execute_count += 1
        self.region.begun[0] = self._execute_count
        if flags & wire.ALL_READ:
            self._last_space.reset()
        else:
            self._space, self._last_space = self._last_space, self._space
        self._space.reset()

    def _execute(self, body):
        """The hot path: about 5 us for each request of a small batch, with the model's own work."""
        contract = self._contract
        if contract is None:
            raise errors.WireError("an EXECUTE came before LOAD")
        requests, offset, size = wire.parse_execute(body, self._input_names)
        batch = batch_module.Batch(requests, offset, size, self.region, self._space)
        status = None
        try:
            contract.execute(batch)
        except errors.ChannelClosed:
            raise
        except BaseException as error:
            answer, status = self._failure(error)
            batch.fail(answer["error"]["code"], answer["error"]["message"])
        status = batch.exit_status if status is None else status
        responses = wire.pack_responses(batch.responses)
        block = batch.let_go_of_block()
        kept = batch.kept
        # Only the model's own views may keep the block from now on.
        del requests, batch
        # The two references are this function's variable and the argument of the question itself.
        if block is None or sys.getrefcount(block) <= 2:
            del block
            self._answer(wire.EXECUTED, responses, status, wire.BLOCK_FREE)
        else:
            self._answer(wire.EXECUTED, responses, status)
            self.region.watch(block, offset, self.side.release)
        kept.clear()
        return status

    def _answer(self, kind, body, status=None, flags=0):
        """Sends an answer. A child that the model has forked and that came back to here ends instead, with `status`."""
        if self._forked:
            os._exit(1 if status is None else status)
        if status is not None:
            # What the server might still ask must not be lost with this process: it cannot send it.
            self._call.stop_receiving()
        offset = self._call.send(kind, body, flags)
        if offset:
            self._space.keep(offset)

    @staticmethod
    def _failure(error):
        """({"error": ...}, exit status or None) of what a contract has raised."""
        if isinstance(error, errors.CallError):
            return {"error": errors.as_object(error.code, error.message)}, None
        answer = {"error": errors.as_object("INTERNAL", errors.describe(error))}
        return answer, exit_status(error)

    def _after_fork(self):
        """In a child that the model has forked: only the parent speaks with the server."""
        if self._is_template:
            return  # the copy has channels of its own
        self._forked = True
        self._call.close()
        self.side.forget()


def exit_status(error):
    """The status that a SystemExit asks for, None for every other exception."""
    if not isinstance(error, SystemExit):
        return None
    if error.code is None:
        return 0
    return error.code & 0xFF if isinstance(error.code, int) else 1
