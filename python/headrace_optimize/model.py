"""What is optimised, and what becomes of it: plain values that travel between processes as JSON."""

import dataclasses
import pathlib
from typing import Any, Optional

TORCHSCRIPT = "torchscript"
AOTI = "aoti"
ONNX = "onnx"
OPENVINO = "openvino"
EAGER = "eager"
DETECTIONS = "DETECTIONS"  # a parameter of the pytorch backend

BACKENDS = {TORCHSCRIPT: "pytorch", AOTI: "pytorch", ONNX: "onnxruntime", OPENVINO: "openvino"}


@dataclasses.dataclass
class Tensor:
    """An input or an output: dims without the batch dimension, -1 for what is open."""

    name: str
    dtype: str  # "FP32"
    dims: list[int]


@dataclasses.dataclass
class Source:
    """The model as it was given. Its inputs have no open dims: what a file leaves open the user has said."""

    name: str
    kind: str
    file: str
    max_batch_size: int  # 0: the model has no batch dimension
    inputs: list[Tensor]
    outputs: list[Tensor]
    parameters: dict[str, str] = dataclasses.field(default_factory=dict)
    instances: int = 1
    threads: Optional[int] = None  # of each instance, whoever serves it; None: a share of the cores
    version_folder: str = ""  # where variants go; empty: it is in no repository
    source_files: list[str] = dataclasses.field(default_factory=list)  # below version_folder, what the hash is of
    backend: str = ""  # that serves it now; empty: the usual one of its kind
    model_file: str = ""  # of an eager model: the Python file of its class
    is_image: bool = False  # inputs are images as TorchServe's image handlers make them
    warnings: list[str] = dataclasses.field(default_factory=list)

    @property
    def batches(self) -> bool:
        """Whether the first dimension is a batch."""
        return self.max_batch_size > 0

    @property
    def detects(self) -> bool:
        """Whether it answers what it finds in images, as many boxes as there are (the pytorch backend's DETECTIONS)."""
        return self.parameters.get(DETECTIONS, "").lower() in ("true", "1")


@dataclasses.dataclass
class Artefact:
    """Files and settings that serve the model in some way: the original's, or what recipes made of it."""

    kind: str
    file: str
    recipes: list[str] = dataclasses.field(default_factory=list)
    backend: str = ""  # empty: the usual one of its kind
    parameters: dict[str, str] = dataclasses.field(default_factory=dict)
    instances: Optional[int] = None  # None: as many as the source has
    graph_level: Optional[int] = None  # optimization.graph.level of onnxruntime
    instruction_sets: list[str] = dataclasses.field(default_factory=list)  # that a machine must have
    runtimes: dict[str, str] = dataclasses.field(default_factory=dict)  # that must be of this release
    notes: list[str] = dataclasses.field(default_factory=list)
    provenance: dict[str, Any] = dataclasses.field(default_factory=dict)  # recipe -> what it did, with versions

    @property
    def name(self) -> str:
        """Of the variant."""
        return "-".join(self.recipes) or "original"

    @property
    def served_by(self) -> str:
        """The backend."""
        return self.backend or BACKENDS[self.kind]

    def with_step(self, recipe: str, **changes: Any) -> "Artefact":
        """A copy with one more recipe and what it changed. Parameters are added to those that are there, unless
        another backend serves the result: those are for the one before."""
        moved = BACKENDS[changes.get("kind", self.kind)] != BACKENDS[self.kind]
        parameters = {**({} if moved else self.parameters), **changes.pop("parameters", {})}
        instruction_sets = sorted({*self.instruction_sets, *changes.pop("instruction_sets", [])})
        notes = [*self.notes, *changes.pop("notes", [])]
        provenance = {**self.provenance, recipe: changes.pop("provenance", {})}
        return dataclasses.replace(
            self,
            recipes=[*self.recipes, recipe],
            parameters=parameters,
            instruction_sets=instruction_sets,
            notes=notes,
            provenance=provenance,
            **changes,
        )

    def files(self) -> list[pathlib.Path]:
        """All that belongs to it: IR has its weights beside it, and ONNX may have."""
        path = pathlib.Path(self.file)
        if self.kind == OPENVINO and path.suffix == ".xml":
            return [path, path.with_suffix(".bin")]
        if self.kind == ONNX:
            return [path, *sorted(p for p in path.parent.glob(path.name + "*") if p != path)]
        return [path]

    def byte_size(self) -> int:
        """Of its files."""
        return sum(file.stat().st_size for file in self.files() if file.exists())


def original(source: Source) -> Artefact:
    """The source as it is served now."""
    return Artefact(kind=source.kind, file=source.file, backend=source.backend, parameters=dict(source.parameters))


def to_json(value: Any) -> dict[str, Any]:
    """Of a dataclass of this module."""
    return dataclasses.asdict(value)


def source_from_json(values: dict[str, Any]) -> Source:
    """The reverse of to_json."""
    tensors = {key: [Tensor(**tensor) for tensor in values[key]] for key in ("inputs", "outputs")}
    return Source(**{**values, **tensors})


def artefact_from_json(values: dict[str, Any]) -> Artefact:
    """The reverse of to_json."""
    return Artefact(**values)
