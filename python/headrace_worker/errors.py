"""Errors on their way to the server: codes, and texts that stay within a limit."""

import traceback

# The names of the protocol, in the order of Triton's numbers.
CODES = (
    "UNKNOWN",
    "INTERNAL",
    "NOT_FOUND",
    "INVALID_ARG",
    "UNAVAILABLE",
    "UNSUPPORTED",
    "ALREADY_EXISTS",
    "CANCELLED",
)
# Characters of an error's text that reach the client; a model may raise with a text of any length.
TEXT_LIMIT = 16_384


class WireError(Exception):
    """A packet broke the rules of the protocol: the worker cannot go on."""


class ChannelClosed(Exception):
    """The other end is gone: the server has ended this worker, or has died."""


class RegionFull(Exception):
    """A tensor has no room in the worker's half of the data region."""


class CallError(Exception):
    """The server refused what the model asked for. `code` is one of CODES."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code
        self.message = message


def capped(text):
    """`text` itself, or its beginning and the number of characters that were left out."""
    if len(text) <= TEXT_LIMIT:
        return text
    return f"{text[:TEXT_LIMIT]}... ({len(text) - TEXT_LIMIT} more characters)"


def as_object(code, message):
    """The JSON form of an error."""
    return {"code": code, "message": capped(message)}


def describe(error):
    """ "<Type>: <text>" of an exception, even of one whose text cannot be made."""
    try:
        text = str(error)
    except BaseException as second:
        text = f"<its text cannot be made: {type(second).__name__}>"
    return capped(f"{type(error).__name__}: {text}")


def trace(error):
    """The places that an exception came through, innermost last: "  file(line): function" each."""
    lines = []
    for frame in traceback.extract_tb(error.__traceback__):
        lines.append(f"  {frame.filename}({frame.lineno}): {frame.name}")
    return "\n".join(lines)
