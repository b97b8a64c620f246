"""Photographs of varied size, format and mode, cut out of scikit-image's."""

import importlib.util
import io
import pathlib

import numpy
from PIL import Image

_PHOTOGRAPHS = ("astronaut.png", "coffee.png", "chelsea.png", "rocket.jpg", "ihc.png", "camera.png", "coins.png", "retina.jpg")
# Beside the crops: shapes that meet a limit of the arithmetic.
_SHAPES = ((1, 1), (1, 300), (300, 1), (7, 900), (224, 224), (256, 256), (257, 255), (640, 480), (375, 500), (1200, 77))


def _jpeg(**options):
    return lambda image, out: image.convert("RGB").save(out, "JPEG", **options)


def _mode(mode, form, **options):
    return lambda image, out: image.convert(mode).save(out, form, **options)


def _png_16_bit(image, out):
    wide = numpy.asarray(image.convert("L"), dtype=numpy.uint16) * 3
    Image.fromarray(wide).save(out, "PNG")


def _rotated_by_exif(image, out):
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: nobody turns it
    image.convert("RGB").save(out, "JPEG", exif=exif)


def _transparent(image, out, form, **options):
    alpha = Image.linear_gradient("L").resize(image.size)
    both = image.convert("RGB")
    both.putalpha(alpha)
    both.save(out, form, **options)


FORMATS = {
    "jpeg": _jpeg(quality=85),
    "jpeg_444": _jpeg(quality=95, subsampling=0),
    "jpeg_422": _jpeg(quality=70, subsampling=1),
    "jpeg_progressive": _jpeg(quality=80, progressive=True),
    "jpeg_gray": _mode("L", "JPEG"),
    "jpeg_cmyk": _mode("CMYK", "JPEG"),
    "jpeg_exif": _rotated_by_exif,
    "png": _mode("RGB", "PNG"),
    "png_gray": _mode("L", "PNG"),
    "png_16_bit": _png_16_bit,
    "png_1_bit": _mode("1", "PNG"),
    "png_palette": _mode("P", "PNG"),
    "png_gray_alpha": _mode("LA", "PNG"),
    "png_alpha": lambda image, out: _transparent(image, out, "PNG"),
    "webp": _mode("RGB", "WEBP", quality=80),
    "webp_lossless": _mode("RGB", "WEBP", lossless=True),
    "webp_alpha": lambda image, out: _transparent(image, out, "WEBP", quality=75),
}


def encoded(image, form):
    """The bytes of a PIL image in one of FORMATS."""
    out = io.BytesIO()
    FORMATS[form](image, out)
    return out.getvalue()


def folder():
    """Where scikit-image keeps its photographs; the package itself, which wants much else, is not imported."""
    spec = importlib.util.find_spec("skimage")
    if spec is None:
        raise FileNotFoundError("scikit-image is not installed: tools/setup.sh")
    return pathlib.Path(spec.origin).parent / "data"


def make(count=50, seed=5):
    """[(name, bytes)...]: all of FORMATS, in turn."""
    random = numpy.random.default_rng(seed)
    names = list(FORMATS)
    loaded = {}
    made = []
    for number in range(count):
        name = _PHOTOGRAPHS[number % len(_PHOTOGRAPHS)]
        if name not in loaded:
            loaded[name] = Image.open(folder() / name).convert("RGB")
        photograph = loaded[name]
        left, top = (int(random.integers(0, size // 3)) for size in photograph.size)
        right, bottom = (int(random.integers(2 * size // 3, size + 1)) for size in photograph.size)
        picture = photograph.crop((left, top, right, bottom))
        shape = _SHAPES[number % len(_SHAPES)] if number % 2 else None
        if shape is None:
            scale = float(random.uniform(0.3, 1.6))
            shape = tuple(max(1, int(size * scale)) for size in picture.size)
        picture = picture.resize(shape, Image.Resampling.BICUBIC)
        form = names[number % len(names)]
        made.append((f"{number}_{name[:-4]}_{shape[0]}x{shape[1]}_{form}", encoded(picture, form)))
    return made
