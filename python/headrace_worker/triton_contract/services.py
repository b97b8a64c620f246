"""Log and model control: what a model asks of its server besides calls."""

import sys

from headrace_worker import errors, wire
from headrace_worker.triton_contract import context, values

_FILE = "file:"
_Level = values.named_enum("LogLevel", ("INFO", "WARNING", "ERROR", "VERBOSE"))


class Logger:
    """Lines of the server's log, with the model's file and line."""

    LogLevel = _Level
    INFO, WARNING, ERROR, VERBOSE = _Level

    @staticmethod
    def log(message, level=_Level.INFO):
        """A line of any level."""
        _log(_Level(level).name, message)

    @staticmethod
    def log_info(message):
        """A line of level INFO."""
        _log("INFO", message)

    @staticmethod
    def log_warn(message):
        """A line of level WARNING."""
        _log("WARNING", message)

    @staticmethod
    def log_error(message):
        """A line of level ERROR."""
        _log("ERROR", message)

    @staticmethod
    def log_verbose(message):
        """A line of level VERBOSE."""
        _log("VERBOSE", message)


def _log(level, message):
    if not isinstance(message, str):
        raise TypeError(f"a log message must be a str, not {type(message).__name__}")
    frame = sys._getframe(2)
    try:
        context.current.side().log(level, message, frame.f_code.co_filename, frame.f_lineno)
    except errors.ChannelClosed:
        pass


def load_model(model_name, config="", files=None):
    """Loads or reloads a model; `config` is JSON text, `files` {"file:<path>": bytes} replaces the model's files."""
    question = {"op": "load", "model_name": _text("model_name", model_name), "config": _text("config", config)}
    side = context.current.side()
    places = {}
    if files is not None:
        if not isinstance(files, dict):
            raise values.TritonModelException(
                f"failed to load model '{model_name}', files should be a dictionary of file paths and file contents"
            )
        for path, content in files.items():
            if not isinstance(content, (bytes, bytearray, memoryview)):
                raise values.TritonModelException(
                    f"failed to load model '{model_name}', the content of '{path}' is not an instance of 'bytes'"
                )
            if not _text("a path", path).startswith(_FILE):
                raise values.TritonModelException(f"failed to load model '{model_name}', '{path}' does not begin with 'file:'")
            places[path[len(_FILE) :]] = side.write_block(content)
        question["files"] = places
    context.current.ask("Failed to load model: ", wire.CONTROL, question)


def unload_model(model_name, unload_dependents=False):
    """Unloads a model; with `unload_dependents` those that it is an ensemble of, too."""
    question = {"op": "unload", "model_name": _text("model_name", model_name)}
    question["unload_dependents"] = bool(unload_dependents)
    context.current.ask("Failed to unload model: ", wire.CONTROL, question)


def is_model_ready(model_name, model_version=""):
    """Whether a model can serve; "" is the version that the server would choose."""
    question = {"op": "is_ready", "model_name": _text("model_name", model_name)}
    question["model_version"] = _text("model_version", model_version)
    return bool(context.current.ask("Failed to check model readiness: ", wire.CONTROL, question))


def _text(name, value):
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, not {type(value).__name__}")
    return value
