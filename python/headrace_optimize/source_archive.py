"""TorchServe's archives: a .mar or .tgz, or the same unpacked."""

import copy
import dataclasses
import json
import pathlib
import re
import tarfile
import zipfile
from typing import Any, Optional

from headrace_optimize.errors import UsageError
from headrace_optimize.model import DETECTIONS, EAGER, TORCHSCRIPT, Source, Tensor

MANIFEST = "MAR-INF/MANIFEST.json"
SUFFIXES = (".mar", ".tgz", ".tar.gz")
_BYTES_MAX = 16 << 30


@dataclasses.dataclass(frozen=True)
class _Handler:
    """A native handler (src/handler): its tensors, which it finds by these names."""

    image_dims: tuple[int, ...]
    outputs: tuple[Tensor, ...]
    parameters: tuple[tuple[str, str], ...] = ()  # of the backend

    @property
    def cuts(self) -> bool:
        """Whether images of all sizes become one."""
        return all(dim > 0 for dim in self.image_dims)


_HANDLERS = {
    "image_classifier": _Handler((3, 224, 224), (Tensor("scores", "FP32", [-1]),)),
    "image_segmenter": _Handler((3, 224, 224), (Tensor("out", "FP32", [-1] * 3),)),
    "object_detector": _Handler(
        (3, -1, -1),
        (
            Tensor("boxes", "FP32", [-1, 4]),
            Tensor("labels", "INT64", [-1]),
            Tensor("scores", "FP32", [-1]),
            Tensor("count", "INT64", [1]),
        ),
        ((DETECTIONS, "true"),),
    ),
}


def is_archive(path: pathlib.Path) -> bool:
    """A file or a folder."""
    return (path.is_file() and path.name.endswith(SUFFIXES)) or (path / MANIFEST).is_file()


def find_in(folder: pathlib.Path) -> Optional[pathlib.Path]:
    """The archive in a version's folder, or the folder itself."""
    if (folder / MANIFEST).is_file():
        return folder
    return next((path for path in sorted(folder.iterdir()) if path.is_file() and path.name.endswith(SUFFIXES)), None)


def _unpack(path: pathlib.Path, target: pathlib.Path) -> pathlib.Path:
    if path.is_dir():
        return path
    try:
        if path.name.endswith(".mar"):
            with zipfile.ZipFile(path) as archive:
                if sum(entry.file_size for entry in archive.infolist()) > _BYTES_MAX:
                    raise UsageError(f"'{path.name}' unpacks to more than {_BYTES_MAX >> 30} GiB")
                archive.extractall(target)  # never leaves the target: names are cleaned
        else:
            with tarfile.open(path) as archive:
                archive.extractall(target, filter="data")
    except (zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
        raise UsageError(f"'{path.name}' is no archive that can be read: {error}") from error
    return target


def _member(folder: pathlib.Path, manifest: dict[str, Any], key: str) -> Optional[pathlib.Path]:
    name = manifest.get(key)
    if not name:
        return None
    path = (folder / str(name)).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        raise UsageError(f"the archive's {key} '{name}' is not in it")
    return path


def _batch_size(folder: pathlib.Path, manifest: dict[str, Any]) -> int:
    config = folder / str(manifest.get("configFile") or "model-config.yaml")
    if not config.is_file():
        return 1
    match = re.search(r"^\s*batchSize\s*:\s*(\d+)\s*$", config.read_text(encoding="utf-8"), re.MULTILINE)
    return max(1, int(match[1])) if match else 1


def read(path: pathlib.Path, work: pathlib.Path, inputs: list[Tensor], batch_size_max: Optional[int]) -> Source:
    """UsageError says what the archive lacks. `inputs`: as the user gave them; the image handlers know theirs."""
    folder = _unpack(path, work / "archive")
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["model"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"'{path.name}' has no {MANIFEST} that can be read: {error}") from error
    handler = str(manifest.get("handler", "")).removesuffix(".py")
    weights = _member(folder, manifest, "serializedFile")
    model_file = _member(folder, manifest, "modelFile")
    if weights is None:
        raise UsageError(f"'{path.name}' names no weights (serializedFile)")
    if model_file is None and weights.suffix != ".pt":
        raise UsageError(f"'{weights.name}' of '{path.name}' is neither TorchScript (.pt) nor weights of a model file")
    known = _HANDLERS.get(handler)
    if not inputs and known is None:
        raise UsageError(
            f"what the model of handler '{handler}' takes is known to its code only: say it by --input name:dtype:shape"
        )
    return Source(
        name=str(manifest.get("modelName") or path.stem),
        kind=EAGER if model_file else TORCHSCRIPT,
        file=str(weights),
        # TorchServe's batch of one is a default that nobody chose: compiled variants should take more.
        max_batch_size=batch_size_max or max(16, _batch_size(folder, manifest)),
        inputs=inputs or ([Tensor("image", "FP32", list(known.image_dims))] if known else []),
        outputs=copy.deepcopy(list(known.outputs)) if known else [],
        parameters=dict(known.parameters) if known else {},
        model_file=str(model_file or ""),
        is_image=known is not None and known.cuts,
    )
