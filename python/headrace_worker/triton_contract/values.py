"""Small values of the contract: errors, preferred memory, traces, and parameters."""

import enum
import json

from headrace_worker import errors


class TritonModelException(Exception):
    """What the contract's functions raise, and what a model may raise."""


def named_enum(name, members, start=0):
    """An integer enumeration whose texts are those of the published module: "__ErrorCode.INTERNAL"."""

    class Named(enum.IntEnum):
        """See above."""

        def __str__(self):
            return f"{name}.{self.name}"

        def __repr__(self):
            return f"<{name}.{self.name}: {int(self)}>"

        __format__ = object.__format__

    kind = Named(name, members, start=start)
    return kind


_ErrorCode = named_enum("__ErrorCode", errors.CODES)


class TritonError:
    """An error that a response carries: a text and a code."""

    __slots__ = ("_message", "_code")

    UNKNOWN, INTERNAL, NOT_FOUND, INVALID_ARG, UNAVAILABLE, UNSUPPORTED, ALREADY_EXISTS, CANCELLED = _ErrorCode

    def __init__(self, message, code=_ErrorCode.INTERNAL):
        if not isinstance(message, str):
            raise TypeError(f"a TritonError's message must be a str, not {type(message).__name__}")
        self._message = message
        self._code = _ErrorCode(code)

    def code(self):
        """One of TritonError.UNKNOWN, INTERNAL, NOT_FOUND, ..."""
        return self._code

    def message(self):
        """The text."""
        return self._message


def error_of(extras):
    """The TritonError that a response's extras hold, or None."""
    error = extras.get("error")
    if error is None:
        return None
    code = error.get("code")
    number = errors.CODES.index(code) if code in errors.CODES else errors.CODES.index("INTERNAL")
    return TritonError(error.get("message", ""), number)


MemoryType = named_enum("MemoryType", ("TRITONSERVER_MEMORY_GPU", "TRITONSERVER_MEMORY_CPU"))


class PreferredMemory:
    """Where the outputs of a call should lie. Tensors come in memory of the CPU whatever is preferred."""

    __slots__ = ("_type", "_device")

    def __init__(self, preferred_memory_type, preferred_device_id=0):
        self._type = MemoryType(preferred_memory_type)
        self._device = int(preferred_device_id)


class InferenceTrace:
    """The trace that a request belongs to; given on to a call, which joins it."""

    __slots__ = ("_context", "_key")

    def __init__(self, context="", key=None):
        self._context = context
        self._key = key

    def get_context(self):
        """The OpenTelemetry context as JSON text, or None."""
        return self._context or None


def parameters_text(parameters):
    """The JSON text of a dict of parameters, checked; "{}" for None."""
    if parameters is None:
        return "{}"
    if not isinstance(parameters, dict):
        raise TypeError(f"parameters must be a dict, not {type(parameters).__name__}")
    for key, value in parameters.items():
        if not isinstance(key, str):
            raise TritonModelException(f"Expect parameters keys to have type str, found type {type(key)}")
        if not isinstance(value, (bool, int, str, float)):
            raise TritonModelException(f"Expect parameters values to have type bool/int/str, found type {type(value)}")
    return json.dumps(parameters)
