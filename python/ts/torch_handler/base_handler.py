"""What handlers derive from: loads the model of an archive and takes a batch through preprocess, inference and
postprocess.

torch is imported by this module, so that a handler that does not derive from BaseHandler needs none."""

import os
import time
from contextlib import nullcontext

import torch

from ts.handler_utils.timer import timed
from ts.torch_handler import model_files
from ts.utils.util import load_label_mapping


class BaseHandler:
    """A subclass changes the stages that it wants otherwise. `initialize` is called once in each worker, `handle` with
    every batch."""

    def __init__(self):
        self.model = None
        self.mapping = None
        self.device = None
        self.initialized = False
        self.context = None
        self.model_pt_path = None
        self.manifest = None
        self.map_location = None
        self.explain = False
        self.target = 0
        self.profiler_args = {}
        self.model_yaml_config = {}

    def initialize(self, context):
        properties = context.system_properties
        model_dir = properties.get("model_dir")
        self.context = context
        self.manifest = context.manifest
        self.model_yaml_config = context.model_yaml_config or {}
        self.device = self._choose_device(properties.get("gpu_id"))
        self.map_location = self.device.type
        described = self.manifest.get("model", {})
        if described.get("serializedFile"):
            self.model_pt_path = os.path.join(model_dir, described["serializedFile"])
        self._load(model_dir, described.get("modelFile"))
        self._compile()
        mapping_file = os.path.join(model_dir, "index_to_name.json")
        self.mapping = load_label_mapping(mapping_file)
        self.initialized = True

    def _choose_device(self, gpu_id):
        if gpu_id is not None:
            if torch.cuda.is_available():
                return torch.device("cuda", int(gpu_id))
            if torch.backends.mps.is_available():
                return torch.device("mps")
        if (
            os.environ.get("TS_IPEX_GPU_ENABLE", "false").lower() == "true"
            and hasattr(torch, "xpu")
            and torch.xpu.is_available()
        ):
            return torch.device("xpu", int(gpu_id or 0))
        return torch.device("cpu")

    def _load(self, model_dir, model_file):
        if model_file:
            self.model = self._load_pickled_model(model_dir, model_file, self.model_pt_path)
            self.model.to(self.device)
            self.model.eval()
        elif self.model_pt_path is None:
            raise RuntimeError(
                "No model weights could be loaded: the manifest names neither a modelFile nor a serializedFile"
            )
        elif self.model_pt_path.endswith(".pt"):
            self.model = self._load_torchscript_model(self.model_pt_path)
            self.model.eval()
        elif self.model_pt_path.endswith(".pt2"):
            export = self._pt2_settings().get("export") or {}
            self.model = model_files.load_package(self.model_pt_path, self.device, bool(export.get("aot_compile")))
        elif self.model_pt_path.endswith(".so"):
            self.model = model_files.load_shared_object(self.model_pt_path, self.device)
        elif self.model_pt_path.endswith(".onnx"):
            self.model = self._load_onnx_model(self.model_pt_path)
        else:
            raise RuntimeError(
                f"No model weights could be loaded: {os.path.basename(self.model_pt_path)} is not .pt, .pt2, .so or .onnx, and the "
                "manifest names no modelFile"
            )

    # Overridden by handlers that load models in ways of their own.
    def _load_torchscript_model(self, model_pt_path):
        return torch.jit.load(model_pt_path, map_location=self.device)

    def _load_pickled_model(self, model_dir, model_file, model_pt_path):
        return model_files.load_eager(model_dir, model_file, model_pt_path, self.device)

    def _load_onnx_model(self, model_pt_path):
        return model_files.OnnxModel(model_pt_path, self.device)

    def _pt2_settings(self):
        settings = self.model_yaml_config.get("pt2")
        return settings if isinstance(settings, dict) else {}

    def _compile(self):
        settings = self.model_yaml_config.get("pt2")
        if settings and isinstance(self.model, torch.nn.Module):
            self.model = model_files.compile_model(self.model, settings)

    @timed
    def preprocess(self, data):
        return torch.as_tensor(data, device=self.device)

    @timed
    def inference(self, data, *args, **kwargs):
        with torch.inference_mode():
            return self.model(data.to(self.device), *args, **kwargs)

    @timed
    def postprocess(self, data):
        return data.tolist()

    def handle(self, data, context):
        start = time.perf_counter()
        self.context = context
        if self._header("describe") == "True":
            result = [self.describe_handle()]
        else:
            with self._profiler():
                rows = self.preprocess(data)
                if self._is_explain():
                    result = self.explain_handle(rows, data)
                else:
                    result = self.postprocess(self.inference(rows))
        if context.metrics is not None:
            context.metrics.add_time("HandlerTime", round((time.perf_counter() - start) * 1000, 2), None, "ms")
        return result

    def _header(self, key):
        return (
            self.context.get_request_header(0, key)
            if self.context is not None and self.context.request_processor
            else None
        )

    def _is_explain(self):
        if self._header("explain") == "True":
            self.explain = True
            return True
        return False

    def explain_handle(self, data_preprocess, raw_data):
        """By the first request: its inputs, and the class that it names with `target`."""
        row = raw_data[0]
        inputs = row
        target = 0
        if isinstance(row, dict):
            inputs = row.get("data") or row.get("body")
            if "target" in row:
                target = row["target"]
            elif isinstance(inputs, dict):
                target = inputs.get("target", 0)
        self.target = target
        return self.get_insights(data_preprocess, inputs, target)

    def get_insights(self, tensor_data, raw_data, target):
        raise NotImplementedError("this handler cannot explain its answers: it has no get_insights")

    def describe_handle(self):
        """What GET /models/{model}?customized=true shows; a subclass says."""
        return None

    def _profiler(self):
        """With ENABLE_TORCH_PROFILER in the environment every batch leaves a trace that chrome://tracing reads;
        `profiler_args` are torch.profiler.profile's."""
        if "ENABLE_TORCH_PROFILER" not in os.environ:
            return nullcontext()
        arguments = dict(self.profiler_args)
        if "activities" not in arguments:
            arguments["activities"] = [torch.profiler.ProfilerActivity.CPU]
            if self.device is not None and self.device.type == "cuda":
                arguments["activities"].append(torch.profiler.ProfilerActivity.CUDA)
        if "on_trace_ready" not in arguments:
            name = self.manifest.get("model", {}).get("modelName", "model") if self.manifest else "model"
            folder = os.path.join("/tmp/pytorch_profiler", os.path.basename(name))
            arguments["on_trace_ready"] = torch.profiler.tensorboard_trace_handler(folder)
        return torch.profiler.profile(**arguments)
