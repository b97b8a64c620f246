"""Calls other models of the same server; the request's JSON says how. Answers what it got, as JSON."""

import asyncio
import json

import numpy as np
import triton_python_backend_utils as pb_utils

_TYPES = {"int32": np.int32, "float32": np.float32, "text": np.object_}


def _plain(response):
    if response.has_error():
        return {"error": response.error().message(), "code": str(response.error().code())}
    return {
        tensor.name(): [item.decode() if isinstance(item, bytes) else item for item in tensor.as_numpy().reshape(-1).tolist()]
        for tensor in response.output_tensors()
    }


def _request(call):
    inputs = []
    for name, (kind, values) in call.get("inputs", {}).items():
        values = [value.encode() for value in values] if kind == "text" else values
        inputs.append(pb_utils.Tensor(name, np.array(values, dtype=_TYPES[kind]).reshape(call.get("shape", [-1]))))
    return pb_utils.InferenceRequest(
        model_name=call["model"],
        model_version=call.get("version", -1),
        requested_output_names=call.get("outputs", ["OUTPUT0"]),
        inputs=inputs,
        request_id=call.get("id", ""),
        correlation_id=call.get("correlation_id", 0),
        flags=call.get("flags", 0),
        timeout=call.get("timeout", 0),
        parameters=call.get("parameters", {}),
    )


async def _call(call):
    if call.get("decoupled"):
        stream = await _request(call).async_exec(decoupled=True) if call.get("await") else _request(call).exec(decoupled=True)
        return [_plain(response) for response in stream]
    return _plain(await _request(call).async_exec() if call.get("await") else _request(call).exec())


class TritonPythonModel:
    async def execute(self, requests):
        responses = []
        for request in requests:
            calls = json.loads(pb_utils.get_input_tensor_by_name(request, "INPUT0").as_numpy().reshape(-1)[0])
            try:
                if all(call.get("await") for call in calls):
                    answers = await asyncio.gather(*(_call(call) for call in calls))
                else:
                    answers = [await _call(call) for call in calls]
                text = json.dumps(answers)
            except Exception as error:  # what a caller of a model can be told
                text = json.dumps({"raised": type(error).__name__, "text": str(error)})
            responses.append(pb_utils.InferenceResponse([pb_utils.Tensor("OUTPUT0", np.array([text], dtype=object))]))
        return responses
