"""Model repositories of the identity backend."""

import pathlib
import re
import shutil

_CONFIG = """\
backend: "identity"
max_batch_size: {max_batch_size}
input {{ name: "INPUT0" data_type: TYPE_FP32 dims: [ -1 ] }}
output {{ name: "OUTPUT0" data_type: TYPE_FP32 dims: [ -1 ] }}
instance_group {{ kind: KIND_CPU count: 1 }}
"""


def add_identity(repository, name, max_batch_size=0, extra="", **parameters):
    """Adds an identity model of one FP32 tensor of any length, with one instance."""
    text = _CONFIG.format(max_batch_size=max_batch_size) + extra
    for key, value in parameters.items():
        text += f'parameters {{ key: "{key}" value {{ string_value: "{value}" }} }}\n'
    folder = pathlib.Path(repository) / name
    (folder / "1").mkdir(parents=True)
    (folder / "config.pbtxt").write_text(text, encoding="utf-8")


def identity(repository, name="identity"):
    """A repository of one identity model; returns its path."""
    add_identity(repository, name)
    return repository


def copy_model(repository, source, max_batch_size):
    """Adds the model in `source` with another largest batch.

    A copy: Headrace refuses links that lead out of the repository.
    """
    source = pathlib.Path(source)
    folder = pathlib.Path(repository) / source.name
    shutil.copytree(source, folder)
    text = (source / "config.pbtxt").read_text(encoding="utf-8")
    text, count = re.subn(r"max_batch_size: \d+", f"max_batch_size: {max_batch_size}", text)
    if count != 1:
        raise ValueError(f"{source} does not say its max_batch_size once")
    (folder / "config.pbtxt").write_text(text, encoding="utf-8")
