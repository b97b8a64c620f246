"""Requests: those that the server gives a model, and those that a model makes to call another."""

import json

from headrace_worker.triton_contract import calls, context, sender, values
from headrace_worker.triton_contract import tensor as tensor_module

RELEASE_ALL = 1
RELEASE_RESCHEDULE = 2


class InferenceRequest:
    """A request to another model, run by `exec` or `async_exec`."""

    __slots__ = (
        "_id", "_correlation_id", "_inputs", "_wanted", "_model_name", "_model_version", "_flags", "_timeout", "_trace",
        "_parameters",
    )  # fmt: skip

    def __init__(
        self,
        request_id="",
        correlation_id=0,
        inputs=None,
        requested_output_names=None,
        model_name=None,
        model_version=-1,
        flags=0,
        timeout=0,
        preferred_memory=None,
        trace=None,
        parameters=None,
    ):
        missing = [
            name
            for name, value in (
                ("inputs", inputs),
                ("requested_output_names", requested_output_names),
                ("model_name", model_name),
            )
            if value is None
        ]
        if missing:
            raise TypeError(f"an InferenceRequest needs {', '.join(missing)}")
        if isinstance(correlation_id, bool) or not isinstance(correlation_id, (int, str)):
            raise values.TritonModelException("Correlation ID must be integer or string")
        if not isinstance(preferred_memory, (values.PreferredMemory, type(None))):
            raise TypeError("preferred_memory must be a PreferredMemory")
        whose = f"for request with id '{request_id}' and model name '{model_name}' should not be empty."
        inputs = list(inputs)
        for tensor in inputs:
            if tensor is None:
                raise values.TritonModelException("Input tensor " + whose)
            if not isinstance(tensor, tensor_module.Tensor):
                raise TypeError(f"inputs must hold Tensors, not {type(tensor).__name__}")
        wanted = sorted({str(name) for name in requested_output_names})
        if "" in wanted:
            raise values.TritonModelException("Requested output name " + whose)
        self._id = str(request_id)
        self._correlation_id = correlation_id
        self._inputs = inputs
        self._wanted = wanted
        self._model_name = str(model_name)
        self._model_version = int(model_version)
        self._flags = int(flags)
        self._timeout = int(timeout)
        self._trace = trace or values.InferenceTrace()
        self._parameters = values.parameters_text(parameters)

    def inputs(self):
        """The input tensors as a list."""
        return self._inputs

    def request_id(self):
        """The request's own id."""
        return self._id

    def correlation_id(self):
        """Of a sequence: a number or a text."""
        return self._correlation_id

    def flags(self):
        """TRITONSERVER_REQUEST_FLAG_SEQUENCE_START, _END."""
        return self._flags

    def set_flags(self, flags):
        """See `flags`."""
        self._flags = int(flags)

    def timeout(self):
        """Microseconds; 0: none."""
        return self._timeout

    def parameters(self):
        """The parameters as JSON text."""
        return self._parameters

    def trace(self):
        """The InferenceTrace that this belongs to."""
        return self._trace

    def requested_output_names(self):
        """The wanted outputs as a set."""
        return set(self._wanted)

    def is_cancelled(self):
        """Whether nobody waits for the response any more."""
        return False

    def set_release_flags(self, flags):
        """Of a request from the server only."""

    def get_response_sender(self):
        """Of a request from the server only: another one's sender refuses to send."""
        raise values.TritonModelException(
            "Unable to send response. Response sender has no reference to the decoupled state of the model."
        )

    def check_callable(self):
        """TritonModelException unless the request names a model to call."""

    def exec(self, decoupled=False):
        """Runs the request and waits: the InferenceResponse, or with `decoupled` an iterator over them."""
        return calls.run(self, decoupled)

    def async_exec(self, decoupled=False):
        """The same, to be awaited."""
        return calls.run_async(self, decoupled)


class ServerRequest(InferenceRequest):
    """A request that the server gives. What few models ask for is made when it is asked for."""

    __slots__ = ("_wire", "_block", "_start", "_extras", "_release", "debt", "_sender")

    def __init__(self, request, block, start):
        self._wire = request
        self._block = block
        self._start = start
        self._inputs = None
        self._extras = None
        self._release = RELEASE_ALL
        self.debt = None
        self._sender = None

    def inputs(self):
        inputs = self._inputs
        if inputs is None:
            block, start = self._block, self._start
            inputs = [tensor_module.InputTensor(parsed, block, start) for parsed in self._wire.tensors]
            self._inputs = inputs
        return inputs

    def extras(self):
        """What the request has besides its tensors, as a dict."""
        if self._extras is None:
            self._extras = self._wire.parsed_extras()
        return self._extras

    def wanted(self):
        """The wanted outputs as a set; None: all."""
        if not self._wire.extras:
            return None
        wanted = self.extras().get("wanted_outputs")
        return set(wanted) if wanted else None

    def request_id(self):
        return self.extras().get("id", "")

    def correlation_id(self):
        return self.extras().get("correlation_id") or self._wire.correlation_id

    def flags(self):
        return self._wire.flags

    def set_flags(self, flags):
        self._wire.flags = int(flags)

    def timeout(self):
        return self._wire.timeout_us

    def parameters(self):
        return json.dumps(self.extras().get("parameters", {}), separators=(",", ":"), ensure_ascii=False)

    def trace(self):
        return values.InferenceTrace(self.extras().get("trace", ""), self._wire.key)

    def requested_output_names(self):
        wanted = self.wanted()
        return wanted if wanted is not None else set(context.current.output_index)

    def is_cancelled(self):
        if self.debt is not None and self.debt.closed:
            return False
        return context.current.runtime.region.cancelled(self._wire.cancel_slot)

    def set_release_flags(self, flags):
        """TRITONSERVER_REQUEST_RELEASE_ALL, or _RESCHEDULE: the request is to be executed once more."""
        if flags not in (RELEASE_ALL, RELEASE_RESCHEDULE):
            raise values.TritonModelException(f"Invalid request release flags: {flags}")
        self._release = flags

    def owe(self):
        """The request's Debt."""
        if self.debt is None:
            self.debt = sender.Debt(self._wire.key)
        return self.debt

    def get_response_sender(self):
        """The InferenceResponseSender of this request."""
        if self._sender is None:
            self._sender = sender.InferenceResponseSender(self.owe(), self._wire.cancel_slot, self.wanted())
        return self._sender

    def check_callable(self):
        raise values.TritonModelException("a request of the server names no model to call; make an InferenceRequest")
