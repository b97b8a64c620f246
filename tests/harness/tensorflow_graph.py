"""TensorFlow graphs without TensorFlow: a frozen graph or a SavedModel from an ONNX classifier, written with the message
definitions that the wheel tensorboard carries."""

import pathlib

import numpy
import onnx
from onnx import numpy_helper
from tensorboard.compat.proto import graph_pb2, meta_graph_pb2, types_pb2

_PRODUCER = 1087  # the version of the graph's format: any that TensorFlow 2 has
_SERVING = "serving_default"


class _Converter:
    """Turns the operators of convolutional classifiers into TensorFlow's, which have their channels last."""

    def __init__(self, model):
        self._weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        self.graph = graph_pb2.GraphDef()
        self.graph.versions.producer = _PRODUCER
        (image,) = model.graph.input
        shape = [dim.dim_value if dim.HasField("dim_value") else -1 for dim in image.type.tensor_type.shape.dim]
        placeholder = self._node(image.name, "Placeholder", [], dtype=types_pb2.DT_FLOAT)
        for size in shape:
            placeholder.attr["shape"].shape.dim.add().size = size
        self._names = {image.name: self._transpose(image.name, [0, 2, 3, 1])}
        for node in model.graph.node:
            self._names[node.output[0]] = getattr(self, "_" + node.op_type.lower())(
                node, {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
            )

    def _node(self, name, op, inputs, **attributes):
        node = self.graph.node.add(name=name, op=op, input=inputs)
        for key, value in attributes.items():
            if isinstance(value, bool):
                node.attr[key].b = value
            elif isinstance(value, bytes):
                node.attr[key].s = value
            elif isinstance(value, list):
                node.attr[key].list.i.extend(value)
            else:
                node.attr[key].type = value
        return node

    def _layer(self, name, op, inputs, **attributes):
        return self._node(name, op, inputs, T=types_pb2.DT_FLOAT, **attributes).name

    def _constant(self, name, array):
        dtype = types_pb2.DT_INT32 if array.dtype == numpy.int32 else types_pb2.DT_FLOAT
        tensor = self._node(name, "Const", [], dtype=dtype).attr["value"].tensor
        tensor.dtype = dtype
        for size in array.shape:
            tensor.tensor_shape.dim.add().size = size
        tensor.tensor_content = numpy.ascontiguousarray(array).tobytes()
        return name

    def _transpose(self, x, order):
        order = self._constant(f"{x}/order", numpy.array(order, numpy.int32))
        return self._layer(f"{x}/last", "Transpose", [x, order], Tperm=types_pb2.DT_INT32)

    def _conv(self, node, attributes):
        x, weight, bias = self._names[node.input[0]], *(self._weights[name] for name in node.input[1:])
        name, depthwise = node.output[0], attributes["group"] > 1
        order = (2, 3, 0, 1) if depthwise else (2, 3, 1, 0)
        weight = self._constant(f"{name}/weight", weight.transpose(order))
        # The models here have TensorFlow's own padding.
        y = self._layer(
            f"{name}/product",
            "DepthwiseConv2dNative" if depthwise else "Conv2D",
            [x, weight],
            strides=[1, *attributes["strides"], 1],
            dilations=[1, 1, 1, 1],
            padding=b"SAME",
            data_format=b"NHWC",
        )
        return self._layer(name, "BiasAdd", [y, self._constant(f"{name}/bias", bias)], data_format=b"NHWC")

    def _clip(self, node, _):
        assert [self._weights[name] for name in node.input[1:]] == [0, 6]
        return self._layer(node.output[0], "Relu6", [self._names[node.input[0]]])

    def _add(self, node, _):
        return self._layer(node.output[0], "AddV2", [self._names[name] for name in node.input])

    def _globalaveragepool(self, node, _):
        axes = self._constant(f"{node.output[0]}/axes", numpy.array([1, 2], numpy.int32))
        return self._layer(
            node.output[0], "Mean", [self._names[node.input[0]], axes], Tidx=types_pb2.DT_INT32, keep_dims=False
        )

    def _flatten(self, node, _):
        return self._names[node.input[0]]

    def _gemm(self, node, _):
        weight, bias = (self._weights[name] for name in node.input[1:])
        weight = self._constant(f"{node.output[0]}/weight", weight.transpose())
        y = self._layer(
            f"{node.output[0]}/product",
            "MatMul",
            [self._names[node.input[0]], weight],
            transpose_a=False,
            transpose_b=False,
        )
        bias = self._constant(f"{node.output[0]}/bias", bias)
        return self._layer(node.output[0], "BiasAdd", [y, bias], data_format=b"NHWC")

    def _softmax(self, node, _):
        return self._layer(node.output[0], "Softmax", [self._names[node.input[0]]])


def frozen_graph(model):
    """The graph's bytes."""
    return _Converter(model).graph.SerializeToString()


def _describe(tensor, name, value_info):
    tensor.name = f"{name}:0"
    tensor.dtype = types_pb2.DT_FLOAT
    for dim in value_info.type.tensor_type.shape.dim:
        tensor.tensor_shape.dim.add().size = dim.dim_value if dim.HasField("dim_value") else -1


def save_model(model, directory, input_key, output_key):
    """Writes a SavedModel whose one signature has these names; the graph's own names are others."""
    meta = meta_graph_pb2.MetaGraphDef()
    meta.meta_info_def.tags.append("serve")
    meta.meta_info_def.tensorflow_version = "2.21.0"
    meta.graph_def.CopyFrom(_Converter(model).graph)
    signature = meta.signature_def[_SERVING]
    signature.method_name = "tensorflow/serving/predict"
    _describe(signature.inputs[input_key], model.graph.input[0].name, model.graph.input[0])
    _describe(signature.outputs[output_key], model.graph.output[0].name, model.graph.output[0])
    body = meta.SerializeToString()
    length, size = b"", len(body)
    while size >= 128:
        length, size = length + bytes([size % 128 + 128]), size // 128
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True)
    # SavedModel: int64 saved_model_schema_version = 1; repeated MetaGraphDef meta_graphs = 2.
    (directory / "saved_model.pb").write_bytes(b"\x08\x01\x12" + length + bytes([size]) + body)
