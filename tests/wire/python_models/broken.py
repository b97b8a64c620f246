"""Cannot be loaded."""

import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def initialize(self, args):
        raise pb_utils.TritonModelException("this model never initializes")

    def execute(self, requests):
        return []
