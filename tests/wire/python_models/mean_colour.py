"""The mean colour of each picture's planes, and which of red, green and blue it has most of."""

import numpy as np
import triton_python_backend_utils as pb_utils

_NAMES = np.array(["red", "green", "blue"], dtype=object)


class TritonPythonModel:
    def execute(self, requests):
        responses = []
        for request in requests:
            mean = pb_utils.get_input_tensor_by_name(request, "PLANES").as_numpy().mean(axis=(2, 3))
            outputs = [
                pb_utils.Tensor("MEAN", mean),
                pb_utils.Tensor("NAME", _NAMES[mean.argmax(axis=1)].reshape(-1, 1)),
            ]
            responses.append(pb_utils.InferenceResponse(outputs))
        return responses
