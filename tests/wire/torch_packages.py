"""Modules of torch_modules as packages compiled by AOTInductor."""

import torch

import torch_modules
from harness import torch_models

_BATCH = {0: torch.export.Dim("batch", min=1, max=16)}


def _dynamic(path):
    torch_models.compile_package(path, torch_modules.Product(), (torch.zeros(2, 64),), (_BATCH,))


def _static(path):
    torch_models.compile_package(path, torch_modules.Product(), (torch.zeros(2, 64),))


def _described(path):
    arguments = (torch.zeros(2, 64), [torch.zeros(2, 64), torch.zeros(2, 1)])
    shapes = {"x": _BATCH, "pair": [_BATCH, _BATCH], "bias": _BATCH}
    torch_models.compile_package(path, torch_modules.Described(), arguments, shapes, {"bias": torch.zeros(2, 1)})


def _recurrent(path):
    arguments = (torch.zeros(2, 4), torch.zeros(2, 8))
    torch_models.compile_package(path, torch_modules.Recurrent(), arguments, (_BATCH, _BATCH))


KINDS = {"dynamic": _dynamic, "static": _static, "described": _described, "recurrent": _recurrent}


def put(kind, path):
    """Puts the package of a kind at `path`; compiled when it or its module has changed."""
    torch_models.kept(f"{kind}.pt2", path, KINDS[kind], [__file__, torch_modules.__file__, torch_models.__file__])
