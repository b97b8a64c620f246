"""The recipes, in the order in which they are tried."""

from headrace_optimize.errors import UsageError
from headrace_optimize.model import ONNX, OPENVINO, TORCHSCRIPT
from headrace_optimize.recipes.aot_inductor import AotInductor
from headrace_optimize.recipes.base import Recipe
from headrace_optimize.recipes.instances import InstancePerCore, OneInstance
from headrace_optimize.recipes.onnx_export import OnnxExport
from headrace_optimize.recipes.openvino_convert import OpenVinoConvert
from headrace_optimize.recipes.openvino_int8 import OpenVinoInt8, OpenVinoInt8Controlled
from headrace_optimize.recipes.openvino_precision import OpenVinoBf16, OpenVinoFp16
from headrace_optimize.recipes.ort_int8 import OrtInt8Dynamic, OrtInt8Static
from headrace_optimize.recipes.ort_optimized import OrtAll, OrtExtended
from headrace_optimize.recipes.prune import Prune
from headrace_optimize.recipes.torch_channels_last import TorchChannelsLast
from headrace_optimize.recipes.torch_convolutions import TorchBf16Convolutions
from headrace_optimize.recipes.torch_freeze import TorchFreeze
from headrace_optimize.recipes.torch_fuse import TorchFuse
from headrace_optimize.recipes.torch_needed_outputs import TorchNeededOutputs
from headrace_optimize.recipes.torch_precision import TorchBf16, TorchFp16

ALL: tuple[Recipe, ...] = (
    TorchFreeze(),
    TorchNeededOutputs(),
    TorchFuse(),
    OrtExtended(),
    OrtAll(),
    TorchChannelsLast(),
    AotInductor(),
    OnnxExport(),
    OpenVinoConvert(),
    TorchBf16(),
    TorchBf16Convolutions(),
    TorchFp16(),
    OpenVinoBf16(),
    OpenVinoFp16(),
    OrtInt8Dynamic(),
    OrtInt8Static(),
    OpenVinoInt8(),
    OpenVinoInt8Controlled(),
    Prune(),
    OneInstance(),
    InstancePerCore(),
)
_BY_NAME = {recipe.name: recipe for recipe in ALL}

# What makes an artefact of another kind, for recipes that do not take the source's.
_CONVERSIONS = {
    (TORCHSCRIPT, ONNX): "onnx",
    (TORCHSCRIPT, OPENVINO): "openvino",
    (ONNX, OPENVINO): "openvino",
}


def find(name: str) -> Recipe:
    """UsageError with the names that there are."""
    if name not in _BY_NAME:
        raise UsageError(f"there is no recipe '{name}'; there are {', '.join(_BY_NAME)}")
    return _BY_NAME[name]


def chain_for(recipe: Recipe, kind: str) -> list[Recipe]:
    """The recipe with the conversion before it that it needs for a source of this kind; empty if there is no way."""
    if kind in recipe.takes:
        return [recipe]
    for wanted in recipe.takes:
        conversion = _CONVERSIONS.get((kind, wanted))
        if conversion in _BY_NAME and conversion != recipe.name:
            return [_BY_NAME[conversion], recipe]
    return []
