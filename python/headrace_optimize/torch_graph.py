"""Changes to graphs of frozen TorchScript. Imports torch, so only child processes import this."""

from typing import Collection, Iterator

import torch

# (input, weight, bias or None, ...) -> output
_PRODUCTS = (
    "aten::conv1d",
    "aten::conv2d",
    "aten::conv3d",
    "aten::_convolution",
    "aten::conv_transpose1d",
    "aten::conv_transpose2d",
    "aten::conv_transpose3d",
    "aten::linear",
)
_WEIGHT, _BIAS = 1, 2
_SCALAR_TYPES = {torch.float32: 6, torch.bfloat16: 15}  # c10::ScalarType, as graphs hold them


def _nodes(block: torch._C.Block) -> Iterator[torch._C.Node]:
    for node in list(block.nodes()):
        for inner in node.blocks():
            yield from _nodes(inner)
        yield node


def _constant(value: torch._C.Value) -> object:
    """What the value is, if the graph knows it; else None."""
    return value.toIValue() if value.node().kind() == "prim::Constant" else None


def _converted(graph: torch._C.Graph, value: torch._C.Value, dtype: torch.dtype) -> torch._C.Value:
    """aten::to.dtype at the insertion point."""
    arguments = [graph.insertConstant(argument) for argument in (_SCALAR_TYPES[dtype], False, False)]
    return graph.insert("aten::to", [value, *arguments])


def round_products(graph: torch._C.Graph, dtype: torch.dtype) -> int:
    """Convolutions and linear layers whose weights are fp32 constants take inputs and weights rounded to `dtype`, and
    their results are widened at once. Returns how many there were."""
    count = 0
    for node in _nodes(graph):
        if node.kind() not in _PRODUCTS:
            continue
        inputs = list(node.inputs())
        constants = {i: value for i in (_WEIGHT, _BIAS) if isinstance(value := _constant(inputs[i]), torch.Tensor)}
        bias_is_known = _BIAS in constants or inputs[_BIAS].type().kind() == "NoneType"
        if _WEIGHT not in constants or not bias_is_known or any(t.dtype != torch.float32 for t in constants.values()):
            continue
        result = node.output()
        with graph.insert_point_guard(node):
            node.replaceInput(0, _converted(graph, inputs[0], dtype))
            for i, tensor in constants.items():
                node.replaceInput(i, graph.insertConstant(tensor.to(dtype)))
            widened = _converted(graph, result, torch.float32)
        widened.node().moveAfter(node)
        result.replaceAllUsesWith(widened)
        widened.node().replaceInput(0, result)
        count += 1
    graph.lint()
    return count


def _leave_out(node: torch._C.Node, keys: Collection[object]) -> None:
    """Of a prim::DictConstruct(key, value, key, value...)."""
    for i in reversed(range(0, node.inputsSize(), 2)):
        if _constant(node.inputsAt(i)) in keys:
            node.removeInput(i + 1)
            node.removeInput(i)


def drop_entries(graph: torch._C.Graph, keys: Collection[str]) -> None:
    """Entries of dictionaries with these keys are not made any more, nor is what only they need. Who reads one must have
    asked whether it is there, which is then answered with no."""
    for node in _nodes(graph):
        if node.kind() == "prim::DictConstruct":
            _leave_out(node, keys)
        elif node.kind() == "aten::_set_item" and _constant(node.inputsAt(1)) in keys:
            node.destroy()
        elif node.kind() == "aten::__contains__" and _constant(node.inputsAt(1)) in keys:
            with graph.insert_point_guard(node):
                node.output().replaceAllUsesWith(graph.insertConstant(False))
            node.destroy()
    torch._C._jit_pass_constant_propagation(graph)
    torch._C._jit_pass_dce(graph)
    graph.lint()
