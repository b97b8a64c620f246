"""Calls of other models: business logic scripting, synchronous, awaited, and as streams."""

import asyncio
import queue

from headrace_worker import errors, wire
from headrace_worker.triton_contract import context, values
from headrace_worker.triton_contract import response as response_module
from headrace_worker.triton_contract import tensor as tensor_module

_FAILED = "An error occurred while performing BLS request."


def run(request, decoupled):
    """The response of a call, or with `decoupled` the iterator over its responses."""
    answers = queue.SimpleQueue()
    key, failure = _start(request, decoupled, answers.put)
    if failure is not None:
        answers.put((failure, True))
    if decoupled:
        return ResponseIterator(key, answers)
    return answers.get()[0]


def run_async(request, decoupled):
    """A future of the running event loop for what `run` returns; of a stream once its first response is there."""
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    answers = queue.SimpleQueue()
    key = 0

    def resolve(response):
        if not future.done():
            future.set_result(ResponseIterator(key, answers) if decoupled else response)

    def answered(answer):
        first = decoupled and not started
        if decoupled:
            answers.put(answer)
        if first or not decoupled:
            started.append(True)
            try:
                loop.call_soon_threadsafe(resolve, answer[0])
            except RuntimeError:
                pass  # the loop has been closed: nobody waits

    started = []
    try:
        key, failure = _start(request, decoupled, answered)
    except values.TritonModelException as error:
        future.set_exception(error)
        return future
    if failure is not None:
        answered((failure, True))
    else:
        future.add_done_callback(lambda done: done.cancelled() and context.current.side().cancel_call(key))
    return future


def _start(request, decoupled, answered):
    """(key, None or the response that says why the call could not start). `answered((response, final))` is called on the
    side channel's thread for each response."""
    current = context.current
    if not current.may_call:
        raise values.TritonModelException("BLS is only supported during the 'execute' function.")
    side = current.side()
    key = side.next_number()

    def on_response(flags, tensors, extras):
        if flags is None:
            answered((_failure("the worker is ending"), True))
        else:
            answered((_response(current.runtime, tensors, extras), bool(flags & wire.FINAL)))

    try:
        body = _pack(request, decoupled, key, current)
        side.call(key, body, on_response)
    except (errors.RegionFull, errors.ChannelClosed, ValueError) as error:
        return key, _failure(str(error))
    return key, None


def _failure(text):
    return response_module.InferenceResponse(error=values.TritonError(text or _FAILED))


def _pack(request, decoupled, key, current):
    request.check_callable()
    side = current.side()
    packer = response_module.OutputPacker(current.runtime.region, side.place, current.output_index)
    tensors = [packer.pack_named(tensor) for tensor in request._inputs]
    extras = {
        "model_name": request._model_name,
        "model_version": request._model_version,
        "wanted_outputs": request._wanted,
        "decoupled": bool(decoupled),
    }
    correlation = request._correlation_id
    if isinstance(correlation, str):
        extras["correlation_id"], correlation = correlation, 0
    if request._id:
        extras["id"] = request._id
    if request._trace._key is not None:
        extras["parent"] = request._trace._key
    text = wire.pack_json(extras)
    if request._parameters != "{}":
        text = text[:-1] + b',"parameters":' + request._parameters.encode("utf-8", "replace") + b"}"
    return wire.pack_request(key, correlation, request._timeout, request._flags, tensors, text)


def _response(runtime, tensors, extras):
    """The InferenceResponse of a CALL_RESPONSE; each tensor is a block of its own that its views keep."""
    region = runtime.region
    outputs = []
    for parsed in tensors:
        _, _, _, offset, size = parsed
        block = region.array(offset, size)
        if size:
            region.watch(block, offset, runtime.side.release)
        outputs.append(tensor_module.InputTensor(parsed, block, offset))
    response = response_module.InferenceResponse(outputs, values.error_of(extras))
    if extras.get("parameters"):
        response._parameters = values.parameters_text(extras["parameters"])
    return response


class ResponseIterator:
    """The responses of a call as they come; iterated again, those that came."""

    def __init__(self, key, answers):
        self._key = key
        self._answers = answers
        self._responses = []
        self._next = 0
        self._finished = False

    def __iter__(self):
        if self._finished and self._next >= len(self._responses):
            self._next = 0
        return self

    def __next__(self):
        if self._finished:
            if self._next == len(self._responses):
                raise StopIteration("Iteration is done for the responses.")
            self._next += 1
            return self._responses[self._next - 1]
        response, self._finished = self._answers.get()
        self._responses.append(response)
        self._next = len(self._responses)
        return response

    def cancel(self):
        """Asks the called model to stop; the responses that it still sends come."""
        if not self._finished:
            context.current.side().cancel_call(self._key)
