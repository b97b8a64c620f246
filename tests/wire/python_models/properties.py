"""Tells what it knows of the request and of itself, as JSON."""

import json

import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def initialize(self, args):
        self._args = {key: value for key, value in args.items() if key != "model_config"}
        self._config = json.loads(args["model_config"])

    def execute(self, requests):
        responses = []
        for request in requests:
            seen = {
                "args": self._args,
                "inputs": self._config["input"],
                "config_parameters": self._config.get("parameters"),
                "id": request.request_id(),
                "correlation_id": request.correlation_id(),
                "flags": request.flags(),
                "timeout": request.timeout(),
                "parameters": json.loads(request.parameters()),
                "wanted": sorted(request.requested_output_names()),
                "cancelled": request.is_cancelled(),
                "directory": pb_utils.get_model_dir(),
            }
            text = np.array([json.dumps(seen, sort_keys=True)], dtype=object)
            responses.append(pb_utils.InferenceResponse([pb_utils.Tensor("OUTPUT0", text)]))
        return responses
