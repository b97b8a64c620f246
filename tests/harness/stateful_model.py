"""A model of a few nodes that adds up the numbers of a sequence, and says what it was told about it."""

import onnx
from onnx import TensorProto, helper

from harness import models

FLAGS = ("START", "READY", "END")
_TYPES = {
    "INT32": (TensorProto.INT32, "int32_false_true: [ 0, 1 ]"),
    "FP32": (TensorProto.FLOAT, "fp32_false_true: [ 0, 1 ]"),
    "BOOL": (TensorProto.BOOL, "bool_false_true: [ false, true ]"),
}
_ID_TYPES = {
    "UINT64": TensorProto.UINT64,
    "INT64": TensorProto.INT64,
    "UINT32": TensorProto.UINT32,
    "INT32": TensorProto.INT32,
    "STRING": TensorProto.STRING,
}


def encode(flag_type="INT32", id_type="INT64", batches=True):
    """SUM = X + the sum so far; FLAGS [start, ready, end] as numbers; ID as it came."""
    front = ["n"] if batches else []

    def tensor(name, kind, *dims):
        return helper.make_tensor_value_info(name, kind, [*front, *dims])

    inputs = [tensor("X", TensorProto.FLOAT, 1), tensor("SUM_IN", TensorProto.FLOAT, 1)]
    inputs += [tensor(name, _TYPES[flag_type][0], 1) for name in FLAGS]
    inputs += [tensor("CORRID", _ID_TYPES[id_type], 1)]
    outputs = [tensor(name, TensorProto.FLOAT, 1) for name in ("SUM", "SUM_OUT")]
    outputs += [tensor("FLAGS", TensorProto.FLOAT, 3), tensor("ID", _ID_TYPES[id_type], 1)]
    nodes = [helper.make_node("Add", ["X", "SUM_IN"], ["SUM_OUT"]), helper.make_node("Identity", ["SUM_OUT"], ["SUM"])]
    for name in FLAGS:
        nodes.append(helper.make_node("Cast", [name], [name + "_number"], to=TensorProto.FLOAT))
    axis = 1 if batches else 0
    nodes.append(helper.make_node("Concat", [name + "_number" for name in FLAGS], ["FLAGS"], axis=axis))
    nodes.append(helper.make_node("Identity", ["CORRID"], ["ID"]))
    model = helper.make_model(
        helper.make_graph(nodes, "sums", inputs, outputs), opset_imports=[helper.make_opsetid("", 13)]
    )
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model.SerializeToString()


def config(strategy="direct { }", flag_type="INT32", id_type="INT64", max_batch_size=4, instances=1, **fields):
    """Its configuration. `initial` is text for the state, `idle_us` the idle timeout, `backend` one that has
    the model in a format of its own."""
    backend = fields.get("backend", "onnxruntime")
    text = f'backend: "{backend}"\nmax_batch_size: {max_batch_size}\n'
    text += 'input { name: "X" data_type: TYPE_FP32 dims: [ 1 ] }\n'
    for name, kind, dims in (("SUM", "FP32", 1), ("FLAGS", "FP32", 3), ("ID", id_type, 1)):
        text += f'output {{ name: "{name}" data_type: TYPE_{kind} dims: [ {dims} ] }}\n'
    text += f"sequence_batching {{ {strategy} max_sequence_idle_microseconds: {fields.get('idle_us', 60_000_000)}\n"
    for name in FLAGS:
        text += f'control_input {{ name: "{name}" control {{ kind: CONTROL_SEQUENCE_{name} {_TYPES[flag_type][1]} }} }}\n'
    text += f'control_input {{ name: "CORRID" control {{ kind: CONTROL_SEQUENCE_CORRID data_type: TYPE_{id_type} }} }}\n'
    text += 'state { input_name: "SUM_IN" output_name: "SUM_OUT" data_type: TYPE_FP32 dims: [ 1 ] '
    text += fields.get("initial", "") + " } }\n"
    text += f"instance_group {{ count: {instances} kind: KIND_CPU }}\n"
    if backend == "onnxruntime":
        text += models.parameter("intra_op_thread_count", 1) + models.parameter("inter_op_thread_count", 1)
    return text


def add(repository, name, strategy="direct { }", flag_type="INT32", id_type="INT64", max_batch_size=4, **fields):
    """Adds the model; its directory."""
    text = config(strategy, flag_type, id_type, max_batch_size, **fields)
    directory = models.add(repository, name, text)
    (directory / "1" / "model.onnx").write_bytes(encode(flag_type, id_type, max_batch_size > 0))
    return directory
