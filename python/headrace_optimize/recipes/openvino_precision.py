"""OpenVINO: the runtime computes in half the bits, of an fp32 model."""

from typing import ClassVar

from headrace_optimize import machine
from headrace_optimize.model import OPENVINO, Artefact, Source
from headrace_optimize.recipes.base import Context, Recipe


class _OpenVinoPrecision(Recipe):
    """A hint to the runtime (the backend's parameter inference_precision); the file stays as it is."""

    stage = "precision"
    takes = (OPENVINO,)
    risk = "small"
    precision: ClassVar[str]
    paying_sets: ClassVar[tuple[str, ...]]

    def why_not(self, artefact: Artefact, source: Source) -> str:
        """See Recipe."""
        if artefact.parameters.get("inference_precision") == self.precision:
            return "it is on already"
        if not machine.present(self.paying_sets):
            return f"this processor has none of {', '.join(self.paying_sets)}: the runtime would compute in fp32"
        return ""

    def apply(self, artefact: Artefact, context: Context) -> Artefact:
        """See Recipe."""
        return artefact.with_step(
            self.name,
            parameters={"inference_precision": self.precision},
            instruction_sets=machine.present(self.paying_sets),
            provenance=self.provenance(at="load"),
        )


class OpenVinoBf16(_OpenVinoPrecision):
    """bfloat16."""

    name = "openvino_bf16"
    title = "OpenVINO computes in bf16"
    precision = "bf16"
    paying_sets = machine.BF16_SETS


class OpenVinoFp16(_OpenVinoPrecision):
    """float16."""

    name = "openvino_fp16"
    title = "OpenVINO computes in fp16"
    precision = "f16"
    paying_sets = machine.FP16_SETS
