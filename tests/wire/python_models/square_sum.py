"""Calls the decoupled model "square" and adds up what it answers: by an iterator, and as a coroutine, as KIND says."""

import asyncio

import numpy as np
import triton_python_backend_utils as pb_utils


def _total(responses):
    total = 0
    for response in responses:
        if response.has_error():
            raise pb_utils.TritonModelException(response.error().message())
        if response.output_tensors():
            total += int(pb_utils.get_output_tensor_by_name(response, "OUT").as_numpy()[0])
    return total


class TritonPythonModel:
    async def execute(self, requests):
        return list(await asyncio.gather(*(self._answer(request) for request in requests)))

    async def _answer(self, request):
        kind = pb_utils.get_input_tensor_by_name(request, "KIND").as_numpy().reshape(-1)[0]
        tensor = pb_utils.get_input_tensor_by_name(request, "IN")
        calls = [
            pb_utils.InferenceRequest(model_name="square", inputs=[tensor], requested_output_names=["OUT"]) for _ in range(2)
        ]
        if kind == b"await":
            totals = [_total(stream) for stream in await asyncio.gather(*(call.async_exec(decoupled=True) for call in calls))]
        else:
            totals = [_total(call.exec(decoupled=True)) for call in calls]
        return pb_utils.InferenceResponse([pb_utils.Tensor("SUM", np.array([sum(totals)], np.int32))])
