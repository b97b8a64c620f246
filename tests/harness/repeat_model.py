"""Decoupled models: the repeat backend answers once for each element of IN."""

import numpy
from tritonclient.grpc import service_pb2

from harness import models

_CONFIG = """
backend: "repeat"
max_batch_size: 0
model_transaction_policy { decoupled: true }
input { name: "IN" data_type: TYPE_INT32 dims: [ -1 ] }
output { name: "OUT" data_type: TYPE_INT32 dims: [ 1 ] }
output { name: "IDX" data_type: TYPE_UINT32 dims: [ 1 ] }
"""


def config(**parameters):
    return _CONFIG + "".join(models.parameter(key, value) for key, value in parameters.items())


def add(repository):
    """`repeat`: the end comes by itself; `repeat_final`: the last response is the end; `repeat_slowly`."""
    models.add(repository, "repeat", config())
    models.add(repository, "repeat_final", config(last_is_final=1))
    models.add(repository, "repeat_slowly", config(delay_ms=50))


def request(values, model="repeat", request_id=""):
    """A ModelInferRequest that asks for these values, one by one."""
    message = service_pb2.ModelInferRequest(model_name=model, id=request_id)
    message.inputs.add(name="IN", datatype="INT32", shape=[len(values)])
    message.raw_input_contents.append(numpy.array(values, numpy.int32).tobytes())
    return message
