"""AOTInductor: the model compiled to native code."""

import shutil

from headrace_optimize import machine
from headrace_optimize.errors import OptimizeError
from headrace_optimize.model import AOTI, TORCHSCRIPT, Artefact, Source
from headrace_optimize.recipes.base import Context, Recipe, ensure_made


class AotInductor(Recipe):
    """TorchScript is turned into an exported program first. The package has an open batch dimension, weights are frozen
    into it, and it fits this kind of processor and this release of PyTorch only."""

    name = "aot_inductor"
    title = "AOTInductor"
    stage = "runtime"
    takes = (TORCHSCRIPT,)
    packages = ("torch",)
    traces = True
    risk = "rounding"

    def why_not(self, artefact: Artefact, source: Source) -> str:
        """See Recipe."""
        if "OPTIMIZE_FOR_INFERENCE" in artefact.parameters:
            return "it compiles the model as it was before optimize_for_inference"
        return ""

    def apply(self, artefact: Artefact, context: Context) -> Artefact:
        """See Recipe."""
        if shutil.which("g++") is None and shutil.which("clang++") is None:
            raise OptimizeError("there is no C++ compiler, which AOTInductor needs: install g++, or name one in CXX")
        import torch  # pylint: disable=import-outside-toplevel
        import torch._inductor  # pylint: disable=import-outside-toplevel
        from torch._export.converter import TS2EPConverter  # pylint: disable=import-outside-toplevel

        from headrace_optimize import torch_models  # pylint: disable=import-outside-toplevel

        source = context.source
        inputs = torch_models.example_inputs(source)
        with torch.no_grad():
            converted = TS2EPConverter(torch_models.load_script(artefact.file), inputs, {}).convert()
            shapes = None
            if source.batches and source.max_batch_size > 1:
                # The bound that ends up in the code may be one less than what is asked for.
                batch = torch.export.Dim("batch", min=1, max=2 * source.max_batch_size)
                shapes = (tuple({0: batch} for _ in inputs),)
            program = torch.export.export(_Called(converted.module()), inputs, dynamic_shapes=shapes)
            path = context.folder / "model.pt2"
            torch._inductor.aoti_compile_and_package(  # pylint: disable=protected-access
                program, package_path=str(path), inductor_configs={"freezing": True}
            )
        return artefact.with_step(
            self.name,
            kind=AOTI,
            file=ensure_made(path),
            instruction_sets=machine.instruction_sets(),
            runtimes={"torch": machine.version_of("torch")},
            provenance=self.provenance(freezing=True, compiler=shutil.which("g++") or shutil.which("clang++")),
        )


def _Called(module):  # type: ignore[no-untyped-def]  # pylint: disable=invalid-name
    """A module of any number of inputs: export wants one shape for each argument of forward."""
    import torch  # pylint: disable=import-outside-toplevel

    class _Module(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = module

        def forward(self, *inputs):  # type: ignore[no-untyped-def]
            return self.inner(*inputs)

    return _Module()
