"""TorchScript to ONNX, for ONNX Runtime."""

from headrace_optimize.model import ONNX, TORCHSCRIPT, Artefact
from headrace_optimize.recipes.base import Context, Recipe, ensure_made

_OPSET = 17


class OnnxExport(Recipe):
    """By the exporter of TorchScript, with an open batch; served by the onnxruntime backend."""

    name = "onnx"
    title = "ONNX Runtime"
    stage = "runtime"
    takes = (TORCHSCRIPT,)
    packages = ("torch", "onnx", "onnxruntime")
    traces = True
    risk = "rounding"

    def apply(self, artefact: Artefact, context: Context) -> Artefact:
        """See Recipe."""
        import torch  # pylint: disable=import-outside-toplevel

        from headrace_optimize import torch_models  # pylint: disable=import-outside-toplevel

        source = context.source
        inputs, outputs = ([tensor.name for tensor in tensors] for tensors in (source.inputs, source.outputs))
        path = context.folder / "model.onnx"
        with torch.no_grad():
            torch.onnx.export(
                torch_models.load_script(artefact.file),
                torch_models.example_inputs(source),
                str(path),
                dynamo=False,
                opset_version=_OPSET,
                input_names=inputs,
                output_names=outputs,
                dynamic_axes={name: {0: "batch"} for name in (*inputs, *outputs)} if source.batches else None,
            )
        return artefact.with_step(
            self.name,
            kind=ONNX,
            backend="",
            file=ensure_made(path),
            provenance=self.provenance(opset=_OPSET),
        )
