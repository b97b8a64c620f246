"""What the free functions and the classes of `triton_python_backend_utils` need of the worker that they run in.

One process runs one model, so there is one context. Outside of a worker (in a model's own tests, say) it is empty, and what
needs the server raises TritonModelException.
"""

from headrace_worker import errors
from headrace_worker.triton_contract import values


class Context:
    """The runtime, the version's directory, the model's outputs, and whether calls of other models are allowed now."""

    def __init__(self):
        self.runtime = None
        self.version_directory = ""
        self.output_index = {}  # name -> index
        self.decoupled = False
        self.may_call = False

    def side(self):
        """The side channel of this worker."""
        if self.runtime is None:
            raise values.TritonModelException("this needs the server: it works in a model that is served only")
        return self.runtime.side

    def ask(self, prefix, kind, value, name="id"):
        """A question's reply; what the server refuses is a TritonModelException with `prefix` before its text."""
        try:
            return self.side().ask(kind, value, name)
        except errors.CallError as error:
            raise values.TritonModelException(prefix + error.message) from None


current = Context()
