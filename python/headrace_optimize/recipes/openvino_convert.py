"""OpenVINO: an IR of the model, in fp32."""

import pathlib
from typing import Any

from headrace_optimize.errors import OptimizeError
from headrace_optimize.model import ONNX, OPENVINO, TORCHSCRIPT, Artefact, Source
from headrace_optimize.recipes.base import Context, Recipe, ensure_made


def name_tensors(model: Any, source: Source) -> None:
    """Gives inputs and outputs the names of the configuration, by which the server finds them."""
    for ports, wanted, what in ((model.inputs, source.inputs, "inputs"), (model.outputs, source.outputs, "outputs")):
        if len(ports) != len(wanted):
            raise OptimizeError(f"the converted model has {len(ports)} {what}, the original {len(wanted)}")
        by_name = {name: port for port in ports for name in port.get_names()}
        in_order = not all(tensor.name in by_name for tensor in wanted)
        for i, tensor in enumerate(wanted):
            port = ports[i] if in_order else by_name[tensor.name]
            port.get_tensor().set_names({tensor.name})


def fix_shapes(model: Any, source: Source) -> None:
    """Dims that no request varies let the runtime plan ahead; the batch stays open."""
    shapes = {}
    for port, tensor in zip(model.inputs, source.inputs):
        shapes[port] = [-1, *tensor.dims] if source.batches else list(tensor.dims)
    model.reshape(shapes)


def example_shapes_are_fixed(source: Source) -> bool:
    """Whether every request has the shape of the examples: an archive's images are always cut to one size."""
    return source.is_image


def save(model: Any, folder: pathlib.Path) -> str:
    """The IR's path; weights stay as they are (the runtime's own default would round them to fp16)."""
    import openvino  # pylint: disable=import-outside-toplevel

    path = folder / "model.xml"
    openvino.save_model(model, str(path), compress_to_fp16=False)
    return ensure_made(path)


class OpenVinoConvert(Recipe):
    """From TorchScript or ONNX; served by the openvino backend."""

    name = "openvino"
    title = "OpenVINO, fp32"
    stage = "runtime"
    takes = (TORCHSCRIPT, ONNX)
    packages = ("openvino",)
    traces = True
    risk = "rounding"

    def apply(self, artefact: Artefact, context: Context) -> Artefact:
        """See Recipe."""
        import openvino  # pylint: disable=import-outside-toplevel

        source = context.source
        if artefact.kind == TORCHSCRIPT:
            from headrace_optimize import torch_models  # pylint: disable=import-outside-toplevel

            module = torch_models.load_script(artefact.file)
            inputs = torch_models.example_inputs(source)
            model = openvino.convert_model(module, example_input=inputs if len(inputs) > 1 else inputs[0])
        else:
            model = openvino.convert_model(artefact.file)
        name_tensors(model, source)
        if example_shapes_are_fixed(source):
            fix_shapes(model, source)
        return artefact.with_step(
            self.name,
            kind=OPENVINO,
            backend="",
            file=save(model, context.folder),
            parameters={},
            graph_level=None,
            provenance=self.provenance(operators=len(model.get_ops()), of=artefact.kind),
        )
