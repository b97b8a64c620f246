"""ONNX Runtime: its graph optimisations done once, and saved."""

from typing import Any, ClassVar

from headrace_optimize import machine
from headrace_optimize.model import ONNX, Artefact
from headrace_optimize.recipes.base import Context, Recipe, ensure_made


class _OrtOptimized(Recipe):
    """The server would do the same at each load; what is saved loads sooner and is not optimised again."""

    stage = "graph"
    takes = (ONNX,)
    packages = ("onnxruntime",)
    risk = "rounding"
    level: ClassVar[str]

    def apply(self, artefact: Artefact, context: Context) -> Artefact:
        """See Recipe."""
        import onnxruntime  # pylint: disable=import-outside-toplevel

        path = context.folder / "model.onnx"
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, self.level)
        options.optimized_model_filepath = str(path)
        onnxruntime.InferenceSession(artefact.file, options, providers=["CPUExecutionProvider"])
        return artefact.with_step(self.name, file=ensure_made(path), provenance=self.provenance(), **self.changes())

    def changes(self) -> dict[str, Any]:
        """What else the result has."""
        return {}


class OrtExtended(_OrtOptimized):
    """Fusions for any processor; the server adds layouts at load."""

    name = "ort_extended"
    title = "ONNX Runtime, extended level saved"
    level = "ORT_ENABLE_EXTENDED"


class OrtAll(_OrtOptimized):
    """Layouts for this processor, too: nothing is left to be done at load."""

    name = "ort_optimized"
    title = "ONNX Runtime, all levels saved"
    level = "ORT_ENABLE_ALL"

    def changes(self) -> dict[str, Any]:
        """See above."""
        return {
            "graph_level": -1,  # nothing at load
            "instruction_sets": machine.instruction_sets(),
            "runtimes": {"onnxruntime": machine.version_of("onnxruntime")},
        }
