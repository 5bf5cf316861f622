"""The precision that `dtype: auto` of a profile means on this machine."""


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
