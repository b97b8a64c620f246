"""What Triton's Python models import: tensors, requests, responses, calls of other models, metrics, log, model control.

The names, their arguments and the texts of their errors are those of Triton's module of this name. `docs/python_models.md`
says what differs.
"""

import numpy as np

from headrace_worker.triton_contract import context as _context
from headrace_worker.triton_contract import element_types as _element_types
from headrace_worker.triton_contract.calls import ResponseIterator
from headrace_worker.triton_contract.element_types import STRING_TO_NUMPY as TRITON_STRING_TO_NUMPY
from headrace_worker.triton_contract.metrics import Metric, MetricFamily
from headrace_worker.triton_contract.model_config import ModelConfig
from headrace_worker.triton_contract.request import InferenceRequest
from headrace_worker.triton_contract.response import InferenceResponse
from headrace_worker.triton_contract.sender import InferenceResponseSender
from headrace_worker.triton_contract.services import Logger, is_model_ready, load_model, unload_model
from headrace_worker.triton_contract.tensor import Tensor
from headrace_worker.triton_contract.values import (
    InferenceTrace,
    MemoryType,
    PreferredMemory,
    TritonError,
    TritonModelException,
)

TRITONSERVER_REQUEST_FLAG_SEQUENCE_START = 1
TRITONSERVER_REQUEST_FLAG_SEQUENCE_END = 2
TRITONSERVER_RESPONSE_COMPLETE_FINAL = 1
TRITONSERVER_REQUEST_RELEASE_ALL = 1
TRITONSERVER_REQUEST_RELEASE_RESCHEDULE = 2
TRITONSERVER_MEMORY_GPU = MemoryType.TRITONSERVER_MEMORY_GPU
TRITONSERVER_MEMORY_CPU = MemoryType.TRITONSERVER_MEMORY_CPU


def get_input_tensor_by_name(inference_request, name):
    """The input of that name, or None."""
    for tensor in inference_request.inputs():
        if tensor._name == name:
            return tensor
    return None


def get_output_tensor_by_name(inference_response, name):
    """The output of that name, or None."""
    for tensor in inference_response.output_tensors():
        if tensor._name == name:
            return tensor
    return None


def get_input_config_by_name(model_config, name):
    """The properties of an input of a model configuration (a dict), or None."""
    return _named(model_config.get("input", ()), name)


def get_output_config_by_name(model_config, name):
    """The properties of an output of a model configuration (a dict), or None."""
    return _named(model_config.get("output", ()), name)


def _named(tensors, name):
    for properties in tensors:
        if properties["name"] == name:
            return properties
    return None


def using_decoupled_model_transaction_policy(model_config):
    """Whether a model configuration (a dict) is that of a decoupled model."""
    return bool(model_config.get("model_transaction_policy", {}).get("decoupled", False))


def triton_to_numpy_type(data_type):
    """The numpy type of a number of Triton; None for BF16, which has none."""
    return _element_types.NUMPY_TYPES[data_type] if 0 <= data_type < len(_element_types.NUMPY_TYPES) else None


def numpy_to_triton_type(data_type):
    """The number of Triton of a numpy type; None when no tensor has it."""
    return _element_types.number_of(np.dtype(data_type)) or None


def triton_string_to_numpy(triton_type_string):
    """The numpy type of "TYPE_FP32" and its kin."""
    return TRITON_STRING_TO_NUMPY[triton_type_string]


def serialize_byte_tensor(input_tensor):
    """The elements of an array of objects or bytes in C order, each with its length (4 bytes, little-endian) before it; ()
    for an empty array and None for another type."""
    if input_tensor.size == 0:
        return ()
    if input_tensor.dtype.kind not in "OS":
        return None
    return _element_types.pack_texts(input_tensor)


def deserialize_bytes_tensor(encoded_tensor):
    """The array of bytes objects, of one dimension, that `serialize_byte_tensor` has encoded."""
    texts = _element_types.unpack_texts(memoryview(encoded_tensor).cast("B"))
    return _element_types.text_array(texts, (len(texts),))


def get_model_dir():
    """The directory of the model's version, which holds its file."""
    return _context.current.version_directory
