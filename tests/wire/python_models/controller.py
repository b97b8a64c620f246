"""Loads and unloads models of its server; the request's text says what to do. Answers in JSON."""

import json

import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests):
        responses = []
        for request in requests:
            what, model, *more = pb_utils.get_input_tensor_by_name(request, "INPUT0").as_numpy().reshape(-1)
            model = model.decode()
            try:
                if what == b"load":
                    pb_utils.load_model(model_name=model)
                elif what == b"load_config":
                    pb_utils.load_model(model_name=model, config=more[0].decode())
                elif what == b"load_files":
                    files = {"file:1/model.py": more[1]}
                    pb_utils.load_model(model_name=model, config=more[0].decode(), files=files)
                elif what == b"unload":
                    pb_utils.unload_model(model_name=model)
                answer = {"ready": pb_utils.is_model_ready(model_name=model)}
                if more and what == b"ready":
                    answer = {"ready": pb_utils.is_model_ready(model_name=model, model_version=more[0].decode())}
            except Exception as error:
                answer = {"raised": type(error).__name__, "text": str(error)}
            text = np.array([json.dumps(answer)], dtype=object)
            responses.append(pb_utils.InferenceResponse([pb_utils.Tensor("OUTPUT0", text)]))
        return responses
