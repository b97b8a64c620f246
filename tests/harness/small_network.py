"""A classifier of six operators and a few hundred weights, in every format that the backends read."""

import importlib.util
import pathlib

import numpy
from onnx import TensorProto, helper, numpy_helper

from harness import tensorflow_graph

INPUT, OUTPUT = "image", "scores"
IMAGE, CLASSES = (3, 8, 8), 5


def build():
    """Convolution, clip, mean, a dense layer and softmax: `image` FP32 [n, 3, 8, 8] to `scores` FP32 [n, 5]."""
    random = numpy.random.default_rng(0)

    def weight(name, *shape):
        return numpy_helper.from_array(random.standard_normal(shape).astype(numpy.float32), name)

    constants = [weight("w", 6, 3, 3, 3), weight("b", 6), weight("v", CLASSES, 6), weight("c", CLASSES)]
    constants += [numpy_helper.from_array(numpy.float32(value), name) for name, value in (("low", 0), ("high", 6))]
    nodes = [
        helper.make_node("Conv", [INPUT, "w", "b"], ["conv"], pads=[1, 1, 1, 1], strides=[1, 1], group=1),
        helper.make_node("Clip", ["conv", "low", "high"], ["clip"]),
        helper.make_node("GlobalAveragePool", ["clip"], ["pool"]),
        helper.make_node("Flatten", ["pool"], ["features"], axis=1),
        helper.make_node("Gemm", ["features", "v", "c"], ["logits"], transB=1),
        helper.make_node("Softmax", ["logits"], [OUTPUT], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "classifier",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["n", *IMAGE])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["n", CLASSES])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    return model


def write_ir(model, path):
    """OpenVINO's own format: `path` and the .bin beside it."""
    import openvino

    openvino.save_model(openvino.Core().read_model(model.SerializeToString()), str(path), compress_to_fp16=False)


def write_saved_model(model, directory):
    """A SavedModel whose signature has the names of the ONNX model."""
    tensorflow_graph.save_model(model, directory, INPUT, OUTPUT)


def published(name):
    """A file of Basic Pitch, a network that hears notes, which its maker ships in several formats."""
    # Found without importing the package, whose own requirements are not installed.
    spec = importlib.util.find_spec("basic_pitch")
    return pathlib.Path(spec.origin).parent / "saved_models" / "icassp_2022" / name
