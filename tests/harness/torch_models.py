"""Makes PyTorch's model files, and keeps those that take a compiler."""

import hashlib
import os
import pathlib
import shutil
import warnings

import torch

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_KEPT = _ROOT / "build" / "test-models"


def save_script(module, path):
    """Writes a module as TorchScript."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(module.eval()).save(str(path))


def compile_package(path, module, example, dynamic_shapes=None, kwargs=None):
    """Writes a module as a package compiled by AOTInductor."""
    with torch.no_grad():
        program = torch.export.export(module.eval(), example, kwargs, dynamic_shapes=dynamic_shapes)
        torch._inductor.aoti_compile_and_package(program, package_path=str(path))


def kept(name, path, write, sources=()):
    """Puts the file that `write(path)` makes at `path`: made once for each content of the `sources` (files), release of
    PyTorch and processor, because compiling takes long."""
    digest = hashlib.sha256(torch.__version__.encode())
    for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("flags"):
            digest.update(line.encode())
            break
    for source in sources:
        digest.update(pathlib.Path(source).read_bytes())
    stem, suffix = os.path.splitext(name)
    file = _KEPT / f"{stem}-{digest.hexdigest()[:16]}{suffix}"
    if not file.exists():
        for old in _KEPT.glob(f"{stem}-*{suffix}"):
            old.unlink()
        _KEPT.mkdir(parents=True, exist_ok=True)
        part = file.with_name(f"{os.getpid()}-{name}")
        write(part)
        part.rename(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, path)
