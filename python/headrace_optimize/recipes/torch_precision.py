"""TorchScript: weights and arithmetic in half the bits."""

from typing import Any, ClassVar

from headrace_optimize import machine
from headrace_optimize.errors import NotApplicable
from headrace_optimize.model import TORCHSCRIPT, Artefact
from headrace_optimize.recipes.base import Context, Recipe, ensure_made


class _TorchPrecision(Recipe):
    """Floats are rounded when they come in and widened when they go out, so that the model's tensors stay what they are."""

    stage = "precision"
    takes = (TORCHSCRIPT,)
    packages = ("torch",)
    traces = True
    risk = "small"
    dtype: ClassVar[str]
    paying_sets: ClassVar[tuple[str, ...]]

    def apply(self, artefact: Artefact, context: Context) -> Artefact:
        """See Recipe."""
        import torch  # pylint: disable=import-outside-toplevel

        from headrace_optimize import torch_models  # pylint: disable=import-outside-toplevel

        module = torch_models.load_script(artefact.file)
        if torch_models.is_frozen(module):
            raise NotApplicable("a frozen module's weights are constants: it goes before freezing")
        dtype = getattr(torch, self.dtype)
        module = module.to(dtype)

        def widen(value: Any) -> Any:
            if isinstance(value, torch.Tensor):
                return value.to(torch.float32) if value.dtype == dtype else value
            if isinstance(value, dict):
                return {key: widen(inner) for key, inner in value.items()}
            return tuple(widen(inner) for inner in value)

        def call(inner: Any, *inputs: Any) -> Any:
            return widen(inner(*[x.to(dtype) if x.is_floating_point() else x for x in inputs]))

        path = context.folder / "model.pt"
        torch_models.trace(call, context.source, module).save(str(path))
        have = machine.present(self.paying_sets)
        notes = [] if have else [f"this processor has none of {', '.join(self.paying_sets)}: {self.dtype} is emulated"]
        return artefact.with_step(
            self.name, file=ensure_made(path), instruction_sets=have, notes=notes, provenance=self.provenance()
        )


class TorchBf16(_TorchPrecision):
    """bfloat16."""

    name = "bf16"
    title = "bfloat16 weights"
    dtype = "bfloat16"
    paying_sets = machine.BF16_SETS


class TorchFp16(_TorchPrecision):
    """float16."""

    name = "fp16"
    title = "float16 weights"
    dtype = "float16"
    paying_sets = machine.FP16_SETS
