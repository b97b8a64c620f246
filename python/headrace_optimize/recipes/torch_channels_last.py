"""TorchScript: images with the channels innermost, as oneDNN's convolutions like them."""

from headrace_optimize.errors import NotApplicable
from headrace_optimize.model import TORCHSCRIPT, Artefact, Source
from headrace_optimize.recipes.base import Context, Recipe, ensure_made


class TorchChannelsLast(Recipe):
    """Weights are stored so, and inputs of four dimensions are brought into that order once, at the start."""

    name = "channels_last"
    title = "channels last"
    stage = "layout"
    takes = (TORCHSCRIPT,)
    packages = ("torch",)
    risk = "rounding"

    def why_not(self, artefact: Artefact, source: Source) -> str:
        """See Recipe."""
        if not any(len(tensor.dims) == (3 if source.batches else 4) for tensor in source.inputs):
            return "no input is an image (batch, channels, height, width)"
        return ""

    def apply(self, artefact: Artefact, context: Context) -> Artefact:
        """See Recipe."""
        import torch  # pylint: disable=import-outside-toplevel

        from headrace_optimize import torch_models  # pylint: disable=import-outside-toplevel

        module = torch_models.load_script(artefact.file)
        if torch_models.is_frozen(module):
            raise NotApplicable("a frozen module's weights are constants, whose order is fixed: it goes before freezing")
        module = module.to(memory_format=torch.channels_last)
        path = context.folder / "model.pt"
        if context.source.detects:  # makes its batch of the images by itself, and convolutions follow their weights
            module.save(str(path))
            return artefact.with_step(self.name, file=ensure_made(path), provenance=self.provenance())

        def call(inner, *inputs):  # type: ignore[no-untyped-def]
            ordered = [x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x for x in inputs]
            return inner(*ordered)

        torch_models.trace(call, context.source, module).save(str(path))
        return artefact.with_step(self.name, file=ensure_made(path), provenance=self.provenance())
