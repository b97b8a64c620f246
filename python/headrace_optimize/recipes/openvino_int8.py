"""OpenVINO: weights and activations in int8, by NNCF's post-training quantisation."""

from headrace_optimize import machine
from headrace_optimize.model import OPENVINO, Artefact
from headrace_optimize.recipes import openvino_convert, openvino_validation
from headrace_optimize.recipes.base import Context, Recipe

_TIME_SHARE = 0.6  # of a recipe's time, for accuracy control; what is begun then must still end
_SECONDS_MAX = 300.0  # for it: where that does not suffice, hardly a layer would stay in int8
_RANKING_SAMPLES = 32  # those with the largest errors; each layer is ranked by all of them
_ROUNDING = 1e-9  # of 1 less a share


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


class OpenVinoInt8Controlled(Recipe):
    """The same, and layers that cost too much accuracy go back to floats until the drop fits --max-drop: of the accuracy
    with labels, or of the agreement with the model before (openvino_validation.py says how it is watched). Where the
    time does not suffice, the last model is handed over, with a note."""

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
        # As the server computes where nothing else is said, and as NNCF compiles what it validates.
        compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        reference = openvino_validation.answers(compiled, samples, context.source.batches)
        seconds = min(_TIME_SHARE * context.seconds_max, _SECONDS_MAX)
        validation = openvino_validation.Validation(reference, samples, context, seconds)
        context.tell(f"calibrating with {len(samples)} samples")
        quantized = nncf.quantize_with_accuracy_control(
            model,
            nncf.Dataset(samples),
            nncf.Dataset(range(len(samples))),
            validation_fn=validation,
            max_drop=context.max_drop + _ROUNDING,
            subset_size=len(samples),
            advanced_accuracy_restorer_parameters=nncf.AdvancedAccuracyRestorerParameters(
                ranking_subset_size=max(1, min(_RANKING_SAMPLES, len(samples) - 1)),
            ),
        )
        notes = []
        if validation.ended_early:
            notes.append(
                f"accuracy control was ended after {validation.tried} models, {seconds:g} s, with a drop of {validation.drop * 100:.2f} %"
            )
        return artefact.with_step(
            self.name,
            file=openvino_convert.save(quantized, context.folder),
            instruction_sets=machine.present(machine.INT8_SETS),
            notes=notes,
            provenance=self.provenance(
                samples=len(samples),
                scheme="accuracy control",
                max_drop=context.max_drop,
                drop=round(validation.drop, 6),
                models_tried=validation.tried,
            ),
        )
