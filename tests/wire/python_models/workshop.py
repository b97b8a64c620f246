"""What the first value of INPUT0 asks for, for tests of the workers: see _ASKED."""

import os
import threading
import time

import numpy as np
import triton_python_backend_utils as pb_utils


def _respond(values):
    return pb_utils.InferenceResponse([pb_utils.Tensor("OUTPUT0", np.asarray(values, dtype=np.float32))])


class TritonPythonModel:
    def initialize(self, args):
        self._kept = []

    def execute(self, requests):
        return [self._answer(request) for request in requests]

    def _answer(self, request):
        values = pb_utils.get_input_tensor_by_name(request, "INPUT0").as_numpy()
        return _ASKED.get(int(values.reshape(-1)[0]), TritonPythonModel._echo)(self, request, values)

    def _echo(self, request, values):
        return _respond(values)

    def _exit(self, request, values):
        os._exit(9)

    def _process(self, request, values):
        time.sleep(0.2)
        return _respond([os.getpid()])

    def _keep(self, request, values):
        """Keeps the input's memory."""
        self._kept.append(values)
        return _respond(values)

    def _sum_of_kept(self, request, values):
        return _respond([sum(float(kept.sum()) for kept in self._kept)])

    def _later(self, request, values):
        """Answers from another thread after the execution."""
        sender = request.get_response_sender()

        def send():
            sender.send(_respond(values), flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)

        threading.Timer(0.05, send).start()

    def _call(self, request, values):
        """Has another model echo, after the first value was changed to one that is echoed."""
        values = values.copy()
        values.reshape(-1)[0] = 0
        call = pb_utils.InferenceRequest(
            model_name="workshop", requested_output_names=["OUTPUT0"], inputs=[pb_utils.Tensor("INPUT0", values)]
        )
        response = call.exec()
        if response.has_error():
            return pb_utils.InferenceResponse(error=response.error())
        return _respond(response.output_tensors()[0].as_numpy())


_ASKED = {
    -1: TritonPythonModel._exit,
    -2: TritonPythonModel._process,
    -3: TritonPythonModel._keep,
    -4: TritonPythonModel._sum_of_kept,
    -5: TritonPythonModel._later,
    -6: TritonPythonModel._call,
}
