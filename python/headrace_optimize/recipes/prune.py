"""The smallest weights are set to zero, for good."""

from typing import Any

import numpy

from headrace_optimize.errors import NotApplicable
from headrace_optimize.model import ONNX, TORCHSCRIPT, Artefact
from headrace_optimize.recipes.base import Context, Recipe, ensure_made

_NOTE = (
    "{:.0f} % of the weights are zero now. Unstructured zeros speed nothing up (no kernel skips them) and the file stays "
    "as large; it packs to {:.0f} % of its size, {:.0f} % before"
)


def _pruned(weights: numpy.ndarray, amount: float) -> numpy.ndarray:
    """A copy without the `amount` of it that is smallest by magnitude."""
    count = int(weights.size * amount)
    if count == 0:
        return weights
    flat = weights.ravel().copy()
    flat[numpy.argpartition(numpy.abs(flat), count - 1)[:count]] = 0
    return flat.reshape(weights.shape)


def _packed_share(path: str) -> float:
    """What fast compression leaves of a file, from 0 to 1."""
    import zlib  # pylint: disable=import-outside-toplevel

    compressor, packed, size = zlib.compressobj(1), 0, 0
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            size += len(piece)
            packed += len(compressor.compress(piece))
    return (packed + len(compressor.flush())) / max(1, size)


class Prune(Recipe):
    """L1, unstructured, in each weight of at least two dimensions, as torchprep's command means it."""

    name = "prune"
    title = "unstructured pruning"
    stage = "sparsity"
    takes = (TORCHSCRIPT, ONNX)
    packages = ("numpy",)
    risk = "high"

    def apply(self, artefact: Artefact, context: Context) -> Artefact:
        """See Recipe."""
        path = context.folder / ("model.onnx" if artefact.kind == ONNX else "model.pt")
        prune = _prune_onnx if artefact.kind == ONNX else _prune_script
        zeros, total = prune(artefact.file, str(path), context.prune_amount)
        if total == 0:
            raise NotApplicable("it has no weights that are parameters (a frozen model's are constants)")
        note = _NOTE.format(100 * zeros / total, 100 * _packed_share(str(path)), 100 * _packed_share(artefact.file))
        return artefact.with_step(
            self.name,
            file=ensure_made(path),
            notes=[note],
            provenance=self.provenance(amount=context.prune_amount, zeros=zeros, weights=total),
        )


def _prune_script(source: str, target: str, amount: float) -> tuple[int, int]:
    import torch  # pylint: disable=import-outside-toplevel

    from headrace_optimize import torch_models  # pylint: disable=import-outside-toplevel

    module = torch_models.load_script(source)
    zeros = total = 0
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.dim() >= 2 and parameter.is_floating_point():
                pruned = _pruned(parameter.numpy(), amount)
                parameter.copy_(torch.from_numpy(pruned))
                zeros += int((pruned == 0).sum())
                total += pruned.size
    module.save(target)
    return zeros, total


def _prune_onnx(source: str, target: str, amount: float) -> tuple[int, int]:
    import onnx  # pylint: disable=import-outside-toplevel
    from onnx import numpy_helper  # pylint: disable=import-outside-toplevel

    model: Any = onnx.load(source)
    zeros = total = 0
    for tensor in model.graph.initializer:
        weights = numpy_helper.to_array(tensor)
        if weights.ndim >= 2 and weights.dtype.kind == "f":
            pruned = _pruned(weights, amount)
            tensor.CopyFrom(numpy_helper.from_array(pruned, tensor.name))
            zeros += int((pruned == 0).sum())
            total += pruned.size
    onnx.save(model, target)
    return zeros, total
