"""Triton's contract for Python models: a class `TritonPythonModel`, and what `triton_python_backend_utils` gives it."""


def create(runtime, load):
    """The contract over the model of LOAD."""
    from headrace_worker.triton_contract import contract

    return contract.TritonContract(runtime, load)
