"""The contracts that a model may be written to, by the name that LOAD gives.

A contract is a module of this package with a function `create(runtime, load)`: `runtime` is the `runtime.Runtime`, `load`
the object of LOAD. It returns a `Contract`.
"""

import importlib
import json
import sys

from headrace_worker import errors

_MODULES = {
    "triton": "headrace_worker.triton_contract",
    "handler": "headrace_worker.handler_contract",
}


class Contract:
    """One loaded model. All but `is_ready` runs on the process's main thread; `execute` and `finalize` of a contract with
    `main` on another one.

    What they raise goes to the server as an error: `errors.CallError` with its code and its text, anything else as
    INTERNAL with "<Type>: <text>". SystemExit ends the worker after its answer.
    """

    def load(self):
        """Imports and initializes the model."""
        raise NotImplementedError

    def complete_config(self):
        """The completed configuration as a dict; None when the model completes nothing. Runs without `load`."""
        return None

    def execute(self, batch):
        """Answers the requests of a `batch.Batch`; those without a response are answered later over the side channel."""
        raise NotImplementedError

    # A function without arguments that says whether the model can serve (on a thread of its own); None: it always can.
    is_ready = None

    # What wants the main thread from the end of `load` on: an object with `run()`, which returns after `stop()`. None:
    # the questions of the server have it.
    main = None

    # False: the loaded model must not be copied.
    fork_safe = True

    def before_fork(self):
        """In a template, behind `load`: what the model wants to have done once for all workers."""

    def after_fork(self, load):
        """In a worker that is a copy of a template, in place of `load`: what the model wants to have done in each.
        `load` is the worker's own."""

    def finalize(self):
        """Lets go of the model."""


def forks(load):
    """Whether the model asks for workers that are copies of a template. Where they are started one by one all the same,
    `before_fork` and `after_fork` follow `load` in each."""
    config = load.get("config") or {}
    config = json.loads(config) if isinstance(config, str) else config
    parameter = (config.get("parameters") or {}).get("fork_workers") or {}
    return isinstance(parameter, dict) and parameter.get("string_value") == "true"


def hook(model, name, *arguments):
    """Calls the model's function of that name, if it has one."""
    function = getattr(model, name, None)
    if callable(function):
        function(*arguments)


def create(name, runtime, load):
    """The contract of that name for the model of `load`."""
    module = _MODULES.get(name)
    if module is None:
        raise ValueError(f"unknown contract '{name}'; known are {', '.join(sorted(_MODULES))}")
    try:
        return importlib.import_module(module).create(runtime, load)
    except ModuleNotFoundError as error:
        if error.name != "numpy":
            raise
        raise errors.CallError(
            "INVALID_ARG",
            f"the interpreter '{sys.executable}' has no numpy, which Python models need: install it there, or name another "
            "interpreter by the model's parameter python_interpreter or by --backend-config=python,interpreter=PROGRAM",
        ) from error
