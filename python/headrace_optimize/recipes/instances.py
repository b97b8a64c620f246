"""How the cores are shared: one instance with all of them, or one for each."""

from typing import ClassVar

from headrace_optimize import machine
from headrace_optimize.model import AOTI, ONNX, OPENVINO, TORCHSCRIPT, Artefact, Source
from headrace_optimize.recipes.base import Context, Recipe


class _Instances(Recipe):
    """The server gives each instance its share of the cores (docs/repository.md), and the runtime as many threads."""

    stage = "settings"
    takes = (TORCHSCRIPT, AOTI, ONNX, OPENVINO)
    risk = "none"
    per_core: ClassVar[bool]

    def count(self) -> int:
        """Of instances."""
        return machine.cores() if self.per_core else 1

    def why_not(self, artefact: Artefact, source: Source) -> str:
        """See Recipe."""
        if (artefact.instances or source.instances) == self.count():
            return f"it has {self.count()} instance(s) already"
        return ""

    def apply(self, artefact: Artefact, context: Context) -> Artefact:
        """See Recipe."""
        return artefact.with_step(
            self.name, instances=self.count(), provenance=self.provenance(instances=self.count(), cores=machine.cores())
        )


class OneInstance(_Instances):
    """The lowest latency of a lone request."""

    name = "one_instance"
    title = "one instance on all cores"
    per_core = False


class InstancePerCore(_Instances):
    """The most throughput of models that do not scale over cores."""

    name = "instance_per_core"
    title = "one instance on each core"
    per_core = True
