"""Turns a photograph into the input of an ImageNet classifier, and knows where an example is."""

import importlib.util
import pathlib

import numpy as np
from PIL import Image

_SHORT_SIDE = 256
_CROP = 224
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)


def example_path():
    """The photograph of a cup of coffee that ships in the wheel scikit-image."""
    # Found without importing the package, whose own requirements are not installed.
    spec = importlib.util.find_spec("skimage")
    if spec is None:
        raise FileNotFoundError("scikit-image is not installed; run tools/setup.sh")
    return pathlib.Path(spec.origin).parent / "data" / "coffee.png"


def load(path):
    """Returns the photograph at `path` as float32 [1, 3, 224, 224], scaled, cropped and normalised.

    The usual ImageNet way: short side to 256 pixels, the middle 224 x 224, each channel brought to
    mean 0 and deviation 1 by ImageNet's figures.
    """
    with Image.open(path) as file:
        image = file.convert("RGB")
    scale = _SHORT_SIDE / min(image.size)
    image = image.resize([round(side * scale) for side in image.size], Image.Resampling.BILINEAR)
    left, top = ((side - _CROP) // 2 for side in image.size)
    image = image.crop((left, top, left + _CROP, top + _CROP))
    pixels = np.asarray(image, dtype=np.float32) / 255
    return ((pixels - _MEAN) / _DEVIATION).transpose(2, 0, 1)[np.newaxis]
