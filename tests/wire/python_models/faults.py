"""Fails in the way that the request's text names."""

import numpy as np
import triton_python_backend_utils as pb_utils

_CODES = ("UNKNOWN", "INTERNAL", "NOT_FOUND", "INVALID_ARG", "UNAVAILABLE", "UNSUPPORTED", "ALREADY_EXISTS", "CANCELLED")


class TritonPythonModel:
    def execute(self, requests):
        responses = []
        for request in requests:
            fault = pb_utils.get_input_tensor_by_name(request, "INPUT0").as_numpy().reshape(-1)[0].decode()
            if fault == "raise":
                raise ValueError("the model does not like this")
            if fault == "model_exception":
                raise pb_utils.TritonModelException("a model's own exception")
            if fault == "no_list":
                return "a text"
            if fault == "too_few":
                return []
            if fault == "too_many":
                return [self._answer("a"), self._answer("b")]
            if fault == "not_a_response":
                return ["a text"]
            if fault == "no_output":
                responses.append(pb_utils.InferenceResponse([]))
            elif fault == "unexpected_output":
                responses.append(pb_utils.InferenceResponse([pb_utils.Tensor("OTHER", np.zeros(1, np.float32))]))
            elif fault in _CODES:
                error = pb_utils.TritonError(f"fault {fault}", getattr(pb_utils.TritonError, fault))
                responses.append(pb_utils.InferenceResponse(error=error))
            else:
                responses.append(self._answer("fine"))
        return responses

    @staticmethod
    def _answer(text):
        return pb_utils.InferenceResponse([pb_utils.Tensor("OUTPUT0", np.array([text], dtype=object))])
