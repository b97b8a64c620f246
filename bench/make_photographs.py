#!/usr/bin/env python3
"""Writes crops of scikit-image's photographs, to measure `headrace optimize` with: make_photographs.py FOLDER [--other]

From each photograph the whole, its four quarters and its middle, and all of them mirrored: pictures that differ, of
which a classifier says different things. With --other, other crops of other sizes, so that what was calibrated on the
first can be judged by pictures that it has not seen. NN-....jpg is of photograph NN.

--labels FILE adds crops around the objects whose class of ImageNet's thousand is beyond doubt, and writes a class number
for each picture in the order of the names, -1 where there is none. Those are few: a space shuttle, a tabby (of the three
classes of such cats the one with her stripes, and no other is right), an espresso in its cup, a tripod. The motorcycle is
neither moped nor scooter, the rocket no missile, and coins, moon, grass, gravel, bricks and tissue are no class at all. Nor
has a crop a label that cuts its object away or shows another beside it.
"""

import argparse
import dataclasses
import importlib.util
import pathlib

from PIL import Image, ImageOps

_PHOTOGRAPHS = "astronaut.png chelsea.png coffee.png hubble_deep_field.jpg ihc.png motorcycle_left.png retina.jpg rocket.jpg"
_GREY = "brick.png camera.png coins.png grass.png gravel.png moon.png"
_NAMES = f"{_PHOTOGRAPHS} {_GREY}".split()
_UNKNOWN = -1
_SHUTTLE, _TABBY, _ESPRESSO, _TRIPOD = 812, 281, 967, 872  # of ImageNet's classes


@dataclasses.dataclass(frozen=True)
class _Object:
    """What is seen on a photograph."""

    label: int
    crops: tuple  # those of _boxes() that show it, and nothing else of note
    more: tuple  # further crops that do


_OBJECTS = {
    "astronaut.png": _Object(_SHUTTLE, (3,), ((0.54, 0, 1, 0.46), (0.57, 0, 1, 0.48), (0.58, 0, 1, 0.5))),
    "chelsea.png": _Object(_TABBY, (0,), ((0.15, 0, 0.86, 1), (0.2, 0, 0.87, 1), (0.25, 0, 0.92, 1))),
    "coffee.png": _Object(_ESPRESSO, (0, 5), ((0.15, 0, 0.82, 1), (0.2, 0, 0.8, 0.9), (0.24, 0, 0.76, 0.78), (0.1, 0, 0.77, 1))),
    "camera.png": _Object(_TRIPOD, (4,), ((0.4, 0.4, 1, 1), (0.44, 0.44, 1, 1), (0.36, 0.42, 0.94, 1), (0.38, 0.38, 0.98, 0.98))),
}


def _boxes(other):
    """Left, top, right and bottom as shares of the photograph."""
    if other:
        return [(0.1, 0.1, 0.9, 0.9), (0.05, 0.2, 0.7, 0.85), (0.3, 0.1, 0.95, 0.75), (0.15, 0.3, 0.75, 0.9)]
    quarters = [(x, y, x + 0.5, y + 0.5) for x in (0, 0.5) for y in (0, 0.5)]
    return [(0, 0, 1, 1), *quarters, (0.25, 0.25, 0.75, 0.75)]


def _pixels(image, box):
    sides = (image.width, image.height, image.width, image.height)
    return [round(share * side) for share, side in zip(box, sides)]


def _crops(image, name, options):
    """Each with its label."""
    thing = _OBJECTS.get(name) if options.labels else None
    for i, box in enumerate(_boxes(options.other)):
        crop = image.crop(_pixels(image, box))
        if options.other:
            crop = crop.resize((round(crop.width * (0.6 + 0.2 * i)), round(crop.height * (0.6 + 0.2 * i))))
        yield crop, thing.label if thing and i in thing.crops else _UNKNOWN
    for box in thing.more if thing else []:
        yield image.crop(_pixels(image, box)), thing.label


def main():
    """Prints how many it wrote."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--other", action="store_true")
    parser.add_argument("--labels", type=pathlib.Path, metavar="FILE")
    options = parser.parse_args()
    if options.other and options.labels:
        parser.error("--labels knows nothing of the crops of --other")
    options.folder.mkdir(parents=True, exist_ok=True)
    data = pathlib.Path(importlib.util.find_spec("skimage").origin).parent / "data"
    labels = []
    for number, name in enumerate(_NAMES):
        with Image.open(data / name) as file:
            image = file.convert("RGB")
        for i, (crop, label) in enumerate(_crops(image, name, options)):
            for j, picture in enumerate((crop, ImageOps.mirror(crop))):
                picture.save(options.folder / f"{number:02}-{i:02}{j}.jpg", quality=92)
                labels.append(label)
    if options.labels:
        options.labels.write_text("".join(f"{label}\n" for label in labels), encoding="utf-8")
    print(f"{len(labels)} pictures in {options.folder}")


if __name__ == "__main__":
    main()
