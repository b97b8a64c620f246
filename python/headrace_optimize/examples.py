"""Inputs to calibrate and to compare with: given, from images, or random."""

import dataclasses
import pathlib
from typing import Any, Optional, Sequence

import numpy

from headrace_optimize import tensors
from headrace_optimize.errors import UsageError
from headrace_optimize.model import Source, Tensor

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
_MEAN = (0.485, 0.456, 0.406)
_DEVIATION = (0.229, 0.224, 0.225)
RANDOM_COUNT = 16
_COUNT_MAX = 4096
_LABELS = " labels"  # in a saved file; no tensor is called so


@dataclasses.dataclass
class Examples:
    """One array for each input, the samples along the first dimension (also of models without batches)."""

    arrays: dict[str, numpy.ndarray]
    origin: str  # for reports: "24 images of photographs/"
    labels: Optional[numpy.ndarray] = None  # class numbers; negative: not known
    is_real: bool = False  # random inputs say little about accuracy

    @property
    def count(self) -> int:
        """Samples."""
        return len(next(iter(self.arrays.values())))

    def batch(self, source: Source, size: int, first: int = 0) -> dict[str, numpy.ndarray]:
        """`size` samples, going round; of a model without batches one, without the dimension."""
        if not source.batches:
            return {name: values[first % self.count] for name, values in self.arrays.items()}
        places = [(first + i) % self.count for i in range(size)]
        return {name: values[places] for name, values in self.arrays.items()}

    def save(self, path: pathlib.Path) -> None:
        """For child processes, which load() them."""
        labels = {} if self.labels is None else {_LABELS: self.labels}
        numpy.savez(path, **self.arrays, **labels)


def load(path: pathlib.Path) -> tuple[dict[str, numpy.ndarray], Optional[numpy.ndarray]]:
    """What save() wrote: the arrays, and the labels where there are any."""
    with numpy.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    return arrays, arrays.pop(_LABELS, None)


def random(source: Source, count: int = RANDOM_COUNT, seed: int = 1) -> Examples:
    """Normal numbers for floats, small ones for whole numbers: they may be indices."""
    generator = numpy.random.Generator(numpy.random.PCG64(seed))
    arrays = {}
    for tensor in source.inputs:
        shape, dtype = (count, *tensor.dims), tensors.to_numpy(tensor.dtype)
        if dtype.kind == "f":
            arrays[tensor.name] = generator.standard_normal(shape).astype(dtype)
        elif dtype.kind == "b":
            arrays[tensor.name] = generator.integers(0, 2, shape).astype(dtype)
        else:
            high = 256 if dtype == numpy.uint8 else 2
            arrays[tensor.name] = generator.integers(0, high, shape).astype(dtype)
    return Examples(arrays, f"{count} random inputs (seed {seed})")


def _fit(tensor: Tensor, values: numpy.ndarray, what: str) -> numpy.ndarray:
    dims = tuple(tensor.dims)
    if values.shape == dims:
        values = values[None]
    if values.shape[1:] != dims or not len(values):
        wanted = f"[{', '.join(map(str, ('n', *dims)))}]"
        raise UsageError(f"--inputs: {what} has the shape {list(values.shape)}; input '{tensor.name}' takes {wanted}")
    return values[:_COUNT_MAX].astype(tensors.to_numpy(tensor.dtype), copy=False)


def _load(path: pathlib.Path) -> Any:
    try:
        return numpy.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise UsageError(f"--inputs: cannot read '{path}': {error}") from error


def _of_npz(source: Source, path: pathlib.Path) -> dict[str, numpy.ndarray]:
    found = _load(path)
    missing = [tensor.name for tensor in source.inputs if tensor.name not in found.files]
    if missing:
        raise UsageError(
            f"--inputs: '{path}' has no array '{missing[0]}'; it holds {', '.join(found.files) or 'nothing'}"
        )
    return {tensor.name: _fit(tensor, found[tensor.name], f"'{tensor.name}'") for tensor in source.inputs}


def _only_input(source: Source, what: str) -> Tensor:
    if len(source.inputs) != 1:
        raise UsageError(f"--inputs: the model has {len(source.inputs)} inputs; {what} fits one. Give an .npz with all")
    return source.inputs[0]


def _preprocess(path: pathlib.Path, height: int, width: int) -> numpy.ndarray:
    """As TorchServe's image_classifier: the shorter side to 256 / 224 of the crop, its middle, normalised."""
    from PIL import Image  # pylint: disable=import-outside-toplevel

    with Image.open(path) as file:
        image = file.convert("RGB")
    side = round(min(height, width) * 256 / 224)
    scale = side / min(image.size)
    size = tuple(max(side, int(length * scale)) for length in image.size)
    image = image.resize(size, Image.Resampling.BILINEAR)
    left, top = round((image.width - width) / 2), round((image.height - height) / 2)
    image = image.crop((left, top, left + width, top + height))
    pixels = numpy.asarray(image, numpy.float32) / 255
    pixels = (pixels - numpy.array(_MEAN, numpy.float32)) / numpy.array(_DEVIATION, numpy.float32)
    return pixels.transpose(2, 0, 1)


def _preprocess_whole(path: pathlib.Path, height: int, width: int) -> numpy.ndarray:
    """As TorchServe's object_detector, but for the size, which it leaves as it is: from 0 to 1."""
    from PIL import Image  # pylint: disable=import-outside-toplevel

    with Image.open(path) as file:
        image = file.convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
    return numpy.asarray(image, numpy.float32).transpose(2, 0, 1) / 255


def _of_images(source: Source, paths: Sequence[pathlib.Path]) -> dict[str, numpy.ndarray]:
    tensor = _only_input(source, "a directory of images")
    if tensor.dtype != "FP32" or len(tensor.dims) != 3 or tensor.dims[0] != 3:
        raise UsageError(
            f"--inputs: images become FP32 [3, height, width], and input '{tensor.name}' is {tensor.dtype} "
            f"{tensor.dims}; give an .npy or .npz of what the model takes"
        )
    prepare = _preprocess_whole if source.detects else _preprocess
    try:
        return {tensor.name: numpy.stack([prepare(path, *tensor.dims[1:]) for path in paths[:_COUNT_MAX]])}
    except ImportError as error:
        raise UsageError("--inputs: reading images needs the Python package 'pillow'") from error
    except OSError as error:
        raise UsageError(f"--inputs: {error}") from error


def _of_folder(source: Source, folder: pathlib.Path) -> Examples:
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    if paths:
        return Examples(_of_images(source, paths), f"{len(paths)} images of {folder.name}/", is_real=True)
    arrays = sorted(folder.glob("*.npy"))
    if not arrays:
        raise UsageError(f"--inputs: '{folder}' holds neither images nor .npy files")
    tensor = _only_input(source, "a directory of .npy files")
    rows = [_fit(tensor, _load(path), f"'{path.name}'") for path in arrays]
    return Examples({tensor.name: numpy.concatenate(rows)}, f"{len(arrays)} files of {folder.name}/", is_real=True)


def read(source: Source, path: Optional[pathlib.Path], labels: Optional[pathlib.Path], count: int) -> Examples:
    """`path`: a directory of images or .npy files, an .npz, an .npy, an image; None: random. UsageError says what fails."""
    if path is None:
        examples = random(source, count)
    elif path.is_dir():
        examples = _of_folder(source, path)
    elif path.suffix == ".npz":
        examples = Examples(_of_npz(source, path), f"{path.name}", is_real=True)
    elif path.suffix == ".npy":
        tensor = _only_input(source, "an .npy")
        examples = Examples({tensor.name: _fit(tensor, _load(path), f"'{path}'")}, path.name, is_real=True)
    elif path.suffix.lower() in IMAGE_SUFFIXES:
        examples = Examples(_of_images(source, [path]), path.name, is_real=True)
    else:
        raise UsageError(f"--inputs: '{path}' is no directory, .npz, .npy or image")
    if len({len(values) for values in examples.arrays.values()}) != 1:
        raise UsageError("--inputs: the inputs have different numbers of samples")
    if labels is not None:
        examples.labels = _read_labels(labels, examples.count)
        examples.origin += f", {(examples.labels >= 0).sum()} of them with labels"
    return examples


def _read_labels(path: pathlib.Path, count: int) -> numpy.ndarray:
    try:
        values = (
            numpy.load(path, allow_pickle=False)
            if path.suffix == ".npy"
            else numpy.array([int(line) for line in path.read_text(encoding="utf-8").split()])
        )
    except (OSError, ValueError) as error:
        raise UsageError(f"--labels: cannot read '{path}' (an .npy, or one class number a line): {error}") from error
    if values.shape != (count,):
        raise UsageError(f"--labels: {values.size} labels for {count} samples (-1 where the class is not known)")
    if not (values >= 0).any():
        raise UsageError(f"--labels: '{path}' knows the class of no sample; leave the option out")
    return values.astype(numpy.int64)
