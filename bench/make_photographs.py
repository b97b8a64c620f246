#!/usr/bin/env python3
"""Writes crops of scikit-image's photographs, to measure `headrace optimize` with: make_photographs.py FOLDER

From each photograph the whole, its four quarters and its middle, and all of them mirrored: pictures that differ, of
which a classifier says different things.
"""

import importlib.util
import pathlib
import sys

from PIL import Image, ImageOps

_PHOTOGRAPHS = "astronaut.png chelsea.png coffee.png hubble_deep_field.jpg ihc.png motorcycle_left.png retina.jpg rocket.jpg"
_GREY = "brick.png camera.png coins.png grass.png gravel.png moon.png"


def _crops(image):
    width, height = image.size
    yield image
    for left in (0, width // 2):
        for top in (0, height // 2):
            yield image.crop((left, top, left + width // 2, top + height // 2))
    yield image.crop((width // 4, height // 4, 3 * width // 4, 3 * height // 4))


def main():
    """Prints how many it wrote."""
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    data = pathlib.Path(importlib.util.find_spec("skimage").origin).parent / "data"
    count = 0
    for name in f"{_PHOTOGRAPHS} {_GREY}".split():
        with Image.open(data / name) as file:
            image = file.convert("RGB")
        for crop in _crops(image):
            for picture in (crop, ImageOps.mirror(crop)):
                picture.save(folder / f"{count:03}.jpg", quality=92)
                count += 1
    print(f"{count} pictures in {folder}")


if __name__ == "__main__":
    main()
