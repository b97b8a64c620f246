"""Sentences to vectors: tokenizer and encoder in one Python model. The folder of the published files and that of the module
that runs them are parameters."""

import json
import pathlib
import sys

import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def initialize(self, args):
        # Not at the top: the worker that is asked to complete the configuration imports this file, too.
        import torch

        parameters = json.loads(args["model_config"])["parameters"]
        sys.path.append(parameters["harness"]["string_value"])
        from harness import sentence_encoder

        folder = pathlib.Path(parameters["folder"]["string_value"])
        torch.set_num_threads(1)
        torch.set_grad_enabled(False)
        self._to_torch = torch.from_numpy
        self._encoder = sentence_encoder.load(folder)
        self._tokenizer = sentence_encoder.Tokenizer(folder)

    def execute(self, requests):
        # All sentences of the batch as one.
        texts = [pb_utils.get_input_tensor_by_name(request, "SENTENCE").as_numpy() for request in requests]
        tokens, mask = self._tokenizer.batch([text.decode() for array in texts for text in array.reshape(-1)])
        vectors = self._encoder(self._to_torch(tokens), self._to_torch(mask))
        ends = np.cumsum([len(array) for array in texts])
        return [
            pb_utils.InferenceResponse([pb_utils.Tensor.from_dlpack("VECTOR", vectors[end - len(array) : end])])
            for array, end in zip(texts, ends)
        ]
