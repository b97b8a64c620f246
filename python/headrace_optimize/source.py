"""Finds out what the model is that the command line names."""

import dataclasses
import pathlib
import shutil
from typing import Any, Optional

from headrace_optimize import children, model, source_archive, tensors, threads
from headrace_optimize.errors import OptimizeError, UsageError
from headrace_optimize.model import AOTI, EAGER, ONNX, OPENVINO, TORCHSCRIPT, Source, Tensor
from headrace_optimize.server import Server
from headrace_optimize.settings import Settings

VARIANTS = "variants"
_KINDS = {".pt": TORCHSCRIPT, ".pth": EAGER, ".pt2": AOTI, ".onnx": ONNX, ".xml": OPENVINO}
_BATCH_SIZE_MAX = 16


@dataclasses.dataclass
class Request:
    """What the command line says of the model."""

    path: pathlib.Path
    inputs: list[Tensor] = dataclasses.field(default_factory=list)  # --input
    shapes: dict[str, list[int]] = dataclasses.field(default_factory=dict)  # --shape
    version: Optional[int] = None
    model_file: Optional[pathlib.Path] = None


def parse_input(text: str) -> Tensor:
    """name:dtype:3x224x224, without the batch dimension; the name may hold colons itself."""
    name, _, rest = text.rpartition(":")
    name, _, dtype = name.rpartition(":")
    try:
        dims = [int(dim) for dim in rest.lower().replace(",", "x").split("x")] if rest else []
        if not name or not tensors.is_known(dtype) or any(dim < 1 for dim in dims):
            raise ValueError
    except ValueError as error:
        raise UsageError(
            f"--input '{text}' is not name:dtype:shape, as in images:fp32:3x224x224 (without the batch dimension)"
        ) from error
    return Tensor(name, dtype.upper(), dims)


def parse_shape(text: str) -> tuple[str, list[int]]:
    """name:3,224,224"""
    name, _, rest = text.rpartition(":")
    try:
        dims = [int(dim) for dim in rest.lower().replace(",", "x").split("x")]
        if not name or any(dim < 1 for dim in dims):
            raise ValueError
    except ValueError as error:
        raise UsageError(f"--shape '{text}' is not name:3,224,224 (without the batch dimension)") from error
    return name, dims


def _is_version(name: str) -> bool:
    return name.isdigit() and not name.startswith("0")


def _versions(folder: pathlib.Path) -> list[int]:
    return sorted(int(entry.name) for entry in folder.iterdir() if entry.is_dir() and _is_version(entry.name))


def read(request: Request, settings: Settings) -> Source:
    """Blocks: serves the model to see its configuration. UsageError for what is no model, or lacks a shape."""
    path = request.path.resolve()
    if not path.exists():
        raise UsageError(f"'{request.path}' does not exist")
    if path.is_dir() and not source_archive.is_archive(path):
        if not _versions(path):
            raise UsageError(f"'{request.path}' holds no version (a folder named 1, 2, ...): it is no model of a repository")
        source = _of_repository(path, request, settings)
    elif source_archive.is_archive(path):
        source = source_archive.read(path, settings.work, request.inputs, settings.batch_size_max)
    elif path.suffix in _KINDS:
        source = _of_file(path, request, settings)
    else:
        raise UsageError(f"'{request.path}' is no model that is known: {', '.join(_KINDS)}, an archive, a model's folder")
    return _complete(source, request, settings)


def _complete(source: Source, request: Request, settings: Settings) -> Source:
    for tensor in source.inputs:
        if tensor.name in request.shapes:
            tensor.dims = request.shapes[tensor.name]
        if any(dim < 1 for dim in tensor.dims):
            raise UsageError(
                f"input '{tensor.name}' has open dimensions {tensor.dims}: say --shape {tensor.name}:"
                + ",".join("N" if dim < 1 else str(dim) for dim in tensor.dims)
            )
        if not tensors.is_known(tensor.dtype):
            raise UsageError(f"input '{tensor.name}' is {tensor.dtype}, which cannot be made here")
    if source.kind == EAGER:
        target = settings.work / "traced" / "model.pt"
        target.parent.mkdir(parents=True, exist_ok=True)
        job = {"action": "trace", "source": model.to_json(source), "target": str(target)}
        children.run(job, settings.work, settings.recipe_seconds_max)
        source = dataclasses.replace(source, kind=TORCHSCRIPT, file=str(target))
        source.warnings.append("the original is measured as traced TorchScript: eager models are served by Python handlers")
    if not source.outputs:
        job = {"action": "outputs", "source": model.to_json(source)}
        found = children.run(job, settings.work, settings.recipe_seconds_max)["outputs"]
        source.outputs = [Tensor(**output) for output in found]
    return source


def _of_file(path: pathlib.Path, request: Request, settings: Settings) -> Source:
    kind = _KINDS[path.suffix]
    if request.model_file is not None:
        kind = EAGER
    if kind == EAGER and request.model_file is None:
        raise UsageError(f"'{path.name}' holds weights only: say --model-file with the Python file of the model's class")
    if kind in (TORCHSCRIPT, EAGER):
        if not request.inputs:
            raise UsageError(f"what '{path.name}' takes is not in the file: say --input name:dtype:shape")
        return Source(
            name=path.stem,
            kind=kind,
            file=str(path),
            max_batch_size=_BATCH_SIZE_MAX if settings.batch_size_max is None else settings.batch_size_max,
            inputs=request.inputs,
            outputs=[],
            model_file=str(request.model_file.resolve()) if request.model_file else "",
        )
    folder = settings.work / "given" / path.stem / "1"
    folder.mkdir(parents=True)
    standard = {AOTI: "model.pt2", ONNX: "model.onnx", OPENVINO: "model.xml"}[kind]
    shutil.copyfile(path, folder / standard)
    if kind == OPENVINO:
        shutil.copyfile(path.with_suffix(".bin"), folder / "model.bin")
    config = _served_config(folder.parent)
    source = _of_config(config, kind, path)
    if source.batches:
        source.max_batch_size = settings.batch_size_max or _BATCH_SIZE_MAX
    elif settings.batch_size_max:
        source.max_batch_size = settings.batch_size_max
        for tensor in (*source.inputs, *source.outputs):
            tensor.dims = tensor.dims[1:]
    return source


def _served_config(folder: pathlib.Path) -> dict[str, Any]:
    with Server(folder.parent, "--model-variants=off") as server:
        server.load(folder.name)
        return server.config(folder.name)


def _tensors(config: dict[str, Any], field: str) -> list[Tensor]:
    found = []
    for entry in config.get(field, []):
        dims = [int(dim) for dim in entry.get("dims", [])]
        found.append(Tensor(entry["name"], entry["data_type"].removeprefix("TYPE_"), dims))
    return found


def _of_config(config: dict[str, Any], kind: str, file: pathlib.Path) -> Source:
    instances = max(1, sum(int(group.get("count", 1)) for group in config.get("instance_group", [])))
    parameters = {key: str(value.get("string_value", "")) for key, value in config.get("parameters", {}).items()}
    asked = threads.take(parameters, instances)
    return Source(
        name=config["name"],
        kind=kind,
        file=str(file),
        max_batch_size=int(config.get("max_batch_size", 0)),
        inputs=_tensors(config, "input"),
        outputs=_tensors(config, "output"),
        parameters=parameters,
        instances=instances,
        threads=asked,
        backend=config.get("backend", ""),
    )


def _of_repository(folder: pathlib.Path, request: Request, settings: Settings) -> Source:
    versions = _versions(folder)
    version = request.version or versions[-1]
    version_folder = folder / str(version)
    if version not in versions:
        raise UsageError(f"'{folder.name}' has no version {version}; it has {', '.join(map(str, versions))}")
    archive = source_archive.find_in(version_folder)
    if archive is not None:
        source = source_archive.read(archive, settings.work, request.inputs, settings.batch_size_max)
        _configure(source, folder)
    else:
        config = _served_config(folder)
        file = _model_file(version_folder, config)
        if file is None:
            raise UsageError(
                f"'{folder.name}' is a model of backend '{config.get('backend', '')}': only TorchScript, packages of "
                "AOTInductor, ONNX and OpenVINO models can be optimised"
            )
        source = _of_config(config, _KINDS[file.suffix], file)
    source.name = folder.name
    source.version_folder = str(version_folder)
    source.source_files = source_files(version_folder)
    if not source.source_files:
        raise OptimizeError(f"'{version_folder}' holds no files")
    return source


def _configure(source: Source, folder: pathlib.Path) -> None:
    """What is configured beside an archive. Its own handler may not run here, which says nothing about the model."""
    try:
        config = _served_config(folder)
    except OptimizeError as error:
        source.warnings.append(f"the archive itself is not served here ({error}): how it is configured does not count")
        return
    asked = _of_config(config, source.kind, pathlib.Path(source.file))
    source.instances, source.threads = asked.instances, asked.threads
    # In capitals: the backend's (docs/handlers.md). The others are the handler's.
    source.parameters |= {key: value for key, value in asked.parameters.items() if key.isupper()}


def source_files(version_folder: pathlib.Path) -> list[str]:
    """What the variants depend on: all files of the version but the variants and hidden ones."""
    found = []
    for path in sorted(version_folder.rglob("*")):
        parts = path.relative_to(version_folder).parts
        if parts[0] != VARIANTS and path.is_file() and not any(part.startswith(".") for part in parts):
            found.append("/".join(parts))
    return found


def _model_file(version_folder: pathlib.Path, config: dict[str, Any]) -> Optional[pathlib.Path]:
    names = [config.get("default_model_filename", ""), "model.onnx", "model.pt", "model.pt2", "model.xml"]
    if config.get("backend") not in ("pytorch", "onnxruntime", "openvino"):
        return None
    for name in names:
        if name and (version_folder / name).is_file() and pathlib.Path(name).suffix in _KINDS:
            return version_folder / name
    return None
