"""Weights that are made when the handler is initialized, and facts of the process that answers."""

import os
import random
import threading

import numpy


class Twin:
    """With `thread: true` in model-config.yaml it starts a thread too early to be copied."""

    def __init__(self):
        self.steps = []
        self.weights = None

    def initialize(self, context):
        self.weights = numpy.arange(context.model_yaml_config["megabytes"] << 17, dtype=numpy.float64)
        self._note("initialize")
        if context.model_yaml_config.get("thread"):
            threading.Thread(target=threading.Event().wait, name="too-early", daemon=True).start()

    def before_fork(self, context):
        self._note("before_fork")

    def after_fork(self, context):
        self._note("after_fork")

    def _note(self, step):
        self.steps.append([step, os.getpid()])

    def handle(self, rows, context):
        if context.get_request_header(0, "end") == "now":
            os._exit(3)
        print("somebody asks", flush=True)
        told = {
            "pid": os.getpid(),
            "steps": self.steps,
            "sum": float(self.weights.sum()),
            "drawn": [random.random(), numpy.random.random()],
            "mark": os.environ["HEADRACE_PROCESS"],
            "threads": os.environ["OMP_NUM_THREADS"],
        }
        context.metrics.add_counter("Asked", 1)
        return [told] * len(rows)
