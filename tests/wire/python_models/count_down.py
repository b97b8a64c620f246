"""Decoupled: answers N, N-1, ... 1. 0 ends without a response."""

import threading

import numpy as np
import triton_python_backend_utils as pb_utils

_FINAL = pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL


class TritonPythonModel:
    def initialize(self, args):
        self._threads = []

    def execute(self, requests):
        for request in requests:
            count = int(pb_utils.get_input_tensor_by_name(request, "INPUT0").as_numpy().reshape(-1)[0])
            thread = threading.Thread(target=self._answer, args=(request.get_response_sender(), count))
            self._threads.append(thread)
            thread.start()
        return None

    @staticmethod
    def _answer(sender, count):
        for i in range(count, 0, -1):
            tensor = pb_utils.Tensor("OUTPUT0", np.array([i], dtype=np.int32))
            sender.send(pb_utils.InferenceResponse([tensor]))
        sender.send(flags=_FINAL)

    def finalize(self):
        for thread in self._threads:
            thread.join()
