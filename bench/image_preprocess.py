#!/usr/bin/env python3
"""What one image costs before the model: Headrace's decoding and resizing against Pillow and torchvision.

image_preprocess.py [REPETITIONS]. It needs build/release/src/image/image_preprocess (ninja
image_preprocess) and an interpreter with torch, torchvision and Pillow. Each figure is the fastest of
the repetitions, one thread on both sides.
"""

import io
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import torch
from PIL import Image
from torchvision import transforms

_ROOT = pathlib.Path(__file__).resolve().parents[1]
_PROGRAM = _ROOT / "build" / "release" / "src" / "image" / "image_preprocess"
_SIZES = ((375, 500), (1024, 768), (4000, 3000))

sys.path.insert(0, str(_ROOT / "tests"))
from harness import photographs  # noqa: E402


def _fastest_us(repetitions, work):
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times) * 1e6


def main():
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    torch.set_num_threads(1)
    steps = transforms.Compose(
        [
            transforms.Resize(256),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
        ]
    )
    photograph = Image.open(photographs.folder() / "astronaut.png").convert("RGB")
    print("image                     Headrace   decoding   Pillow + torchvision   ratio")
    with tempfile.TemporaryDirectory() as folder:
        for size in _SIZES:
            for form in ("jpeg", "png", "webp"):
                data = photographs.encoded(photograph.resize(size), form)
                path = pathlib.Path(folder) / "image"
                path.write_bytes(data)
                printed = subprocess.run(
                    [_PROGRAM, str(repetitions), path], check=True, capture_output=True, text=True
                ).stdout
                ours, decoding = (int(number) for number in re.findall(r"(\d+) us", printed))
                theirs = _fastest_us(repetitions, lambda: steps(Image.open(io.BytesIO(data)).convert("RGB")))
                name = f"{form} {size[0]} x {size[1]}"
                print(f"{name:24} {ours:7} us {decoding:7} us {theirs:19.0f} us   {theirs / ours:5.2f}")


if __name__ == "__main__":
    main()
