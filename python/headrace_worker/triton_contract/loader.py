"""Finds and imports a model's file."""

import importlib
import os
import sys

from headrace_worker.triton_contract import values


class ModelFile:
    """The file of a model, and the module that it is imported as.

    In a version's directory it is "<version>.<name>", so that its siblings import by their names; a backend that is written
    in Python has its model elsewhere, and that one is "<name>".
    """

    def __init__(self, load):
        version_directory = load["version_directory"]
        self.path = os.path.join(version_directory, load.get("model_file") or "model.py")
        folder, name = os.path.split(self.path)
        if not name.endswith(".py"):
            raise values.TritonModelException(f"Model name must end with '.py'. Model name is \"{name}\".")
        if not os.path.isfile(self.path):
            raise values.TritonModelException(f"Python model file not found in '{self.path}'")
        module = name[: -len(".py")]
        if os.path.normpath(folder) == os.path.normpath(version_directory):
            self._paths = [folder, load["model_directory"]]
            self._module = f"{os.path.basename(os.path.normpath(version_directory))}.{module}"
        else:
            self._paths = [folder]
            self._module = module

    def import_class(self):
        """The class TritonPythonModel."""
        for path in self._paths:
            if path not in sys.path:
                sys.path.append(path)
        return importlib.import_module(self._module).TritonPythonModel
