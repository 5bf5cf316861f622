"""The fields of a model that let large weights fit into memory: what they need and what they mean."""

import logging
from importlib.metadata import version
from importlib.util import find_spec

from graph.models.machine_defaults import resolve_dtype
from graph.schema import MEMORY_FIELDS, ModelSpec
from graph.support.errors import ConfigError, MissingExtraError


def check_memory_fields(spec: ModelSpec) -> None:
    """Check that this machine has the packages and the GPU that the fields of a model need.

    Raises:
        MissingExtraError: A package is not installed.
        ConfigError: There is no GPU, or the precision does not fit.
    """
    if spec.quantization != "none" and find_spec("bitsandbytes") is None:
        raise MissingExtraError(
            f"quantization {spec.quantization} needs bitsandbytes: pip install 'opencoder[quantize]'"
        )
    if spec.attention == "flash_attention_2":
        _check_flash_attention(resolve_dtype(spec.dtype))


def _check_flash_attention(dtype: str) -> None:
    import torch

    if not torch.cuda.is_available():
        raise ConfigError(
            "attention flash_attention_2 needs a GPU with CUDA: set attention to sdpa"
        )
    # Without the package, transformers may fetch code from the hub in its place.
    if find_spec("flash_attn") is None:
        raise MissingExtraError(
            "attention flash_attention_2 needs flash-attn: pip install flash-attn "
            "--no-build-isolation, or set attention to sdpa"
        )
    if dtype == "float32":
        raise ConfigError(
            "attention flash_attention_2 computes in 16 bits: set dtype to bfloat16 or float16"
        )


def memory_arguments(spec: ModelSpec) -> dict[str, object]:
    """Return the arguments of `from_pretrained` that the fields of a model mean on this machine."""
    import torch

    arguments: dict[str, object] = {}
    if torch.cuda.is_available():
        arguments["device_map"] = {"": 0} if spec.device_map == "single" else spec.device_map
    if spec.attention != "auto":
        arguments["attn_implementation"] = spec.attention
    if spec.quantization != "none":
        arguments["quantization_config"] = _bits_and_bytes(spec)
    return arguments


def _bits_and_bytes(spec: ModelSpec) -> object:
    import torch
    from transformers import BitsAndBytesConfig

    # On a CPU with bfloat16 it asks for a package that would fetch code from a hub.
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
    if spec.quantization == "int8":
        # LLM.int8() computes in float16; with another dtype it would say so for every layer and call.
        logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=getattr(torch, resolve_dtype(spec.dtype)),
    )


def memory_identity(spec: ModelSpec) -> dict[str, object]:
    """Return the fields that are not at their defaults: they change texts and probabilities.

    The defaults are left out, so that runs and cached calls from before these fields stay the same.
    """
    defaults = ModelSpec.model_fields
    changed = {name: getattr(spec, name) for name in MEMORY_FIELDS}
    changed = {name: value for name, value in changed.items() if value != defaults[name].default}
    if "quantization" in changed:
        changed["bitsandbytes"] = version("bitsandbytes")
    return changed
