"""What `auto` in a profile means on this machine: of the precision, and of the engine."""

import platform
from importlib.util import find_spec

from graph.schema import MEMORY_FIELDS, ModelSpec


def resolve_engine(spec: ModelSpec) -> str:
    """Return the engine that `auto` means for a model on this machine; return any other unchanged.

    `auto` is OpenVINO for a packaged model on an x86-64 processor, if OpenVINO GenAI is installed.
    transformers runs all other models, those with fields of its own, and those on other processors.
    """
    if spec.engine != "auto":
        return spec.engine
    fields = type(spec).model_fields
    has_defaults = all(getattr(spec, name) == fields[name].default for name in MEMORY_FIELDS)
    can_run = platform.machine() in ("x86_64", "AMD64") and find_spec("openvino_genai") is not None
    return "openvino" if spec.weights == "package" and has_defaults and can_run else "huggingface"


def resolve_model_dtype(spec: ModelSpec) -> str:
    """Return the dtype in which a model of this process computes.

    `auto` of engine openvino is float32 on every processor. In bfloat16, which some compute natively,
    the numbers of a prompt depend on the prompts beside it, and on what the prefix cache held.
    """
    if spec.dtype == "auto" and resolve_engine(spec) == "openvino":
        return "float32"
    return resolve_dtype(spec.dtype)


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
