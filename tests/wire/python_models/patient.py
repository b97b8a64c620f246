"""Works until nobody waits for the answer any more, and says so in the log; at most 20 seconds."""

import time

import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests):
        (request,) = requests
        pb_utils.Logger.log_info("the patient model has begun")
        limit = time.monotonic() + 20
        while not request.is_cancelled() and time.monotonic() < limit:
            time.sleep(0.01)
        pb_utils.Logger.log_info(f"the request was cancelled: {request.is_cancelled()}")
        return [pb_utils.InferenceResponse([pb_utils.Tensor("OUTPUT0", np.zeros(1, dtype=np.int32))])]
