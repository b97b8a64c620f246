"""TorchScript: what a detector computes and nobody asks for."""

from headrace_optimize.errors import NotApplicable, OptimizeError
from headrace_optimize.model import TORCHSCRIPT, Artefact, Source
from headrace_optimize.recipes.base import Context, Recipe, ensure_made


class TorchNeededOutputs(Recipe):
    """Mask R-CNN draws the mask of each detection, which object_detector's answer has no place for. The module is frozen,
    and the entries that are no output of the model go, with the heads that make them."""

    name = "needed_outputs"
    title = "only the outputs that are asked for"
    stage = "graph"
    takes = (TORCHSCRIPT,)
    packages = ("torch",)
    risk = "rounding"

    def why_not(self, artefact: Artefact, source: Source) -> str:
        """See Recipe."""
        return "" if source.detects else "only detectors answer more than they are asked for"

    def apply(self, artefact: Artefact, context: Context) -> Artefact:
        """See Recipe."""
        import torch  # pylint: disable=import-outside-toplevel

        from headrace_optimize import torch_graph, torch_models  # pylint: disable=import-outside-toplevel

        images = torch.from_numpy(next(iter(context.calibration()[0].values())))
        module = torch_models.load_frozen(artefact.file)
        (before,) = torch_models.detections(module, images)
        wanted = {tensor.name for tensor in context.source.outputs}
        dropped = sorted(before.keys() - wanted)
        if not dropped:
            raise NotApplicable("it answers nothing that is not asked for")
        module = torch_models.load_frozen(artefact.file)  # one that has been called has been specialised
        torch_graph.drop_entries(module.graph, dropped)
        (after,) = torch_models.detections(module, images)
        if after.keys() != before.keys() - set(dropped) or any(not torch.equal(after[key], before[key]) for key in after):
            raise OptimizeError(f"without {', '.join(dropped)} it finds something else")
        path = context.folder / "model.pt"
        module.save(str(path))
        return artefact.with_step(self.name, file=ensure_made(path), provenance=self.provenance(dropped=dropped))
