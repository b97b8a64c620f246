"""What stands in a model's folder and in its configuration: the manifest, the settings of model-config.yaml, the cache
for compilers."""

import json
import os
import stat
import tempfile

from headrace_worker.handler_contract import ranks

MANIFEST = os.path.join("MAR-INF", "MANIFEST.json")
_COUNT_MAX = 256  # as src/repository/parallel_settings.cc has it


class ModelFolder:
    """One model as LOAD describes it.

    directory: where the archive's files lie. manifest: a dict that has "model". settings: model-config.yaml as a dict,
    which the server has read. handler: what to import. envelope: "" for none.
    """

    def __init__(self, load):
        parameters = _parameters(load)
        self.directory = load.get("version_directory") or load.get("model_directory")
        self.name = load.get("model_name", "")
        self.manifest = self._manifest(parameters, str(load.get("model_version", "1.0")))
        version = load.get("model_version", 1)
        self.settings = json.loads(parameters.get(f"model_config.{version}") or parameters.get("model_config") or "{}")
        self.handler = parameters.get("handler") or self.manifest["model"].get("handler") or "handler.py"
        self.envelope = parameters.get("service_envelope") or os.environ.get("TS_SERVICE_ENVELOPE", "")
        self.decode = (
            parameters.get("decode_input_request") or os.environ.get("TS_DECODE_INPUT_REQUEST", "true")
        ).lower() == "true"
        self.limit_pixels = parameters.get("limit_max_image_pixels", "true").lower() == "true"
        self.batch_size = max(1, int(_config(load).get("max_batch_size", 1) or 1))
        # Requests are executed until their stopping criteria say that it is enough.
        self.continuous = bool((_config(load).get("sequence_batching") or {}).get("iterative_sequence"))
        # Each request is a task of an event loop, and none waits for another.
        self.asynchronous = self.settings.get("asyncCommunication") is True and not self.continuous
        self.gpu = int(load.get("device_id", 0)) if load.get("kind") == "GPU" else None
        # Processes of the worker, with what torchrun would tell them; 1: this one alone.
        self.rank_count = _count(parameters, "rank_count")
        self.rank_thread_count = _count(parameters, "rank_thread_count")
        # A worker with several GPUs sees no others, and each rank has the one of its number.
        gpu_count = _count(parameters, "gpus_per_worker")
        if self.gpu is not None and gpu_count > 1:
            if "LOCAL_RANK" not in os.environ:
                os.environ["CUDA_VISIBLE_DEVICES"] = ranks.visible_gpus(
                    self.gpu, gpu_count, self.settings.get("deviceIds"), os.environ.get("CUDA_VISIBLE_DEVICES", "")
                )
            self.gpu = int(os.environ.get("LOCAL_RANK", 0))

    def context(self, store):
        """The handler's; `store` takes its metrics."""
        from ts.context import Context

        return Context(
            model_name=self.name,
            model_dir=self.directory,
            manifest=self.manifest,
            batch_size=self.batch_size,
            gpu=self.gpu,
            limit_max_image_pixels=self.limit_pixels,
            metrics=store,
            model_yaml_config=self.settings,
        )

    def _manifest(self, parameters, version):
        path = os.path.join(self.directory, MANIFEST)
        manifest = {}
        if os.path.isfile(path):
            with open(path, encoding="utf-8") as file:
                manifest = json.load(file)
        model = manifest.setdefault("model", {})
        model.setdefault("modelName", self.name)
        model.setdefault("modelVersion", version)
        # A folder without a manifest says the same by parameters of its configuration.
        for key, parameter in (("modelFile", "model_file"), ("serializedFile", "serialized_file")):
            if parameters.get(parameter):
                model[key] = parameters[parameter]
        return manifest


def _config(load):
    config = load.get("config") or {}
    return json.loads(config) if isinstance(config, str) else config


def _parameters(load):
    """The configuration's parameters, and above them what the server adds in `handler`, as strings."""
    found = {}
    for key, value in (_config(load).get("parameters") or {}).items():
        found[key] = value.get("string_value", "") if isinstance(value, dict) else str(value)
    for key, value in (load.get("handler") or {}).items():
        found[key] = value if isinstance(value, str) else json.dumps(value)
    return found


def _count(parameters, name):
    """A parameter that counts processes, threads or GPUs; 1 if it is not there."""
    text = parameters.get(name) or "1"
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= _COUNT_MAX):
        raise ValueError(f"the parameter '{name}' is '{text}': it must be a whole number from 1 to {_COUNT_MAX}")
    return int(text)


def keep_compiled_code():
    """Inductor's results are shared by all workers and kept between starts, in TORCHINDUCTOR_CACHE_DIR or in a folder
    of the user's cache. Code is loaded from there, so that a folder which others can write to is not taken."""
    if os.environ.get("TORCHINDUCTOR_CACHE_DIR"):
        return
    home = os.environ.get("XDG_CACHE_HOME") or (
        os.path.join(os.environ["HOME"], ".cache") if os.environ.get("HOME") else ""
    )
    for base in (home, tempfile.gettempdir()):
        folder = os.path.join(base, f"headrace-inductor-{os.getuid()}") if base else ""
        if folder and _own_folder(folder):
            os.environ["TORCHINDUCTOR_CACHE_DIR"] = folder
            return


def _own_folder(folder):
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        found = os.lstat(folder)
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022
