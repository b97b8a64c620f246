"""Model repositories: of the identity backend, and copies of others."""

import pathlib
import re
import shutil

_CONFIG = """\
backend: "identity"
max_batch_size: {max_batch_size}
input {{ name: "INPUT0" data_type: TYPE_FP32 dims: [ -1 ] }}
output {{ name: "OUTPUT0" data_type: TYPE_FP32 dims: [ -1 ] }}
instance_group {{ kind: KIND_CPU count: {instance_count} }}
"""


def parameter(key, value):
    """One entry of a configuration's parameters."""
    return f'parameters {{ key: "{key}" value {{ string_value: "{value}" }} }}\n'


def add_identity(repository, name, max_batch_size=0, extra="", instance_count=1, **parameters):
    """Adds an identity model of one FP32 tensor of any length."""
    text = _CONFIG.format(max_batch_size=max_batch_size, instance_count=instance_count) + extra
    for key, value in parameters.items():
        text += parameter(key, value)
    folder = pathlib.Path(repository) / name
    (folder / "1").mkdir(parents=True)
    (folder / "config.pbtxt").write_text(text, encoding="utf-8")


def identity(repository, name="identity"):
    """A repository of one identity model; returns its path."""
    add_identity(repository, name)
    return repository


def copy_model(repository, source, changes):
    """Adds the model in `source`, its configuration changed: `changes` maps expressions to texts.

    A copy: Headrace refuses links that lead out of the repository.
    """
    source = pathlib.Path(source)
    folder = pathlib.Path(repository) / source.name
    shutil.copytree(source, folder)
    text = (source / "config.pbtxt").read_text(encoding="utf-8")
    for pattern, replacement in changes.items():
        text, count = re.subn(pattern, lambda _, to=replacement: to, text)
        if count != 1:
            raise ValueError(f"the configuration of {source} has {pattern} {count} times, not once")
    (folder / "config.pbtxt").write_text(text, encoding="utf-8")
