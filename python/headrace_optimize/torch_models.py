"""PyTorch models: loading, tracing, calling. Imports torch, so only child processes import this."""

import contextlib
import importlib.util
import inspect
import pathlib
from typing import Any, Callable

import torch

from headrace_optimize import tensors
from headrace_optimize.errors import NotApplicable, OptimizeError
from headrace_optimize.model import Source

# Example batches: not 1, which export would take for a constant.
EXAMPLE_BATCH = 2


def example_inputs(source: Source, batch: int = EXAMPLE_BATCH) -> tuple[torch.Tensor, ...]:
    """Seeded numbers in the order of the model's inputs."""
    generator = torch.Generator().manual_seed(source.max_batch_size)
    made = []
    for tensor in source.inputs:
        shape = [batch, *tensor.dims] if source.batches else tensor.dims
        dtype = torch.from_numpy(_zero(tensor.dtype)).dtype
        made.append(torch.rand(shape, generator=generator).to(dtype))
    return tuple(made)


def _zero(dtype: str) -> Any:
    import numpy  # pylint: disable=import-outside-toplevel

    return numpy.zeros(1, tensors.to_numpy(dtype))


def load_script(path: str) -> torch.jit.ScriptModule:
    """For inference, on the CPU. NotApplicable where it needs operators of torchvision, and there is none."""
    with contextlib.suppress(ImportError):
        import torchvision  # noqa: F401  # registers them  # pylint: disable=import-outside-toplevel,unused-import
    try:
        module = torch.jit.load(path, map_location="cpu")
    except RuntimeError as error:
        if "torchvision::" in str(error):
            raise NotApplicable("its operators need the Python package torchvision: pip install it") from error
        raise
    module.eval()
    return module


def is_frozen(module: torch.jit.ScriptModule) -> bool:
    """Frozen modules have lost the attribute that says whether they train."""
    return not hasattr(module, "training")


def load_frozen(path: str) -> torch.jit.ScriptModule:
    """The same, its weights being constants of its graph."""
    module = load_script(path)
    return module if is_frozen(module) else torch.jit.freeze(module)


def trace(function: Callable[..., Any], source: Source, module: torch.nn.Module) -> torch.jit.ScriptModule:
    """`function(module, *inputs)` as TorchScript; scripted parts stay scripted."""

    class _Wrapped(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = module

        def forward(self, *inputs: torch.Tensor) -> Any:
            return function(self.inner, *inputs)

    # A traced forward needs named arguments: torch.jit.trace finds them in the signature.
    names = [f"input_{i}" for i in range(len(source.inputs))]
    namespace: dict[str, Any] = {"_function": function}
    body = f"def forward(self, {', '.join(names)}):\n    return _function(self.inner, {', '.join(names)})\n"
    exec(body, namespace)  # names are ours  # pylint: disable=exec-used
    _Wrapped.forward = namespace["forward"]  # type: ignore[method-assign]
    with torch.no_grad():
        return torch.jit.trace(_Wrapped().eval(), example_inputs(source), check_trace=False, strict=False)


def detections(module: torch.jit.ScriptModule, images: torch.Tensor) -> list[dict[str, torch.Tensor]]:
    """What a detector finds in images [n, 3, height, width]; called as the pytorch backend does it (DETECTIONS)."""
    arguments = module._c._get_method("forward").schema.arguments  # pylint: disable=protected-access
    takes_list = arguments[1].type.kind() == "ListType"  # behind the module itself
    with torch.inference_mode():
        answer = module(list(images.unbind(0)) if takes_list else images)
    return list(answer[-1] if isinstance(answer, tuple) else answer)


def flat(outputs: Any) -> list[torch.Tensor]:
    """The tensors of an answer in their order."""
    if isinstance(outputs, torch.Tensor):
        return [outputs]
    if isinstance(outputs, dict):
        outputs = list(outputs.values())
    if isinstance(outputs, (list, tuple)):
        return [tensor for part in outputs for tensor in flat(part)]
    raise OptimizeError(f"the model answers with a {type(outputs).__name__}, which is no tensor")


def describe_outputs(source: Source) -> list[dict[str, Any]]:
    """Names, types and dims of the outputs, seen in a call."""
    inputs = example_inputs(source)
    with torch.no_grad():
        answer = load_script(source.file)(*inputs)
    names = list(answer) if isinstance(answer, dict) else None
    described = []
    for i, tensor in enumerate(flat(answer)):
        dims = list(tensor.shape[1:] if source.batches else tensor.shape)
        dtype = tensors.name_of(tensor.detach().numpy().dtype)
        described.append({"name": names[i] if names else f"OUTPUT__{i}", "dtype": dtype, "dims": dims})
    return described


def _model_class(path: pathlib.Path) -> type[torch.nn.Module]:
    spec = importlib.util.spec_from_file_location("headrace_model_file", path)
    if spec is None or spec.loader is None:
        raise OptimizeError(f"'{path.name}' is no Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = [
        value
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, torch.nn.Module) and value.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise OptimizeError(f"'{path.name}' has {len(found)} classes that are torch modules; it takes one")
    return found[0]


def trace_eager(source: Source, target: pathlib.Path) -> None:
    """Makes TorchScript of a model file and its weights (a state dict, or a whole pickled module)."""
    made = _model_class(pathlib.Path(source.model_file))()
    state = torch.load(source.file, map_location="cpu", weights_only=True)
    made.load_state_dict(state)
    made.eval()
    trace(lambda module, *inputs: module(*inputs), source, made).save(str(target))
