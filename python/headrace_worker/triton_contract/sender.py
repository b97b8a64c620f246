"""Response senders, and who still owes the server an answer."""

import threading

from headrace_worker import errors, wire
from headrace_worker.triton_contract import context, values
from headrace_worker.triton_contract import response as response_module

FINAL = 1
_REFUSED = "Unable to send response. "


class Debt:
    """That a request has not been answered yet. Its request and its sender hold it; when both have gone without a final
    response, the server is told that none will come.

    `armed`: the request is past its EXECUTE, so that nobody else answers it.
    """

    __slots__ = ("key", "sent", "closed", "armed", "lock")

    def __init__(self, key):
        self.key = key
        self.sent = 0
        self.closed = False
        self.armed = False
        self.lock = threading.Lock()

    def __del__(self):
        runtime = context.current.runtime
        if self.armed and not self.closed and runtime is not None:
            runtime.side.drop(self.key)


class InferenceResponseSender:
    """Sends the responses of one request, from any thread and after `execute` has returned."""

    __slots__ = ("_debt", "_slot", "_wanted")

    def __init__(self, debt, slot, wanted):
        self._debt = debt
        self._slot = slot
        self._wanted = wanted

    def is_cancelled(self):
        """Whether nobody waits for the response any more."""
        return not self._debt.closed and context.current.runtime.region.cancelled(self._slot)

    def send(self, response=None, flags=0):
        """Sends a response; with flag TRITONSERVER_RESPONSE_COMPLETE_FINAL the last one, which may be None."""
        if flags not in (0, FINAL):
            raise values.TritonModelException(_REFUSED + "Unsupported flag provided.")
        if response is None:
            if flags == 0:
                raise values.TritonModelException(
                    "Inference Response object must be provided when the response flags is set to zero."
                )
        elif not isinstance(response, response_module.InferenceResponse):
            raise TypeError(f"send takes an InferenceResponse, not {type(response).__name__}")
        debt = self._debt
        with debt.lock:
            check(debt, response, flags)
            if flags == FINAL:
                debt.closed = True
            debt.sent += 1
        self._send(response, flags)

    def _send(self, response, flags):
        current = context.current
        side = current.side()
        tensors, extras = (), b""
        try:
            if response is not None:
                if response._error is None:
                    packer = response_module.OutputPacker(current.runtime.region, side.place, current.output_index)
                    tensors = packer.pack(response._tensors, self._wanted)
                else:
                    flags |= wire.ERROR
                extras = response_module.extras_of(response)
            side.respond(self._debt.key, tensors, extras, flags)
        except errors.ChannelClosed:
            pass
        except (errors.RegionFull, ValueError) as error:
            # The response cannot be carried: its request fails, and the model hears of it.
            self._debt.closed = True
            side.respond_error(self._debt.key, "INTERNAL", str(error))
            raise values.TritonModelException(str(error)) from None


def check(debt, response, flags):
    """Whether a request may have this response now."""
    if not context.current.decoupled:
        if response is not None and debt.sent:
            raise values.TritonModelException(_REFUSED + "Non-decoupled model cannot send more than one response.")
        if response is None and flags == FINAL and not debt.sent:
            raise values.TritonModelException(
                _REFUSED + "Non-decoupled model cannot send complete final before sending a response."
            )
    if debt.closed:
        raise values.TritonModelException(_REFUSED + "Response sender has been closed.")
