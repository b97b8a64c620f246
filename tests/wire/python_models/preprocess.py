"""A picture's bytes to a scaled tensor of floats, planes first."""

import io

import numpy as np
import triton_python_backend_utils as pb_utils
from PIL import Image


class TritonPythonModel:
    def execute(self, requests):
        responses = []
        for request in requests:
            pictures = []
            for data in pb_utils.get_input_tensor_by_name(request, "PICTURE").as_numpy().reshape(-1):
                picture = Image.open(io.BytesIO(data)).convert("RGB").resize((8, 8), Image.NEAREST)
                pictures.append(np.asarray(picture, np.float32).transpose(2, 0, 1) / 255)
            responses.append(pb_utils.InferenceResponse([pb_utils.Tensor("PLANES", np.stack(pictures))]))
        return responses
