"""The hardware: cores, memory, what the processor can multiply fast, GPUs."""

import importlib
import os
import platform
import warnings
from pathlib import Path
from typing import Any, NamedTuple

from graph.diagnosis.problem import Problem
from graph.support.text import one_line

_FEATURES = {
    "AVX2": ("avx2",),
    "AVX512": ("avx512_f", "avx512f"),
    "VNNI": ("avx512_vnni", "avx_vnni"),
    "bf16": ("avx512_bf16", "amx_bf16"),
}
"""Abilities of x86-64 processors, with their names in torch and in Linux."""


class Gpu(NamedTuple):
    """A GPU that torch can use."""

    name: str
    bytes: int
    """Its memory."""


class Machine(NamedTuple):
    """The hardware; None is what neither the system nor torch says."""

    system: str
    processor: str
    cores: int | None
    """Cores that this process may use."""
    memory: int | None
    """Bytes of the machine's memory."""
    features: dict[str, bool] | None
    gpus: list[Gpu]
    torch_build: str | None
    """What torch was built for: `CPU`, `CUDA 13.0` or `ROCm 7.0`; None without torch."""


def inspect_machine() -> tuple[Machine, list[Problem]]:
    """Return the hardware, and what is wrong with torch."""
    torch, problems = _import_torch()
    gpus, warned = _gpus(torch) if torch else ([], [])
    machine = Machine(
        system=f"{platform.system()} {platform.release()}",
        processor=platform.machine(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        memory=_memory(),
        features=_features(torch),
        gpus=gpus,
        torch_build=_build(torch) if torch else None,
    )
    return machine, problems + warned


def _import_torch() -> tuple[Any, list[Problem]]:
    try:
        return importlib.import_module("torch"), []
    except ModuleNotFoundError as error:
        # Without torch it is a missing package, which is named as such.
        if error.name == "torch":
            return None, []
        reason = one_line(error)
    # A wheel for another processor, or without a library of the system, fails in many ways.
    except Exception as error:
        reason = one_line(f"{type(error).__name__}: {error}")
    advice = "install torch again: pip install --force-reinstall --no-deps torch"
    return None, [Problem(f"torch cannot be imported: {reason}", advice, blocking=True)]


def _gpus(torch: Any) -> tuple[list[Gpu], list[Problem]]:
    """Return the GPUs, and the warning of a driver that torch cannot use."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            count = torch.cuda.device_count() if torch.cuda.is_available() else 0
            properties = [torch.cuda.get_device_properties(number) for number in range(count)]
        except (RuntimeError, AssertionError) as error:
            text = f"torch finds a GPU, and cannot use it: {one_line(error)}"
            return [], [Problem(text, "mend the driver, or hide the GPU: CUDA_VISIBLE_DEVICES=")]
    problems = [
        Problem(
            f"torch warns: {one_line(warning.message)}", "install another driver or torch build"
        )
        for warning in caught
    ]
    return [Gpu(str(gpu.name), int(gpu.total_memory)) for gpu in properties], problems


def _build(torch: Any) -> str:
    if torch.version.cuda:
        return f"CUDA {torch.version.cuda}"
    return f"ROCm {torch.version.hip}" if getattr(torch.version, "hip", None) else "CPU"


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None


def _features(torch: Any) -> dict[str, bool] | None:
    names = _flags_of_torch(torch) or _flags_of_linux()
    if not names:
        return None
    return {feature: not names.isdisjoint(aliases) for feature, aliases in _FEATURES.items()}


def _flags_of_torch(torch: Any) -> set[str]:
    try:
        return {name for name, value in torch.cpu.get_capabilities().items() if value is True}
    except (AttributeError, RuntimeError):
        return set()


def _flags_of_linux() -> set[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return set()
    flags = next((line for line in lines if line.startswith("flags")), "")
    return set(flags.partition(":")[2].split())
