"""What this machine is, as far as it decides which variant is the fastest."""

import importlib.metadata
import os
import pathlib
import platform
from typing import Any, Iterable

# Those that matter to compiled models and to low precisions, by their names in /proc/cpuinfo.
INSTRUCTION_SETS = (
    "avx",
    "avx2",
    "fma",
    "f16c",
    "avx512f",
    "avx512bw",
    "avx512cd",
    "avx512dq",
    "avx512vl",
    "avx512_vnni",
    "avx512_bf16",
    "avx512_fp16",
    "avx_vnni",
    "amx_tile",
    "amx_int8",
    "amx_bf16",
    "amx_fp16",
    "asimd",
    "asimdhp",
    "asimddp",
    "bf16",
    "i8mm",
    "sve",
    "sve2",
)
INT8_SETS = ("avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm")
BF16_SETS = ("avx512_bf16", "amx_bf16", "bf16")
FP16_SETS = ("avx512_fp16", "amx_fp16", "asimdhp")
PACKAGES = ("torch", "torchvision", "onnx", "onnxruntime", "openvino", "nncf", "numpy", "torchao")


def _cpuinfo() -> dict[str, str]:
    values: dict[str, str] = {}
    try:
        text = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return values
    for line in text.splitlines():
        key, _, value = line.partition(":")
        values.setdefault(key.strip(), value.strip())
    return values


def instruction_sets() -> list[str]:
    """Those of INSTRUCTION_SETS that this processor has."""
    info = _cpuinfo()
    have = set(f"{info.get('flags', '')} {info.get('Features', '')}".split())
    return [name for name in INSTRUCTION_SETS if name in have]


def present(names: Iterable[str]) -> list[str]:
    """Those of `names` that this processor has, in their order."""
    have = instruction_sets()
    return [name for name in names if name in have]


def cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0))


def version_of(package: str) -> str:
    """Of an installed package, without a local part; empty if it is not installed."""
    try:
        return importlib.metadata.version(package).partition("+")[0]
    except importlib.metadata.PackageNotFoundError:
        return ""


def packages() -> dict[str, str]:
    """The versions of those of PACKAGES that are installed."""
    return {name: version for name in PACKAGES if (version := version_of(name))}


def describe() -> dict[str, Any]:
    """For manifests and reports."""
    info = _cpuinfo()
    return {
        "architecture": platform.machine(),
        "processor": info.get("model name", platform.processor() or "unknown"),
        "instruction_sets": instruction_sets(),
        "cores": cores(),
        "load_average": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "packages": packages(),
    }
