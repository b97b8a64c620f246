"""Where Headrace answers otherwise than TorchServe 0.12, and why."""

import copy
import dataclasses


@dataclasses.dataclass(frozen=True)
class Difference:
    """What differs of one answer.

    `changes` are parts of it with their new values, `without` parts that are not there, `at` values inside of the JSON
    body by their paths ("0.autoscaling"), and `message` is that of TorchServe's error document. `error` is a whole
    error document: (code, type, message).
    """

    why: str
    changes: dict = dataclasses.field(default_factory=dict)
    without: tuple = ()
    at: dict = dataclasses.field(default_factory=dict)
    message: str = None
    error: tuple = None

    def answer(self, theirs):
        """The answer that is expected."""
        ours = {key: value for key, value in copy.deepcopy(theirs).items() if key not in self.without}
        ours.update(self.changes)
        if self.error is not None:
            code, kind, message = self.error
            ours.update(status=code, type="application/json")
            ours["body"] = {"json": {"code": code, "type": kind, "message": message}}
        if self.message is not None:
            ours["body"]["json"]["message"] = self.message
        for path, value in self.at.items():
            *steps, last = (int(step) if step.isdigit() else step for step in path.split("."))
            target = ours["body"]["json"]
            for step in steps:
                target = target[step]
            target[last] = value
        return ours


_SPELLING = "headers are also found without regard to case, after the client's own spelling (appendix A)"
_OPEN = "the v2 protocol is served on the inference listener, whatever the settings"
_REFUSED = "an archive that is none is refused when it is registered, with what is wrong with it"
_WORKERS = "the error of workers that do not start says what they said"
_GONE = "a registration whose workers do not start leaves nothing behind"

_NULLS = "what a handler says of itself is told whole, null too"

_SERVER = {
    "name": "triton",
    "version": "0.1.0",
    "extensions": [
        "classification",
        "model_repository",
        "model_repository(unload_dependents)",
        "model_configuration",
        "system_shared_memory",
        "binary_tensor_data",
        "parameters",
        "statistics",
        "trace",
        "logging",
    ],
}
_MODEL = {
    "name": "echo",
    "versions": ["1"],
    "platform": "handler",
    "inputs": [{"name": "data", "datatype": "UINT8", "shape": [-1, -1]}],
    "outputs": [{"name": "body", "datatype": "UINT8", "shape": [-1, -1]}],
}
_NO_VERSION = "404 for a version that is only written otherwise helps nobody: 1 is 1.0"


def _echo(version_path):
    """What the echo model answers to the words of a path's request."""
    return {
        "status": 200,
        "type": None,
        "body": {
            "json": {
                "row": {"body": {"type": "str", "value": "words"}},
                "headers": {
                    "Content-Type": {"type": "str", "value": "text/plain"},
                    "explain": {"type": "str", "value": "False"},
                    "url_path": {"type": "str", "value": version_path},
                },
                "looked_up": None,
                "model": "echo",
                "version": "1.0",
                "batch_size": 1,
                "gpu_id": None,
            }
        },
    }


EXPECTED = {
    "header spelling": Difference(_SPELLING, at={"looked_up": "one"}),
    "header twice": Difference(_SPELLING, at={"looked_up": "two"}),
    "header empty": Difference(_SPELLING, at={"looked_up": ""}),
    "multipart cut_short": Difference(
        "a form that is cut short is not an empty one",
        error=(400, "BadRequestException", "multipart body: it ends before its last boundary"),
    ),
    "path version_whole": Difference(_NO_VERSION, changes=_echo("")),
    "get /v2": Difference(_OPEN, changes={"status": 200, "body": {"json": _SERVER}}),
    "get /v2/health/live": Difference(_OPEN, changes={"status": 200, "type": "text/plain", "body": ""}),
    "get /v2/health/ready": Difference(_OPEN, changes={"status": 200, "type": "text/plain", "body": ""}),
    "get /v2/models/echo/ready": Difference(_OPEN, changes={"status": 200, "type": "text/plain", "body": ""}),
    "get /v2/models/echo": Difference(_OPEN, changes={"status": 200, "body": {"json": _MODEL}}),
    "behave prediction_413": Difference(
        "the status that a handler asks for is what its client gets",
        changes={"reason": "Content Too Large"},
        error=(413, "InternalServerException", "large"),
    ),
    "behave prediction_599": Difference(
        "a status that has no name of its own has none that is made up", changes={"reason": "Status"}
    ),
    "manage get /models/described?customized=true": Difference(_NULLS, at={"0.customizedMetadata.missing": None}),
    "manage get /models/described/1.0?customized=true": Difference(_NULLS, at={"0.customizedMetadata.missing": None}),
    "manage get /models/echo?customized=true": Difference(
        _NULLS, at={"0.customizedMetadata.gpu_id": None, "0.customizedMetadata.looked_up": None}
    ),
    "manage spare customized": Difference(
        _NULLS, at={"0.customizedMetadata.gpu_id": None, "0.customizedMetadata.looked_up": None}
    ),
    "manage get /models/echo/1.0/set-default": Difference(
        "a method that changes nothing is not taken for another route",
        error=(
            405,
            "MethodNotAllowedException",
            "Requested method is not allowed, please refer to API document.",
        ),
    ),
    "manage register garbage": Difference(
        _REFUSED, message="Invalid model archive garbage.mar: the file is neither a zip nor a gzipped tar archive"
    ),
    "manage register garbage_named": Difference(
        _REFUSED,
        error=(
            400,
            "InvalidModelException",
            "Invalid model archive garbage.mar: the file is neither a zip nor a gzipped tar archive",
        ),
    ),
    "manage register empty_archive": Difference(
        _REFUSED, message="Invalid model archive empty.mar: the file is no archive: it has only 0 bytes"
    ),
    "manage register broken json": Difference(
        "a client's error is no error of the server's",
        error=(
            400,
            "BadRequestException",
            "The request's body is no JSON object: The JSON document has an improper structure: missing or superfluous"
            " commas, braces, missing keys, etc.",
        ),
    ),
    "manage register unloadable": Difference(
        _WORKERS,
        message="Failed to start workers for model unloadable version: 1.0. RuntimeError: this handler cannot be loaded",
    ),
    "manage unloadable described": Difference(
        _GONE, error=(404, "ModelNotFoundException", "Model not found: unloadable")
    ),
    "manage register unloadable without workers": Difference(
        _GONE,  # so this is no second registration; default_workers_per_model gives it a worker
        error=(
            500,
            "InternalServerException",
            "Failed to start workers for model unloadable version: 1.0. RuntimeError: this handler cannot be loaded",
        ),
    ),
    "manage scale unloadable": Difference(_GONE, error=(404, "ModelNotFoundException", "Model not found: unloadable")),
    "manage unregister unloadable": Difference(
        _GONE, error=(404, "ModelNotFoundException", "Model not found: unloadable")
    ),
    "manage register no handler file": Difference(
        _WORKERS,
        message="Failed to start workers for model no_handler_file version: 1.0. ModuleNotFoundError: the handler"
        " 'absent' is neither a file of the model nor a default handler",
    ),
    "manage scale negative": Difference(
        "a client's error is no error of the server's",
        error=(400, "BadRequestException", "min_worker cannot be less than 0."),
    ),
}
