"""Models for what a configuration can say of tensors: ragged and batch inputs, batch outputs, reshape, optional inputs.

Each runtime that takes ONNX files serves the same file; for PyTorch there is a module of the same call."""

import pathlib

import onnx
from onnx import TensorProto, helper

# Old enough for every runtime that loads here.
_IR_VERSION, _OPSET = 8, 13


def _write(repository, name, graph, config):
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)])
    model.ir_version = _IR_VERSION
    onnx.checker.check_model(model)
    directory = pathlib.Path(repository) / name
    (directory / "1").mkdir(parents=True)
    onnx.save(model, str(directory / "1" / "model.onnx"))
    (directory / "config.pbtxt").write_text(config, encoding="utf-8")


def _graph(name, nodes, inputs, outputs, initializers=()):
    infos = [[helper.make_tensor_value_info(*tensor) for tensor in tensors] for tensors in (inputs, outputs)]
    return helper.make_graph(nodes, name, *infos, list(initializers))


def _constant(name, values, dtype=TensorProto.INT64):
    return helper.make_tensor(name, dtype, [len(values)], values)


_KINDS = (
    ("COUNT", "BATCH_ELEMENT_COUNT", "TYPE_FP32"),
    ("END", "BATCH_ACCUMULATED_ELEMENT_COUNT", "TYPE_INT32"),
    ("ENDS", "BATCH_ACCUMULATED_ELEMENT_COUNT_WITH_ZERO", "TYPE_INT32"),
    ("LONGEST", "BATCH_MAX_ELEMENT_COUNT_AS_SHAPE", "TYPE_INT32"),
    ("SHAPES", "BATCH_ITEM_SHAPE", "TYPE_INT32"),
    ("FLAT", "BATCH_ITEM_SHAPE_FLATTEN", "TYPE_INT32"),
)
# Per row; X itself comes back twice as large.
_ROW_OUTPUTS = (
    ("count", "TYPE_FP32", 1),
    ("end", "TYPE_INT32", 1),
    ("start", "TYPE_INT32", 1),
    ("longest", "TYPE_INT64", 1),
    ("shape", "TYPE_INT32", 2),
    ("flat", "TYPE_INT32", 2),
    ("sum", "TYPE_FP32", 1),
)


def batch_tensors_config(backend, rows, extra=""):
    """The configuration of the model of batch_tensors. A batch is full with `rows` requests of one row."""
    config = f'backend: "{backend}"\nmax_batch_size: {rows}\n'
    config += 'input { name: "X" data_type: TYPE_FP32 dims: [ -1, -1 ] allow_ragged_batch: true }\n'
    for target, kind, dtype in _KINDS:
        config += f'batch_input {{ kind: {kind} target_name: "{target}" data_type: {dtype} source_input: "X" }}\n'
    for name, dtype, columns in _ROW_OUTPUTS:
        config += f'output {{ name: "{name}" data_type: {dtype} dims: {columns} }}\n'
    config += 'output { name: "twice" data_type: TYPE_FP32 dims: [ -1, -1 ] }\n'
    config += 'batch_output { target_name: "twice" kind: BATCH_SCATTER_WITH_INPUT_SHAPE source_input: "X" }\n'
    return config + "dynamic_batching { max_queue_delay_microseconds: 5000000 }\n" + extra


def batch_tensors(repository, name, config):
    """Gives back what it is given of each request of a batch, which must have one row: all kinds of batch inputs, the
    sum of its part of X, and 2 X."""
    nodes = [
        helper.make_node("Unsqueeze", ["COUNT", "one"], ["count"]),
        helper.make_node("Unsqueeze", ["END", "one"], ["end"]),
        helper.make_node("Slice", ["ENDS", "zero", "minus_one"], ["starts"]),
        helper.make_node("Unsqueeze", ["starts", "one"], ["start"]),
        helper.make_node("Shape", ["LONGEST"], ["longest_length"]),
        helper.make_node("Shape", ["end"], ["rows"]),
        helper.make_node("Expand", ["longest_length", "rows"], ["longest"]),
        helper.make_node("Identity", ["SHAPES"], ["shape"]),
        helper.make_node("Reshape", ["FLAT", "pairs"], ["flat"]),
        helper.make_node("CumSum", ["X", "axis"], ["sums"]),
        helper.make_node("Concat", ["nothing", "sums"], ["all_sums"], axis=0),
        helper.make_node("Gather", ["all_sums", "ENDS"], ["at_ends"], axis=0),
        helper.make_node("Slice", ["at_ends", "one", "large"], ["to"]),
        helper.make_node("Slice", ["at_ends", "zero", "minus_one"], ["from"]),
        helper.make_node("Sub", ["to", "from"], ["flat_sum"]),
        helper.make_node("Unsqueeze", ["flat_sum", "one"], ["sum"]),
        helper.make_node("Add", ["X", "X"], ["twice"]),
    ]
    initializers = [
        _constant("zero", [0]),
        _constant("one", [1]),
        _constant("minus_one", [-1]),
        _constant("large", [1 << 30]),
        _constant("pairs", [-1, 2]),
        helper.make_tensor("axis", TensorProto.INT64, [], [0]),
        _constant("nothing", [0.0], TensorProto.FLOAT),
    ]
    inputs = [("X", TensorProto.FLOAT, ["elements"])]
    for target, kind, dtype in _KINDS:
        onnx_type = TensorProto.FLOAT if dtype == "TYPE_FP32" else TensorProto.INT32
        shape = ["rows", 2] if kind == "BATCH_ITEM_SHAPE" else [f"{target}_length"]
        inputs.append((target, onnx_type, shape))
    onnx_types = {"TYPE_FP32": TensorProto.FLOAT, "TYPE_INT32": TensorProto.INT32, "TYPE_INT64": TensorProto.INT64}
    outputs = [(output, onnx_types[dtype], ["rows", columns]) for output, dtype, columns in _ROW_OUTPUTS]
    outputs.append(("twice", TensorProto.FLOAT, ["elements"]))
    _write(repository, name, _graph(name, nodes, inputs, outputs, initializers), config)


def copy(repository, name, shape, config):
    """Y = X, of a shape that the configuration reshapes."""
    tensors = [[(tensor, TensorProto.FLOAT, shape)] for tensor in "XY"]
    _write(repository, name, _graph(name, [helper.make_node("Identity", ["X"], ["Y"])], *tensors), config)


def scale(repository, name, config, with_default):
    """Y = X * SCALE, of four elements; SCALE may have the default [1, 2, 3, 4]."""
    inputs = [("X", TensorProto.FLOAT, [4]), ("SCALE", TensorProto.FLOAT, [4])]
    defaults = [_constant("SCALE", [1.0, 2.0, 3.0, 4.0], TensorProto.FLOAT)] if with_default else []
    nodes = [helper.make_node("Mul", ["X", "SCALE"], ["Y"])]
    _write(repository, name, _graph(name, nodes, inputs, [("Y", TensorProto.FLOAT, [4])], defaults), config)


def product(repository, name, config):
    """Y = X @ W, of rows of 256: work that a runtime would spread over its threads."""
    weights = helper.make_tensor("W", TensorProto.FLOAT, [256, 256], [1.0] * 256 * 256)
    tensors = [[(tensor, TensorProto.FLOAT, ["n", 256])] for tensor in "XY"]
    graph = _graph(name, [helper.make_node("MatMul", ["X", "W"], ["Y"])], *tensors, [weights])
    _write(repository, name, graph, config)
