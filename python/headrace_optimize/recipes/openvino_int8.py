"""OpenVINO: weights and activations in int8, by NNCF's post-training quantisation."""

from typing import Any, Iterable

import numpy

from headrace_optimize import accuracy, machine
from headrace_optimize.model import OPENVINO, Artefact
from headrace_optimize.recipes import openvino_convert
from headrace_optimize.recipes.base import Context, Recipe


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
        samples = context.calibration()
        quantized = nncf.quantize(model, nncf.Dataset(samples), subset_size=len(samples))
        return artefact.with_step(
            self.name,
            file=openvino_convert.save(quantized, context.folder),
            instruction_sets=machine.present(machine.INT8_SETS),
            provenance=self.provenance(samples=len(samples), scheme="post-training"),
        )


def _answers(model: Any, samples: Iterable[dict[str, numpy.ndarray]]) -> dict[str, numpy.ndarray]:
    """Of a compiled model, the samples joined; outputs by their place."""
    rows: dict[str, list[numpy.ndarray]] = {}
    request = model.create_infer_request()
    for sample in samples:
        request.infer(sample)
        for i in range(len(model.outputs)):
            rows.setdefault(str(i), []).append(numpy.array(request.get_output_tensor(i).data))
    return {name: numpy.concatenate(values) for name, values in rows.items()}


class OpenVinoInt8Controlled(Recipe):
    """The same, and layers that cost too much accuracy go back to floats until the drop fits --max-drop. What is
    watched is the agreement with the unquantised model: of the best class, or else 1 - the relative error."""

    name = "int8_controlled"
    title = "int8 with accuracy control (NNCF)"
    instead_of = "int8"
    stage = "precision"
    takes = (OPENVINO,)
    packages = ("openvino", "nncf")
    needs_data = True
    risk = "small"

    def apply(self, artefact: Artefact, context: Context) -> Artefact:
        """See Recipe."""
        import nncf  # pylint: disable=import-outside-toplevel
        import openvino  # pylint: disable=import-outside-toplevel

        core = openvino.Core()
        model = core.read_model(artefact.file)
        samples = context.calibration()
        reference = _answers(core.compile_model(model, "CPU"), samples)

        def agreement(compiled: Any, chosen: Iterable[dict[str, numpy.ndarray]]) -> tuple[float, None]:
            del chosen  # always all of them, so that they meet their reference
            judged = accuracy.compare(reference, _answers(compiled, samples), accuracy.Bound(None, None))
            if judged.top1_agreement is not None:
                return judged.top1_agreement, None
            worst = min(output.snr_db for output in judged.outputs.values())
            return max(0.0, 1 - 10 ** (-worst / 20)), None

        data = nncf.Dataset(samples)
        quantized = nncf.quantize_with_accuracy_control(
            model, data, data, validation_fn=agreement, max_drop=context.max_drop, subset_size=len(samples)
        )
        return artefact.with_step(
            self.name,
            file=openvino_convert.save(quantized, context.folder),
            instruction_sets=machine.present(machine.INT8_SETS),
            provenance=self.provenance(samples=len(samples), scheme="accuracy control", max_drop=context.max_drop),
        )
