"""Is ready, or not, as its last request said."""

import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def initialize(self, args):
        self._ready = True

    def is_ready(self):
        return self._ready

    def execute(self, requests):
        responses = []
        for request in requests:
            values = pb_utils.get_input_tensor_by_name(request, "INPUT0").as_numpy()
            self._ready = bool(values.reshape(-1)[0])
            responses.append(pb_utils.InferenceResponse([pb_utils.Tensor("OUTPUT0", np.copy(values))]))
        return responses
