"""Loads the forms that a model may have in an archive, each as fast as it allows."""

import hashlib
import importlib.util
import logging
import os
import pickle
import sys
import zipfile

import torch

from ts.utils.util import check_valid_pt2_backend, list_classes_from_module

logger = logging.getLogger(__name__)


def load_eager(model_dir, model_file, weights_path, device):
    """The class of `model_file`, made without arguments, with the weights of `weights_path` if there is such a file."""
    model_class = _model_class(os.path.join(model_dir, model_file))
    if not weights_path or not os.path.isfile(weights_path):
        return model_class()
    weights = load_weights(weights_path, device)
    model = None
    if isinstance(weights, dict):
        model = _on_meta_device(model_class, weights)
    if model is None:
        model = model_class()
        model.load_state_dict(weights)
    return model


def _model_class(path):
    if not os.path.isfile(path):
        raise RuntimeError(f"Missing the model.py file: {os.path.basename(path)}")
    name = os.path.splitext(os.path.basename(path))[0]
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    classes = list_classes_from_module(module)
    if len(classes) != 1:
        found = ", ".join(found.__name__ for found in classes) or "none"
        raise ValueError(f"Expected only one class as model definition in {os.path.basename(path)}; it has {found}")
    return classes[0]


def load_weights(path, device):
    """What torch.save wrote. Mapped, not read, where the file's form allows it; without running what a pickle brings,
    unless it holds more than weights: then it is trusted as the archive's own code is."""
    for arguments in ({"weights_only": True, "mmap": True}, {"weights_only": True}):
        try:
            return torch.load(path, map_location=device, **arguments)
        except pickle.UnpicklingError as error:
            logger.warning(
                "%s holds more than weights, it is unpickled with all its classes: %s",
                os.path.basename(path),
                str(error).split("\n", 1)[0],
            )
            return torch.load(path, map_location=device, weights_only=False)
        except (RuntimeError, ValueError) as error:
            if "mmap" not in str(error) or "mmap" not in arguments:
                raise
    raise AssertionError("unreachable")


def _on_meta_device(model_class, weights):
    """The model with `weights` as its parameters, none of them initialised first or copied. None where the class does
    not allow that: it computes with tensors while it is made, keeps some that no file holds, or wants another type
    than the file has."""
    try:
        with torch.device("meta"):
            model = model_class()
        for name, wanted in model.state_dict(keep_vars=True).items():
            given = weights.get(name)
            if not isinstance(given, torch.Tensor) or given.dtype != wanted.dtype or given.shape != wanted.shape:
                return None  # the ordinary way converts, or says what is wrong
        model.load_state_dict(weights, assign=True)
    except Exception as error:  # whatever a constructor does to tensors without contents
        logger.debug("%s cannot be made without contents: %s", model_class.__name__, error)
        return None
    return None if any(_holds_meta(module) for module in model.modules()) else model


def _holds_meta(module):
    held = list(module._parameters.values()) + list(module._buffers.values())
    for value in vars(module).values():
        if isinstance(value, dict):
            held.extend(value.values())
        elif isinstance(value, (list, tuple, set)):
            held.extend(value)
        else:
            held.append(value)
    return any(isinstance(value, torch.Tensor) and value.is_meta for value in held)


def load_package(path, device, aot_compile=False):
    """A .pt2: a compiled package of AOTInductor, or an exported program, which `aot_compile` compiles first; the
    result is kept in Inductor's cache, for the other workers and the next start."""
    if not _is_compiled(path):
        program = torch.export.load(path)
        if not aot_compile:
            return program.module().to(device)
        path = _compiled_package(path, program, device)
    index = device.index if device.type == "cuda" and device.index is not None else -1
    return torch._inductor.aoti_load_package(path, device_index=index)


def _is_compiled(path):
    with zipfile.ZipFile(path) as package:
        return any("/data/aotinductor/" in name for name in package.namelist())


def _compiled_package(path, program, device):
    digest = hashlib.sha256(f"{torch.__version__} {device} ".encode())
    with open(path, "rb") as file:
        for piece in iter(lambda: file.read(1 << 20), b""):
            digest.update(piece)
    folder = os.path.join(torch._inductor.runtime.cache_dir_utils.cache_dir(), "packages")
    os.makedirs(folder, exist_ok=True)
    kept = os.path.join(folder, digest.hexdigest() + ".pt2")
    if not os.path.isfile(kept):
        made = f"{kept[:-4]}.{os.getpid()}.pt2"
        torch._inductor.aoti_compile_and_package(program, package_path=made)
        os.replace(made, kept)  # whole, whoever else does the same
    return kept


def load_shared_object(path, device):
    """What torch._export.aot_compile made; newer models are packages (.pt2)."""
    return torch._export.aot_load(path, str(device))


class OnnxModel:
    """An ONNX file through onnxruntime; called with tensors or arrays, answers tensors: one, or a list."""

    def __init__(self, path, device):
        import onnxruntime

        providers = ["CPUExecutionProvider"]
        if device.type == "cuda":
            providers.insert(0, ("CUDAExecutionProvider", {"device_id": device.index or 0}))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        self.session = onnxruntime.InferenceSession(path, options, providers=providers)
        self._input_names = [one.name for one in self.session.get_inputs()]

    def __call__(self, *arguments):
        arrays = [one.cpu().numpy() if isinstance(one, torch.Tensor) else one for one in arguments]
        outputs = [torch.from_numpy(one) for one in self.session.run(None, dict(zip(self._input_names, arrays)))]
        return outputs[0] if len(outputs) == 1 else outputs

    def eval(self):
        return self

    def to(self, device):
        return self


def compile_model(model, settings):
    """As the key `pt2` of model-config.yaml says; the model itself where compiling is off, unknown or fails."""
    arguments = _compile_arguments(settings)
    if arguments is None:
        return model
    if "backend" in arguments and not check_valid_pt2_backend(arguments["backend"]):
        return model
    try:
        compiled = torch.compile(model, **arguments)
        logger.info("the model is compiled with %s", arguments or "the defaults of torch.compile")
        return compiled
    except Exception as error:
        logger.warning("the model is not compiled: %s", error)
        return model


def _compile_arguments(settings):
    """Of torch.compile; None: not asked for."""
    if isinstance(settings, str):
        return {"backend": settings}
    if not isinstance(settings, dict):
        return None
    if "compile" in settings or "export" in settings:
        wanted = settings.get("compile")
        if not isinstance(wanted, dict) or not wanted.get("enable"):
            return None
        return {key: value for key, value in wanted.items() if key != "enable"}
    logger.warning("pt2: arguments of torch.compile belong into pt2.compile, with `enable: true`")
    return dict(settings)
