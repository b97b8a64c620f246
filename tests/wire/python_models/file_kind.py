"""Tells what kind of file some bytes are, by the package of Magika."""

import numpy as np
import triton_python_backend_utils as pb_utils
from magika import Magika


class TritonPythonModel:
    def initialize(self, args):
        self._magika = Magika()

    def execute(self, requests):
        responses = []
        for request in requests:
            contents = pb_utils.get_input_tensor_by_name(request, "CONTENT").as_numpy()
            found = [self._magika.identify_bytes(content) for content in contents.reshape(-1)]
            outputs = [
                pb_utils.Tensor("LABEL", np.array([r.output.label for r in found], dtype=object).reshape(contents.shape)),
                pb_utils.Tensor("SCORE", np.array([r.score for r in found], np.float32).reshape(contents.shape)),
            ]
            responses.append(pb_utils.InferenceResponse(outputs))
        return responses
