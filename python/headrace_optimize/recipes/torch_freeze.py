"""TorchScript: constants folded, batch normalisation folded into convolutions."""

from headrace_optimize.errors import NotApplicable
from headrace_optimize.model import TORCHSCRIPT, Artefact
from headrace_optimize.recipes.base import Context, Recipe, ensure_made


class TorchFreeze(Recipe):
    """torch.jit.freeze with its numeric passes; the result is TorchScript that any server loads."""

    name = "freeze"
    title = "freeze and fold"
    stage = "graph"
    takes = (TORCHSCRIPT,)
    packages = ("torch",)
    risk = "rounding"

    def apply(self, artefact: Artefact, context: Context) -> Artefact:
        """See Recipe."""
        import torch  # pylint: disable=import-outside-toplevel

        from headrace_optimize import torch_models  # pylint: disable=import-outside-toplevel

        module = torch_models.load_script(artefact.file)
        if torch_models.is_frozen(module):
            raise NotApplicable("the model is frozen already")
        before = _operators(module)
        frozen = torch.jit.freeze(module, optimize_numerics=True)
        path = context.folder / "model.pt"
        frozen.save(str(path))
        return artefact.with_step(
            self.name,
            file=ensure_made(path),
            provenance=self.provenance(operators_before=before, operators=_operators(frozen)),
        )


def _operators(module: object) -> int:
    graph = getattr(module, "inlined_graph", None)
    return sum(1 for node in graph.nodes() if node.kind().startswith("aten::")) if graph is not None else 0
