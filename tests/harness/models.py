"""Writes small model repositories."""

import pathlib

DTYPES = "BOOL UINT8 UINT16 UINT32 UINT64 INT8 INT16 INT32 INT64 FP16 FP32 FP64 BYTES BF16".split()


def _config_type(dtype):
    return "TYPE_STRING" if dtype == "BYTES" else f"TYPE_{dtype}"


def _tensor(kind, name, dtype, dims):
    text = ", ".join(str(dim) for dim in dims)
    return f'{kind} {{ name: "{name}" data_type: {_config_type(dtype)} dims: [ {text} ] }}\n'


def identity_config(tensors, max_batch_size=0, extra=""):
    """A config.pbtxt of the identity backend. `tensors`: (dtype, dims) of INPUT0/OUTPUT0, INPUT1/OUTPUT1, ..."""
    text = f'backend: "identity"\nmax_batch_size: {max_batch_size}\n'
    for i, (dtype, dims) in enumerate(tensors):
        text += _tensor("input", f"INPUT{i}", dtype, dims) + _tensor("output", f"OUTPUT{i}", dtype, dims)
    return text + extra


def parameter(key, value):
    """One entry of the configuration's parameters."""
    return f'parameters {{ key: "{key}" value {{ string_value: "{value}" }} }}\n'


def add(repository, name, config, versions=(1,)):
    """Adds a model without files."""
    directory = pathlib.Path(repository) / name
    directory.mkdir(parents=True, exist_ok=True)
    for version in versions:
        (directory / str(version)).mkdir(parents=True, exist_ok=True)
    (directory / "config.pbtxt").write_text(config, encoding="utf-8")
    return directory


def standard(repository):
    """The models that most tests use."""
    for dtype in DTYPES:
        add(repository, f"identity_{dtype.lower()}", identity_config([(dtype, [-1])]))
    add(repository, "pair", identity_config([("FP32", [-1]), ("INT32", [-1])]))
    add(repository, "fixed", identity_config([("FP32", [4])]))
    add(repository, "matrix", identity_config([("FP64", [-1, -1])]))
    add(
        repository,
        "batched",
        identity_config([("FP32", [-1])], max_batch_size=8, extra="dynamic_batching { }\n"),
    )
    add(
        repository,
        "slow",
        identity_config([("FP32", [-1])], extra=parameter("execute_delay_ms", 300)),
    )
    return repository
