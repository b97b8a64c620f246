"""TorchScript: convolutions and matrix products in bfloat16, everything else as it was."""

from headrace_optimize import machine
from headrace_optimize.errors import NotApplicable
from headrace_optimize.model import TORCHSCRIPT, Artefact
from headrace_optimize.recipes.base import Context, Recipe, ensure_made


class TorchBf16Convolutions(Recipe):
    """Where nearly all of the arithmetic is. Boxes, scores, sums and normalisations stay in fp32, and nothing is traced,
    so that models with control flow can have it too. The module is frozen first: rounded weights are constants."""

    name = "bf16_convolutions"
    title = "bfloat16 convolutions"
    stage = "precision"
    takes = (TORCHSCRIPT,)
    packages = ("torch",)
    risk = "small"

    def apply(self, artefact: Artefact, context: Context) -> Artefact:
        """See Recipe."""
        import torch  # pylint: disable=import-outside-toplevel

        from headrace_optimize import torch_graph, torch_models  # pylint: disable=import-outside-toplevel

        module = torch_models.load_frozen(artefact.file)
        count = torch_graph.round_products(module.graph, torch.bfloat16)
        if count == 0:
            raise NotApplicable("it has no convolutions or matrix products with constant weights in fp32")
        path = context.folder / "model.pt"
        module.save(str(path))
        have = machine.present(machine.BF16_SETS)
        notes = [] if have else [f"this processor has none of {', '.join(machine.BF16_SETS)}: bfloat16 is emulated"]
        return artefact.with_step(
            self.name,
            file=ensure_made(path),
            instruction_sets=have,
            notes=notes,
            provenance=self.provenance(operators=count),
        )
