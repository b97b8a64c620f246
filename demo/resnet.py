"""ResNet-18 and ResNet-50 in their published shapes with seeded random weights, to measure with.

They cost what the trained models cost and answer nonsense, which is all that a speed measurement
needs.
"""

import zlib

import numpy as np

from onnx_graph import Graph

IMAGE_SIZE = 224
CLASSES = 1000

_STAGE_CHANNELS = (64, 128, 256, 512)
# Small enough that the residual sums of fifty untrained layers stay of order one.
_BRANCH_SCALE = 0.2


class _Builder:
    def __init__(self, name, blocks_per_stage, bottleneck, graph_type):
        self._graph = graph_type(name, "images", ["batch", 3, IMAGE_SIZE, IMAGE_SIZE])
        self._random = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))
        self._blocks_per_stage = blocks_per_stage
        self._bottleneck = bottleneck
        self._expansion = 4 if bottleneck else 1

    def _weight(self, *shape, scale=1.0):
        deviation = scale * np.sqrt(2.0 / np.prod(shape[1:]))
        return self._random.standard_normal(shape, dtype=np.float32) * np.float32(deviation)

    def _conv(self, x, channels_in, channels, kernel, stride=1, scale=1.0):
        weight = self._weight(channels, channels_in, kernel, kernel, scale=scale)
        bias = np.zeros(channels, np.float32)
        pad = kernel // 2
        return self._graph.conv(x, weight, bias, stride=stride, pads=(pad, pad))

    def _block(self, x, channels_in, channels, stride):
        channels_out = channels * self._expansion
        if self._bottleneck:
            y = self._graph.relu(self._conv(x, channels_in, channels, 1))
            y = self._graph.relu(self._conv(y, channels, channels, 3, stride))
            y = self._conv(y, channels, channels_out, 1, scale=_BRANCH_SCALE)
        else:
            y = self._graph.relu(self._conv(x, channels_in, channels, 3, stride))
            y = self._conv(y, channels, channels_out, 3, scale=_BRANCH_SCALE)
        if stride != 1 or channels_in != channels_out:
            x = self._conv(x, channels_in, channels_out, 1, stride)
        return self._graph.relu(self._graph.add(y, x))

    def build(self):
        graph = self._graph
        x = graph.relu(self._conv("images", 3, 64, 7, stride=2))
        x = graph.max_pool(x, kernel=3, stride=2, pad=1)
        channels_in = 64
        for stage, blocks in enumerate(self._blocks_per_stage):
            channels = _STAGE_CHANNELS[stage]
            for block in range(blocks):
                stride = 2 if stage > 0 and block == 0 else 1
                x = self._block(x, channels_in, channels, stride)
                channels_in = channels * self._expansion
        x = graph.average_over_image(x)
        x = graph.dense(x, self._weight(CLASSES, channels_in), np.zeros(CLASSES, np.float32))
        return graph.finish(x, "logits", ["batch", CLASSES])


def build_resnet18(graph_type=Graph):
    """Returns the model: `images` FP32 [n, 3, 224, 224] to `logits` FP32 [n, 1000]."""
    return _Builder("resnet18", (2, 2, 2, 2), bottleneck=False, graph_type=graph_type).build()


def build_resnet50(graph_type=Graph):
    """Returns the model: `images` FP32 [n, 3, 224, 224] to `logits` FP32 [n, 1000]."""
    return _Builder("resnet50", (3, 4, 6, 3), bottleneck=True, graph_type=graph_type).build()
