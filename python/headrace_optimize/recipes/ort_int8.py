"""ONNX Runtime: int8, with and without calibration."""

import pathlib
from typing import Any, Optional

import numpy

from headrace_optimize import machine
from headrace_optimize.errors import NotApplicable
from headrace_optimize.model import ONNX, Artefact
from headrace_optimize.recipes.base import Context, Recipe, ensure_made

_DYNAMIC = ("MatMul", "Gemm", "LSTM", "Gather", "Attention", "EmbedLayerNormalization")


def _prepared(artefact: Artefact, context: Context) -> pathlib.Path:
    """With shapes inferred and fused, as quantisation wants it; the model as it is where that fails."""
    from onnxruntime.quantization.shape_inference import quant_pre_process  # pylint: disable=import-outside-toplevel

    path = context.folder / "prepared.onnx"
    try:
        # Symbolic inference needs a package of its own (sympy); what it finds out is for transformers.
        quant_pre_process(artefact.file, str(path), skip_symbolic_shape=True)
    except Exception:  # pylint: disable=broad-exception-caught  # whatever it is, quantising itself may do
        return pathlib.Path(artefact.file)
    return path


class OrtInt8Dynamic(Recipe):
    """Weights of matrix products in int8, activations quantised as they come: for linear and recurrent layers.
    Convolutions have no fast dynamic kernel and stay floats."""

    name = "int8_dynamic"
    title = "int8, dynamic (ONNX Runtime)"
    stage = "precision"
    takes = (ONNX,)
    packages = ("onnx", "onnxruntime")
    risk = "medium"

    def apply(self, artefact: Artefact, context: Context) -> Artefact:
        """See Recipe."""
        import onnx  # pylint: disable=import-outside-toplevel
        from onnxruntime.quantization import QuantType, quantize_dynamic  # pylint: disable=import-outside-toplevel

        kinds = {node.op_type for node in onnx.load(artefact.file, load_external_data=False).graph.node}
        found = [kind for kind in _DYNAMIC if kind in kinds]
        if not found:
            raise NotApplicable("it has no matrix products or recurrent layers")
        path = context.folder / "model.onnx"
        quantize_dynamic(
            str(_prepared(artefact, context)),
            str(path),
            weight_type=QuantType.QInt8,
            per_channel=True,
            op_types_to_quantize=found,
        )
        return artefact.with_step(
            self.name,
            file=ensure_made(path),
            instruction_sets=machine.present(machine.INT8_SETS),
            provenance=self.provenance(operators=found),
        )


class OrtInt8Static(Recipe):
    """Calibrated on the examples, as pairs of QuantizeLinear and DequantizeLinear."""

    name = "int8_static"
    title = "int8, calibrated QDQ (ONNX Runtime)"
    stage = "precision"
    takes = (ONNX,)
    packages = ("onnx", "onnxruntime")
    needs_data = True
    risk = "medium"

    def apply(self, artefact: Artefact, context: Context) -> Artefact:
        """See Recipe."""
        from onnxruntime.quantization import (  # pylint: disable=import-outside-toplevel
            CalibrationDataReader,
            QuantFormat,
            QuantType,
            quantize_static,
        )

        samples = context.calibration()

        class _Reader(CalibrationDataReader):
            def __init__(self) -> None:
                self._left = iter(samples)

            def get_next(self) -> Optional[dict[str, numpy.ndarray]]:
                """See CalibrationDataReader."""
                return next(self._left, None)

        path = context.folder / "model.onnx"
        options: dict[str, Any] = {}
        if not machine.present(machine.INT8_SETS):
            options["reduce_range"] = True  # products of full int8 overflow where there is no VNNI
        quantize_static(
            str(_prepared(artefact, context)),
            str(path),
            _Reader(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            **options,
        )
        return artefact.with_step(
            self.name,
            file=ensure_made(path),
            instruction_sets=machine.present(machine.INT8_SETS),
            provenance=self.provenance(samples=len(samples), format="QDQ"),
        )
