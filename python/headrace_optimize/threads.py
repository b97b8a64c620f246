"""Threads of a model's instance, as the configuration tells each backend (docs/optimize.md; the server's own reading is
src/repository/thread_parameters.h)."""

from typing import Optional

_OPENVINO = "INFERENCE_NUM_THREADS"  # of all instances together
_OF_BACKEND = {"pytorch": "INTRA_OP_THREAD_COUNT", "onnxruntime": "intra_op_thread_count", "openvino": _OPENVINO}
_NAMES = (*_OF_BACKEND.values(), "NUM_THREADS")


def take(parameters: dict[str, str], instances: int) -> Optional[int]:
    """Removes what asks for threads; how many of each instance that was. None: a share of the cores."""
    asked = {name: parameters.pop(name) for name in _NAMES if name in parameters}
    for name, text in asked.items():
        if text.isascii() and text.isdigit() and int(text) > 0:
            return -(-int(text) // (instances if name == _OPENVINO else 1))
    return None


def parameters_for(backend: str, threads: Optional[int], instances: int) -> dict[str, str]:
    """The reverse."""
    name = _OF_BACKEND.get(backend)
    if threads is None or name is None:
        return {}
    return {name: str(threads * (instances if name == _OPENVINO else 1))}
