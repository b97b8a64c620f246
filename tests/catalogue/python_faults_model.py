"""Does to its worker what the request's text says, then answers; the answer is the process's number."""

import os
import re
import signal
import sys
import time

import numpy as np
import triton_python_backend_utils as pb_utils


class _Base(BaseException):
    pass


def _spin():
    while True:
        pass


_ACTIONS = {
    "nothing": lambda: None,
    "raise": lambda: (_ for _ in ()).throw(ValueError("the model's own text")),
    "raise_base": lambda: (_ for _ in ()).throw(_Base("not even an Exception")),
    "raise_long": lambda: (_ for _ in ()).throw(ValueError("x" * 1_000_000)),
    "sys_exit": lambda: sys.exit(3),
    "os_exit": lambda: os._exit(3),
    "sleep": lambda: time.sleep(1000),
    "spin": _spin,
    # A search that does not come back to the interpreter.
    "hold": lambda: re.match("(a|a)*b", "a" * 64),
    "stop": lambda: os.kill(os.getpid(), signal.SIGSTOP),
}
_RETURNS = {
    "return_none": lambda responses: None,
    "return_few": lambda responses: [],
    "return_many": lambda responses: responses * 2,
    "return_text": lambda responses: "a text",
    "return_texts": lambda responses: ["a text"] * len(responses),
    "return_nones": lambda responses: [None] * len(responses),
}


class TritonPythonModel:
    def execute(self, requests):
        (action,) = {pb_utils.get_input_tensor_by_name(r, "ACTION").as_numpy().reshape(-1)[0].decode() for r in requests}
        _ACTIONS.get(action, _ACTIONS["nothing"])()
        value = np.array([os.getpid()], np.int64)
        if action == "wrong_dtype":
            value = value.astype(np.float16)
        elif action == "wrong_shape":
            value = np.zeros((2, 3), np.int64)
        elif action == "not_a_number":
            value = np.array([np.nan], np.float64)
        responses = [pb_utils.InferenceResponse([pb_utils.Tensor("PROCESS", value)]) for _ in requests]
        return _RETURNS.get(action, lambda same: same)(responses)
