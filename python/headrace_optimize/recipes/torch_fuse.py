"""TorchScript: what optimize_for_inference does, at load."""

from headrace_optimize.model import TORCHSCRIPT, Artefact, Source
from headrace_optimize.recipes.base import Context, Recipe


class TorchFuse(Recipe):
    """oneDNN's layouts and fused operators. PyTorch cannot save the result (its constants have no place in a file), so
    that the server makes it at load: the backend's parameter OPTIMIZE_FOR_INFERENCE."""

    name = "fuse"
    title = "optimize_for_inference"
    stage = "graph"
    takes = (TORCHSCRIPT,)
    risk = "rounding"

    def why_not(self, artefact: Artefact, source: Source) -> str:
        """See Recipe."""
        said = artefact.parameters.get("OPTIMIZE_FOR_INFERENCE", "").lower()
        return "it is on already" if said in ("true", "1") else ""

    def apply(self, artefact: Artefact, context: Context) -> Artefact:
        """See Recipe."""
        return artefact.with_step(
            self.name,
            parameters={"OPTIMIZE_FOR_INFERENCE": "true"},
            provenance=self.provenance(at="load"),
        )
