"""The contracts that a model may be written to, by the name that LOAD gives.

A contract is a module of this package with a function `create(runtime, load)`: `runtime` is the `runtime.Runtime`, `load`
the object of LOAD. It returns a `Contract`.
"""

import importlib
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

    def finalize(self):
        """Lets go of the model."""


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
