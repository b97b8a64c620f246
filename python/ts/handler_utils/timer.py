"""Times of a handler's stages, for models with `handler: {profile: true}` in model-config.yaml."""

import functools
import time


def timed(func):
    """Around preprocess, inference or postprocess of a handler: adds the gauge ts_handler_<stage> (ms) if the model
    asks for it."""

    @functools.wraps(func)
    def wrap_func(self, *args, **kwargs):
        context = getattr(self, "context", None)
        if context is None or not _profile(context):
            return func(self, *args, **kwargs)
        start = time.perf_counter()
        result = func(self, *args, **kwargs)
        _synchronize(self)
        context.metrics.add_time(f"ts_handler_{func.__name__}", (time.perf_counter() - start) * 1000)
        return result

    return wrap_func


def _profile(context):
    settings = (context.model_yaml_config or {}).get("handler")
    return isinstance(settings, dict) and bool(settings.get("profile"))


def _synchronize(handler):
    device = getattr(handler, "device", None)
    if getattr(device, "type", None) == "cuda":
        import torch

        torch.cuda.synchronize(device)  # what was started counts to the stage that started it
