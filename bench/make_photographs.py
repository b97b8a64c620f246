#!/usr/bin/env python3
"""Writes crops of scikit-image's photographs, to measure `headrace optimize` with: make_photographs.py FOLDER [--other]

From each photograph the whole, its four quarters and its middle, and all of them mirrored: pictures that differ, of
which a classifier says different things. With --other, other crops of other sizes, so that what was calibrated on the
first can be judged by pictures that it has not seen. NN-....jpg is of photograph NN.
"""

import argparse
import importlib.util
import pathlib

from PIL import Image, ImageOps

_PHOTOGRAPHS = "astronaut.png chelsea.png coffee.png hubble_deep_field.jpg ihc.png motorcycle_left.png retina.jpg rocket.jpg"
_GREY = "brick.png camera.png coins.png grass.png gravel.png moon.png"


def _boxes(other):
    """Left, top, right and bottom as shares of the photograph."""
    if other:
        return [(0.1, 0.1, 0.9, 0.9), (0.05, 0.2, 0.7, 0.85), (0.3, 0.1, 0.95, 0.75), (0.15, 0.3, 0.75, 0.9)]
    quarters = [(x, y, x + 0.5, y + 0.5) for x in (0, 0.5) for y in (0, 0.5)]
    return [(0, 0, 1, 1), *quarters, (0.25, 0.25, 0.75, 0.75)]


def _crop(image, box):
    sides = (image.width, image.height, image.width, image.height)
    return image.crop([round(share * side) for share, side in zip(box, sides)])


def main():
    """Prints how many it wrote."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--other", action="store_true")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    data = pathlib.Path(importlib.util.find_spec("skimage").origin).parent / "data"
    count = 0
    for number, name in enumerate(f"{_PHOTOGRAPHS} {_GREY}".split()):
        with Image.open(data / name) as file:
            image = file.convert("RGB")
        for i, box in enumerate(_boxes(options.other)):
            crop = _crop(image, box)
            if options.other:
                crop = crop.resize((round(crop.width * (0.6 + 0.2 * i)), round(crop.height * (0.6 + 0.2 * i))))
            for j, picture in enumerate((crop, ImageOps.mirror(crop))):
                picture.save(options.folder / f"{number:02}-{i}{j}.jpg", quality=92)
                count += 1
    print(f"{count} pictures in {options.folder}")


if __name__ == "__main__":
    main()
