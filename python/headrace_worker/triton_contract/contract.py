"""The contract over one loaded model: load, execute, finalize, and what each may do wrong."""

import asyncio
import json
import os

from headrace_worker import contracts, errors, runtime, wire
from headrace_worker.triton_contract import context, event_loop, loader, model_config, request, response, sender, values

_OWN_FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


class _Refused(Exception):
    """What `execute` returned is not what the contract wants; its text goes to the client as it is."""


class TritonContract(contracts.Contract):
    """One TritonPythonModel."""

    def __init__(self, runtime, load):
        self._runtime = runtime
        self._load = load
        self._name = load.get("instance_name") or load.get("model_name", "")
        self._decoupled = bool(load.get("decoupled"))
        self._model = None
        self._execute = None
        self._file = None
        self._loop = event_loop.EventLoop(self._log_error)
        self._index = {name: index for index, name in enumerate(load.get("output_names", ()))}
        context.current.runtime = runtime
        context.current.version_directory = load.get("version_directory", "")
        context.current.output_index = self._index
        context.current.decoupled = self._decoupled

    # Loading

    def load(self):
        try:
            self._file = loader.ModelFile(self._load)
            self._model = self._file.import_class()()
            if hasattr(self._model, "initialize"):
                self._model.initialize(self._arguments())
        except SystemExit:
            raise
        except BaseException as error:
            raise errors.CallError("INTERNAL", text_of(error)) from error
        self._execute = getattr(self._model, "execute", None)
        self.fork_safe = getattr(self._model, "fork_safe", True) is not False
        if hasattr(self._model, "is_ready"):
            self.is_ready = self._is_ready
        context.current.may_call = True

    def before_fork(self):
        self._hook("before_fork")

    def after_fork(self, load):
        self._load = load
        self._name = load.get("instance_name") or load.get("model_name", "")
        context.current.may_call = True
        self._hook("after_fork")

    def _hook(self, name):
        try:
            contracts.hook(self._model, name, self._arguments())
        except SystemExit:
            raise
        except BaseException as error:
            raise errors.CallError("INTERNAL", text_of(error)) from error

    def _arguments(self):
        """What `initialize` gets: texts only."""
        load = self._load
        return {
            "model_config": json.dumps(load.get("config", {}), separators=(",", ":")),
            "model_instance_kind": load.get("kind", "CPU"),
            "model_instance_name": self._name,
            "model_instance_device_id": str(load.get("device_id", 0)),
            "model_repository": load.get("model_directory", ""),
            "model_version": str(load.get("model_version", "")),
            "model_name": load.get("model_name", ""),
        }

    def complete_config(self):
        try:
            self._file = loader.ModelFile(self._load)
            model = self._file.import_class()
            if not hasattr(model, "auto_complete_config"):
                return None
            given = model_config.ModelConfig(json.dumps(self._load.get("config", {})))
            completed = model.auto_complete_config(given)
            if not isinstance(completed, model_config.ModelConfig):
                raise _Refused(
                    f"auto_complete_config function in model '{self._file.path}' must return a valid pb.ModelConfig object."
                )
        except SystemExit:
            raise
        except BaseException as error:
            raise errors.CallError("INTERNAL", text_of(error)) from error
        return completed.as_dict()

    def _is_ready(self):
        ready = self._model.is_ready()
        if asyncio.iscoroutine(ready):
            ready = self._loop.run(ready)
        return ready

    def finalize(self):
        context.current.may_call = False
        self._loop.stop()
        if hasattr(self._model, "finalize"):
            self._model.finalize()

    # Execution

    def execute(self, batch):
        block, start = batch.block(), batch.offset
        requests = [request.ServerRequest(parsed, block, start) for parsed in batch.requests]
        try:
            if self._execute is None:
                raise _Refused(f"Python model {self._file.path} does not implement `execute` method.")
            returned = self._execute(requests)
            if returned is not None:
                if asyncio.iscoroutine(returned):
                    returned = self._run_coroutine(returned)
                if returned is not None:
                    self._answer(batch, requests, returned)
        except errors.ChannelClosed:
            raise
        except BaseException as error:
            self._fail(batch, requests, error)
            batch.exit_status = runtime.exit_status(error)
            return
        if returned is None:
            self._leave_open(batch, requests)
        elif len(batch.responses) != len(requests):
            self._leave_open(batch, [asked for asked, answer in zip(requests, returned) if answer is None])

    def _run_coroutine(self, coroutine):
        """What an async `execute` returns; a decoupled model's runs on in the background."""
        if self._decoupled:
            self._loop.run_in_background(coroutine)
            return None
        return self._loop.run(coroutine)

    def _answer(self, batch, requests, returned):
        """Checks all that `execute` returned, then answers."""
        if self._decoupled:
            raise _Refused(
                f"Python model '{self._name}' is using the decoupled mode and the execute function must return None."
            )
        if not isinstance(returned, list):
            raise _Refused(f"Expected a list in the execute return, found type '{type(returned)}'.")
        if len(returned) != len(requests):
            raise _Refused(
                "Number of InferenceResponse objects do not match the number of InferenceRequest objects. "
                f"InferenceRequest(s) size is:{len(requests)}, and InferenceResponse(s) size is:{len(returned)}\n"
            )
        for asked, answer in zip(requests, returned):
            plain = type(answer) is response.InferenceResponse and asked.debt is None
            if not (plain and asked._release == request.RELEASE_ALL) and answer is not None:
                self._check(asked, answer)
        packer = response.OutputPacker(self._runtime.region, batch.place, self._index, batch.block(), batch.offset)
        for asked, answer in zip(requests, returned):
            if answer is not None:
                self._pack(batch, packer, asked, answer)

    @staticmethod
    def _check(asked, answer):
        if asked._release == request.RELEASE_RESCHEDULE:
            raise _Refused(
                "Expected a None object in the execute function return list for reschduled request, found type "
                f"'{type(answer)}'."
            )
        if not isinstance(answer, response.InferenceResponse):
            raise _Refused(
                "Expected an 'InferenceResponse' object in the execute function return list, found type "
                f"'{type(answer)}'."
            )
        debt = asked.debt
        if debt is not None:
            with debt.lock:
                try:
                    sender.check(debt, answer, sender.FINAL)
                except values.TritonModelException as error:
                    raise _Refused(str(error)) from None
                debt.closed = True

    @staticmethod
    def _pack(batch, packer, asked, answer):
        key = asked._wire.key
        try:
            if answer._error is None:
                tensors = packer.pack(answer._tensors, asked.wanted())
                batch.respond(key, tensors, response.extras_of(answer) if answer._parameters else b"")
            else:
                batch.respond(key, (), response.extras_of(answer), wire.FINAL | wire.ERROR)
        except (errors.RegionFull, ValueError) as error:
            batch.respond_error(key, "INTERNAL", str(error))

    def _leave_open(self, batch, requests):
        """Requests without an answer: those to be executed again, and those that a sender will answer."""
        overtaken = False
        for asked in requests:
            debt = asked.owe()
            with debt.lock:
                if debt.closed:
                    continue
                if asked._release == request.RELEASE_RESCHEDULE:
                    debt.closed = True
                    overtaken = overtaken or debt.sent > 0
                    batch.respond(debt.key, flags=wire.RESCHEDULED)
                else:
                    debt.armed = True
                    batch.kept.append(debt)
        if overtaken:
            # EXECUTED must not be faster than the responses that a sender has sent.
            self._runtime.side.sync()

    def _fail(self, batch, requests, error):
        """Answers all that have no answer yet with the error."""
        text = f"Failed to process the request(s) for model '{self._name}', message: {text_of(error)}"
        self._log_error(text)
        batch.responses.clear()
        overtaken = False
        for asked in requests:
            debt = asked.debt
            if debt is not None:
                with debt.lock:
                    if debt.closed and debt.sent:
                        continue
                    debt.closed = True
                    overtaken = overtaken or debt.sent > 0
            batch.respond_error(asked._wire.key, "INTERNAL", text)
        if overtaken:
            self._runtime.side.sync()

    def _log_error(self, text):
        try:
            self._runtime.side.log("ERROR", text)
        except errors.ChannelClosed:
            pass


def text_of(error):
    """The text of an exception as Triton gives it: type, text, and the places it came through, innermost first."""
    if isinstance(error, _Refused):
        return str(error)
    places = []
    step = error.__traceback__
    while step is not None:
        code = step.tb_frame.f_code
        if not code.co_filename.startswith((_OWN_FOLDER, "<frozen ")):
            places.append(f"  {code.co_filename}({step.tb_lineno}): {code.co_name}\n")
        step = step.tb_next
    trace = "\n\nAt:\n" + "".join(reversed(places)) if places else ""
    return errors.describe(error) + trace
