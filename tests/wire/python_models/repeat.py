"""Decoupled: gives each element of IN back as a response of its own, with its index, DELAY milliseconds apart; WAIT
milliseconds pass before `execute` returns."""

import threading
import time

import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def initialize(self, args):
        config = pb_utils.get_output_config_by_name(__import__("json").loads(args["model_config"]), "IDX")
        self._index_type = pb_utils.triton_string_to_numpy(config["data_type"])
        self._lock = threading.Lock()
        self._under_way = 0

    def execute(self, requests):
        for request in requests:
            values, delays, wait = (
                pb_utils.get_input_tensor_by_name(request, name).as_numpy() for name in ("IN", "DELAY", "WAIT")
            )
            with self._lock:
                self._under_way += 1
            work = threading.Thread(target=self._repeat, args=(request.get_response_sender(), values, delays), daemon=True)
            work.start()
            time.sleep(int(wait.reshape(-1)[0]) / 1000)
        return None

    def _repeat(self, sender, values, delays):
        for index, (value, delay) in enumerate(zip(values.reshape(-1), delays.reshape(-1))):
            time.sleep(int(delay) / 1000)
            outputs = [
                pb_utils.Tensor("OUT", np.array([value], np.int32)),
                pb_utils.Tensor("IDX", np.array([index], self._index_type)),
            ]
            sender.send(pb_utils.InferenceResponse(outputs))
        sender.send(flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
        with self._lock:
            self._under_way -= 1

    def finalize(self):
        while self._under_way:
            time.sleep(0.001)
