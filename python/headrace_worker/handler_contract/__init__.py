"""TorchServe's contract: a handler that gets a list of dictionaries and returns a list of answers.

A request is the tensor `data` (bytes) with the parameters `parts`, `headers`, `request_id`, `path` and `explain`; an
answer is the tensor `body` with the parameters `status`, `phrase`, `content_type` and `headers` (docs/workers.md). The
package `ts` beside this one is what handlers import.
"""

from headrace_worker.handler_contract.contract import HandlerContract


def create(runtime, load):
    """The contract for the model of LOAD."""
    return HandlerContract(runtime, load)
