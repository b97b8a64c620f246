"""Writes models of a Triton repository."""

import json
import os
import pathlib
import shutil
from typing import Optional

from headrace_optimize import threads
from headrace_optimize.model import ONNX, Artefact, Source, Tensor


def _tensor(field: str, tensor: Tensor) -> str:
    dims = ", ".join(str(dim) for dim in tensor.dims)
    name = json.dumps(tensor.name)
    return f"{field} {{ name: {name} data_type: TYPE_{tensor.dtype} dims: [ {dims} ] }}\n"


def config_text(source: Source, artefact: Artefact, file_name: Optional[str] = None) -> str:
    """config.pbtxt for the artefact with the source's tensors; names the file where it has not the usual name."""
    lines = [f'backend: "{artefact.served_by}"\n', f"max_batch_size: {source.max_batch_size}\n"]
    if file_name:
        lines.append(f"default_model_filename: {json.dumps(file_name)}\n")
    lines += [_tensor("input", tensor) for tensor in source.inputs]
    lines += [_tensor("output", tensor) for tensor in source.outputs]
    count = artefact.instances or source.instances
    lines.append(f"instance_group {{ count: {count} kind: KIND_CPU }}\n")
    if artefact.graph_level is not None:
        lines.append(f"optimization {{ graph {{ level: {artefact.graph_level} }} }}\n")
    # A recipe that says how many instances there are means a share of the cores for each.
    asked = source.threads if artefact.instances is None else None
    parameters = threads.parameters_for(artefact.served_by, asked, count) | artefact.parameters
    for key, value in parameters.items():
        text = json.dumps(value)
        lines.append(f"parameters {{ key: {json.dumps(key)} value: {{ string_value: {text} }} }}\n")
    return "".join(lines)


def _link_or_copy(source: pathlib.Path, target: pathlib.Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copyfile(source, target)


def write_model(repository: pathlib.Path, name: str, source: Source, artefact: Artefact) -> pathlib.Path:
    """Adds a model that serves the artefact; its files are linked where they can be. The folder."""
    folder = repository / name
    version = folder / "1"
    version.mkdir(parents=True)
    file = pathlib.Path(artefact.file).resolve()
    names = artefact.files()
    for path in names:
        _link_or_copy(path.resolve(), version / path.name)
    if artefact.kind == ONNX:  # external data lies beside the file under names of its own
        for path in external_data(file):
            if not (version / path.name).exists():
                _link_or_copy(path, version / path.name)
    (folder / "config.pbtxt").write_text(config_text(source, artefact, file.name), encoding="utf-8")
    return folder


def external_data(file: pathlib.Path) -> list[pathlib.Path]:
    """Files beside an ONNX model that may hold its weights: all that are no models of another format."""
    try:
        import onnx  # pylint: disable=import-outside-toplevel

        model = onnx.load(str(file), load_external_data=False)
    except ImportError:
        return []
    except Exception:  # pylint: disable=broad-exception-caught  # whoever serves it will say what is wrong
        return []
    names = {
        entry.value
        for tensor in model.graph.initializer
        for entry in tensor.external_data
        if entry.key == "location" and pathlib.PurePath(entry.value).name == entry.value
    }
    return [path for name in sorted(names) if (path := file.parent / name).is_file()]
