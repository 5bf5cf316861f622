"""What `auto` in a profile means on this machine: of the precision, and of the engine."""

import platform

from graph.schema import MEMORY_FIELDS, ModelSpec


def resolve_engine(spec: ModelSpec) -> str:
    """Return the engine that `auto` means for a model on this machine; return any other unchanged.

    `auto` is OpenVINO for a packaged model on an x86-64 processor. transformers runs all other
    models, those with fields of its own, and those on other processors.
    """
    if spec.engine != "auto":
        return spec.engine
    fields = type(spec).model_fields
    has_defaults = all(getattr(spec, name) == fields[name].default for name in MEMORY_FIELDS)
    is_x86 = platform.machine() in ("x86_64", "AMD64")
    return "openvino" if spec.weights == "package" and has_defaults and is_x86 else "huggingface"


def resolve_dtype(dtype: str) -> str:
    """Return the dtype that `auto` means on this machine; return any other dtype unchanged.

    `auto` is bfloat16 where the GPU or the CPU computes in it natively, else float16 on a GPU and
    float32 on a CPU.
    """
    if dtype != "auto":
        return dtype
    import torch

    if torch.cuda.is_available():
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
    # A private operator: torch 2.13 has no public test for native bfloat16 on a CPU.
    try:
        native = bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    except (AttributeError, RuntimeError):
        native = False
    return "bfloat16" if native else "float32"
