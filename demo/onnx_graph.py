"""A few lines over onnx.helper that build an image classifier layer by layer."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# Old enough for every ONNX Runtime of the last years, new enough for every operator used here.
_OPSET = 17
_IR_VERSION = 8


class Graph:
    """A graph under construction. Each layer method takes and returns the name of an activation."""

    def __init__(self, name, input_name, input_shape):
        self._name = name
        self._nodes = []
        self._initializers = []
        self._input = helper.make_tensor_value_info(input_name, TensorProto.FLOAT, input_shape)

    def _constant(self, values):
        name = f"weight_{len(self._initializers)}"
        array = np.ascontiguousarray(values, dtype=np.float32)
        self._initializers.append(numpy_helper.from_array(array, name))
        return name

    def _node(self, kind, inputs, **attributes):
        output = f"{kind.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def conv(self, x, weight, bias, stride=1, pads=(0, 0), groups=1):
        """Convolves; `pads` is (before, after), the same for rows and columns."""
        before, after = pads
        return self._node(
            "Conv",
            [x, self._constant(weight), self._constant(bias)],
            kernel_shape=list(weight.shape[2:]),
            strides=[stride, stride],
            pads=[before, before, after, after],
            group=groups,
        )

    def relu(self, x):
        return self._node("Relu", [x])

    def relu6(self, x):
        return self._node("Clip", [x, self._constant(0.0), self._constant(6.0)])

    def add(self, x, y):
        return self._node("Add", [x, y])

    def max_pool(self, x, kernel, stride, pad):
        return self._node(
            "MaxPool", [x], kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4
        )

    def average_over_image(self, x):
        return self._node("Flatten", [self._node("GlobalAveragePool", [x])], axis=1)

    def dense(self, x, weight, bias):
        """Multiplies by `weight` of shape [classes, features]."""
        return self._node("Gemm", [x, self._constant(weight), self._constant(bias)], transB=1)

    def softmax(self, x):
        return self._node("Softmax", [x], axis=1)

    def finish(self, x, output_name, output_shape):
        """Returns the checked model whose one output is the activation `x`."""
        self._nodes[-1].output[0] = output_name
        if self._nodes[-1].name != x:
            raise ValueError("the output must be the last layer")
        output = helper.make_tensor_value_info(output_name, TensorProto.FLOAT, output_shape)
        graph = helper.make_graph(
            self._nodes, self._name, [self._input], [output], self._initializers
        )
        model = helper.make_model(
            graph,
            producer_name="headrace-demo",
            opset_imports=[helper.make_opsetid("", _OPSET)],
            ir_version=_IR_VERSION,
        )
        onnx.checker.check_model(model)
        return model
