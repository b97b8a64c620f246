"""OpenVINO: weights and activations in int8, by NNCF's post-training quantisation."""

from headrace_optimize import machine
from headrace_optimize.model import OPENVINO, Artefact
from headrace_optimize.recipes import openvino_convert
from headrace_optimize.recipes.base import Context, Recipe


def calls(context: Context) -> list[dict[str, object]]:
    """The calibration samples by the model's names."""
    return [dict(call) for call in context.calibration()]


class OpenVinoInt8(Recipe):
    """Calibrated on the examples. It pays where the processor multiplies int8 (VNNI, AMX)."""

    name = "int8"
    title = "int8, calibrated (NNCF)"
    stage = "precision"
    takes = (OPENVINO,)
    packages = ("openvino", "nncf")
    needs_data = True
    risk = "medium"

    def apply(self, artefact: Artefact, context: Context) -> Artefact:
        """See Recipe."""
        import nncf  # pylint: disable=import-outside-toplevel
        import openvino  # pylint: disable=import-outside-toplevel

        model = openvino.Core().read_model(artefact.file)
        samples = calls(context)
        quantized = nncf.quantize(model, nncf.Dataset(samples), subset_size=len(samples))
        return artefact.with_step(
            self.name,
            file=openvino_convert.save(quantized, context.folder),
            instruction_sets=[name for name in machine.INT8_SETS if name in machine.instruction_sets()],
            provenance=self.provenance(samples=len(samples), scheme="post-training"),
        )
