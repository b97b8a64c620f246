"""What handlers and the worker share: the exception with a status of its own, labels, configuration files."""

import inspect
import json
import logging
import os

logger = logging.getLogger(__name__)

# What torch.compile may be asked for by name in model-config.yaml.
PT2_BACKENDS = frozenset(
    (
        "eager",
        "aot_eager",
        "inductor",
        "nvfuser",
        "aot_nvfuser",
        "aot_cudagraphs",
        "ofi",
        "fx2trt",
        "onnxrt",
        "ipex",
        "torchxla_trace_once",
        "openvino",
        "tensorrt",
        "hpu_backend",
    )
)


class PredictionException(Exception):
    """Raised by a handler: the whole batch is answered with this status and message."""

    def __init__(self, message, error_code=500):
        super().__init__(message)
        self.message = message
        self.error_code = error_code

    def __str__(self):
        return f"message : {self.message}, error_code : {self.error_code}"


def list_classes_from_module(module, parent_class=None):
    """The classes that the module itself defines; with a parent, those that derive from it."""
    classes = [
        member for _, member in inspect.getmembers(module, inspect.isclass) if member.__module__ == module.__name__
    ]
    if parent_class is not None:
        return [member for member in classes if issubclass(member, parent_class)]
    return classes


def get_yaml_config(yaml_file_path):
    """The file as a dictionary; {} for an empty one."""
    import yaml

    with open(yaml_file_path, encoding="utf-8") as file:
        return yaml.safe_load(file) or {}


def load_label_mapping(mapping_file_path):
    """index_to_name.json: {"0": "label"}, {"0": ["id", "label"]} (the last one counts) or {"object_type_names":
    [...]}; None where there is no file."""
    if not os.path.isfile(mapping_file_path):
        logger.info("%s is missing: answers name classes by their numbers", mapping_file_path)
        return None
    with open(mapping_file_path, encoding="utf-8") as file:
        mapping = json.load(file)
    if not isinstance(mapping, dict):
        raise ValueError(
            f"{os.path.basename(mapping_file_path)} must hold one JSON object whose keys are class numbers"
        )
    names = mapping.get("object_type_names")
    if isinstance(names, list):
        return {str(index): name for index, name in enumerate(names)}
    result = {}
    for index, name in mapping.items():
        if isinstance(name, list) and name:
            name = name[-1]
        if not isinstance(name, str):
            raise ValueError(
                f"{os.path.basename(mapping_file_path)}: the label of class {index} must be a string or a list of strings"
            )
        result[index] = name
    return result


def map_class_to_label(probs, mapping=None, lbl_classes=None):
    """One {label: value} for each row of `probs`. Without `lbl_classes` the place in the row is the class; without
    `mapping` its number is the label."""
    if not isinstance(probs, list):
        raise TypeError("probs must be a list of lists")
    if lbl_classes is None:
        lbl_classes = [list(range(len(row))) for row in probs]
    if not isinstance(lbl_classes, list):
        raise TypeError("lbl_classes must be a list of lists")

    def label(index):
        text = str(int(index))
        return mapping.get(text, text) if mapping else text

    return [{label(index): value for index, value in zip(classes, row)} for classes, row in zip(lbl_classes, probs)]


def check_valid_pt2_backend(backend):
    """Whether torch.compile is asked for by a name that is known here."""
    if isinstance(backend, str) and backend in PT2_BACKENDS:
        return True
    logger.warning(
        "pt2: %r is no backend of torch.compile that is known here; the model is not compiled. Known: %s",
        backend,
        ", ".join(sorted(PT2_BACKENDS)),
    )
    return False
