"""Decoupled: answers until it is cancelled, then says so in the log."""

import threading

import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def initialize(self, args):
        self._threads = []

    def execute(self, requests):
        for request in requests:
            thread = threading.Thread(target=self._answer, args=(request.get_response_sender(),))
            self._threads.append(thread)
            thread.start()
        return None

    @staticmethod
    def _answer(sender):
        tensor = pb_utils.Tensor("OUTPUT0", np.zeros(1, dtype=np.int32))
        for _ in range(100_000):
            if sender.is_cancelled():
                pb_utils.Logger.log_info("the endless model was cancelled")
                break
            sender.send(pb_utils.InferenceResponse([tensor]))
        sender.send(flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)

    def finalize(self):
        for thread in self._threads:
            thread.join()
