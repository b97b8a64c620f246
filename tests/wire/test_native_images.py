"""What native handlers make of images, pixel by pixel as Pillow reads them."""

import io
import struct

import numpy
import pytest
import requests

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")

from PIL import Image

from harness import archives, photographs
from harness import server as server_module

_LIMIT_S = 120


class _Pixels(torch.nn.Module):
    """Finds every four numbers of an image, so that the answer holds all of them."""

    def forward(self, images: list[torch.Tensor]) -> list[dict[str, torch.Tensor]]:
        found: list[dict[str, torch.Tensor]] = []
        for image in images:
            numbers = image.permute(1, 2, 0).reshape(-1)
            rows = (numbers.numel() + 3) // 4
            boxes = torch.zeros(rows * 4)
            boxes[: numbers.numel()] = numbers
            found.append(
                {
                    "boxes": boxes.reshape(rows, 4),
                    "labels": torch.zeros(rows, dtype=torch.int64),
                    "scores": torch.ones(rows),
                }
            )
        return found


@pytest.fixture(scope="module", name="running")
def _running(tmp_path_factory):
    repository = tmp_path_factory.mktemp("images")
    weights = io.BytesIO()
    torch.jit.save(torch.jit.script(_Pixels()), weights)
    content = {"weights.pt": weights.getvalue()}
    archives.add(repository, "pixels", archives.mar("pixels", content, "object_detector", serializedFile="weights.pt"))
    # Damaged sizes are not to make images of a gigabyte.
    with server_module.Server(repository, "--image-pixel-count-max=200000") as server:
        assert "object_detector is native" in "\n".join(server.lines)
        yield server
        assert server.alive(), server.output()
        assert server.stop() == 0, server.output()


def _post(running, data):
    return requests.post(
        f"http://{running.url}/predictions/pixels",
        data=data,
        headers={"Content-Type": "application/octet-stream"},
        timeout=_LIMIT_S,
    )


def _check(running, name, data):
    expected = numpy.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    answer = _post(running, data)
    assert answer.status_code == 200, (name, answer.text)
    numbers = numpy.array([found["0"] for found in answer.json()]).reshape(-1)[: expected.size]
    found = numpy.rint(numbers * 255).astype(numpy.uint8).reshape(expected.shape)
    assert (found == expected).all(), name


def _picture(mode="RGB", size=(23, 17), number=0):
    picture = Image.open(photographs.folder() / ("chelsea.png", "coffee.png", "astronaut.png")[number % 3])
    return picture.convert("RGB").resize(size).convert(mode)


def _saved(image, form, **options):
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def _bmp(bits, compression, pixels, *, size=(5, 4), palette=b"", masks=b"", header=40, colors=0, top_down=False):
    """A bitmap of 5 x 4 pixels that Pillow does not write itself. `pixels`: as in the file."""
    width, height = size
    if header == 12:
        info = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        info = struct.pack("<IiiHHIIiiII", 40, width, -height if top_down else height, 1, bits, compression, 0, 0, 0, colors, 0)
        info = struct.pack("<I", header) + info[4:] + masks
        info += b"\0" * (header - len(info)) if header > 40 else b""
    offset = 14 + len(info) + len(palette)
    return b"BM" + struct.pack("<IHHI", offset + len(pixels), 0, 0, offset) + info + palette + pixels


def _colors(count, padding=4):
    return b"".join(bytes((i * 7 % 256, i * 3 % 256, 255 - i % 256, 0))[:padding] for i in range(count))


def _bitmaps():
    noise = numpy.random.default_rng(3).integers(0, 256, 400, dtype=numpy.uint8).tobytes()
    for mode in ("1", "L", "P", "RGB", "RGBA"):
        yield f"saved_{mode}", _saved(_picture(mode), "BMP")
    for bits, stride in ((1, 4), (4, 4), (8, 8)):
        count = 1 << bits
        yield f"indexes_{bits}", _bmp(bits, 0, noise[: stride * 4], palette=_colors(count))
        yield f"os2_{bits}", _bmp(bits, 0, noise[: stride * 4], palette=_colors(count, 3), header=12)
        yield f"top_down_{bits}", _bmp(bits, 0, noise[: stride * 4], palette=_colors(count), top_down=True)
    yield "few_colors", _bmp(8, 0, noise[:32], palette=_colors(9), colors=9)
    yield "greys", _bmp(8, 0, noise[:32], palette=b"".join(bytes((i, i, i, 0)) for i in range(256)))
    yield "fifteen_bits", _bmp(16, 0, noise[:48])
    for name, bits, masks in (
        ("565", 16, (0xF800, 0x7E0, 0x1F)),
        ("555", 16, (0x7C00, 0x3E0, 0x1F)),
        ("24", 24, (0xFF0000, 0xFF00, 0xFF)),
        ("xbgr", 32, (0xFF000000, 0xFF0000, 0xFF00)),
        ("bgxr", 32, (0xFF000000, 0xFF00, 0xFF)),
        ("bgrx", 32, (0xFF0000, 0xFF00, 0xFF)),
    ):
        stride = (5 * bits + 31) // 32 * 4
        yield f"fields_{name}", _bmp(bits, 3, noise[: stride * 4], masks=struct.pack("<III", *masks))
    for name, masks in (
        ("abgr", (0xFF000000, 0xFF0000, 0xFF00, 0xFF)),
        ("rgba", (0xFF, 0xFF00, 0xFF0000, 0xFF000000)),
        ("bgra", (0xFF0000, 0xFF00, 0xFF, 0xFF000000)),
        ("bgar", (0xFF000000, 0xFF00, 0xFF, 0xFF0000)),
        ("zero", (0, 0, 0, 0)),
    ):
        for header in (56, 108, 124):
            yield f"fields_{name}_{header}", _bmp(32, 3, noise[:80], masks=struct.pack("<IIII", *masks), header=header)
    # Runs, plain stretches with their padding, ends of rows, a jump.
    yield "rle8", _bmp(8, 1, bytes((3, 9, 0, 0, 0, 3, 1, 2, 3, 0, 2, 200, 0, 0, 0, 2, 1, 1, 9, 4, 0, 0, 5, 6, 0, 1)), palette=_colors(256))  # fmt: skip
    yield "rle4", _bmp(4, 2, bytes((5, 0x1A, 0, 0, 0, 5, 0x12, 0x34, 0x50, 0, 0, 0, 3, 0x77, 0, 2, 2, 0, 7, 0x0F, 0, 0, 0, 1)), palette=_colors(16))  # fmt: skip


def _gifs():
    for number, mode in enumerate(("P", "L", "1", "RGB")):
        for interlace in (0, 1):
            yield f"saved_{mode}_{interlace}", _saved(_picture(mode, number=number), "GIF", interlace=interlace)
    large = _picture("P", (300, 211))
    yield "large", _saved(large, "GIF")
    yield "transparent", _saved(_picture("P"), "GIF", transparency=5)
    frames = [_picture("RGB", number=number) for number in range(3)]
    yield "animation", _saved(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=10)
    saved = bytearray(_saved(_picture("P"), "GIF", transparency=5))
    at = saved.index(b",\0\0\0\0")
    # The image stands elsewhere on a larger screen; then it leaves a smaller one.
    saved[6:10] = struct.pack("<HH", 40, 30)
    saved[at + 1 : at + 5] = struct.pack("<HH", 7, 9)
    yield "on_a_screen", bytes(saved)
    saved[6:10] = struct.pack("<HH", 4, 4)
    yield "beyond_its_screen", bytes(saved)


@pytest.mark.parametrize("form", [*photographs.FORMATS])
def test_formats_of_photographs(running, form):
    _check(running, form, photographs.encoded(_picture(), form))


def test_bitmaps(running):
    for name, data in _bitmaps():
        _check(running, name, data)


def test_gifs(running):
    for name, data in _gifs():
        _check(running, name, data)


def test_damaged_images_are_refused_or_read(running):
    """Each has an answer, and the server lives."""
    random = numpy.random.default_rng(17)
    for name, data in [*_bitmaps()][::4] + [*_gifs()][::3]:
        assert _post(running, data[: len(data) // 2]).status_code == 400, name
        for _ in range(6):
            damaged = bytearray(data)
            for place in random.integers(0, len(data), 4):
                damaged[place] = int(random.integers(256))
            answer = _post(running, bytes(damaged))
            assert answer.status_code in (200, 400, 503), (name, answer.status_code, answer.text)
    for text, data in (
        ("the GIF file has no image", b"GIF89a\1\0\1\0\0\0\0;"),
        ("the BMP image has pixels of 7 bits", _bmp(7, 0, b"")),
        ("the BMP image has compression 4", _bmp(24, 4, b"")),
        ("the BMP image has colours in an unusual order", _bmp(32, 3, b"\0" * 80, masks=struct.pack("<III", 1, 2, 4))),
        ("the limit is", _bmp(24, 0, b"", size=(60000, 60000))),
    ):
        answer = _post(running, data)
        assert answer.status_code == 400 and text in answer.json()["message"], answer.text
