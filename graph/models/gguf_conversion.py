"""Converters of a GGUF file: to the folder that transformers loads, or to OpenVINO's."""

from pathlib import Path
from typing import Any

from graph.models.quiet_loading import import_openvino, switch_off_telemetry
from graph.support.errors import MissingExtraError


def to_transformers(source: Path, target: Path) -> None:
    """Convert a GGUF file to safetensors with 32-bit weights, with config and tokenizer."""
    switch_off_telemetry()
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    file = _as_pretrained(source)
    AutoTokenizer.from_pretrained(**file).save_pretrained(target)
    model = AutoModelForCausalLM.from_pretrained(
        **file, dtype=torch.float32, quantization_config=GgufConfig(dequantize=True)
    )
    # The weights are plain by now, but transformers 5 still marks the model as quantised, and
    # `save_pretrained` refuses such a model.
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.hf_quantizer = None
    model.save_pretrained(target)


def to_openvino(source: Path, target: Path) -> None:
    """Convert a GGUF file to OpenVINO's files with 16-bit weights, with config and tokenizers.

    OpenVINO GenAI reads GGUF files itself, but rounds the zero points of 4-bit weights to whole
    numbers: SmolLM2-135M-Instruct then gives a reference answer's token a log-probability 12 % lower.
    So it is given a file with 16-bit weights.

    Raises:
        MissingExtraError: OpenVINO GenAI is not installed.
    """
    switch_off_telemetry()
    openvino, genai = import_openvino(), import_genai()
    from openvino_tokenizers import convert_tokenizer
    from transformers import AutoConfig, AutoTokenizer

    file = _as_pretrained(source)
    tokenizer = AutoTokenizer.from_pretrained(**file)
    tokenizer.save_pretrained(target)
    AutoConfig.from_pretrained(**file).save_pretrained(target)
    names = ("openvino_tokenizer", "openvino_detokenizer")
    for name, model in zip(names, convert_tokenizer(tokenizer, with_detokenizer=True), strict=True):
        openvino.save_model(model, target / f"{name}.xml")
    wide = target / "16-bit.gguf"
    _write_16_bit(source, wide)
    # The property saves the graph beside the file; there is no function for it alone.
    genai.ContinuousBatchingPipeline(
        str(wide), genai.SchedulerConfig(), "CPU", {"enable_save_ov_model": True}, {}
    )
    wide.unlink()


def import_genai() -> Any:
    """Import OpenVINO GenAI without telemetry.

    Raises:
        MissingExtraError: It is not installed.
    """
    import_openvino()
    try:
        import openvino_genai
    except ImportError:
        raise MissingExtraError(
            "the engine openvino needs OpenVINO GenAI: pip install openvino-genai (part of "
            "opencoder[cpu]), or set engine to huggingface"
        ) from None
    return openvino_genai


def _as_pretrained(file: Path) -> dict[str, str]:
    """Return a GGUF file as the arguments of transformers' `from_pretrained`."""
    return {"pretrained_model_name_or_path": str(file.parent), "gguf_file": file.name}


def _write_16_bit(source: Path, target: Path) -> None:
    """Write a GGUF file again with 16-bit matrices; vectors have 32 bits."""
    from gguf import GGMLQuantizationType, GGUFReader, GGUFWriter, LlamaFileType
    from gguf.quants import dequantize, quantize

    reader = GGUFReader(source)
    writer = GGUFWriter(target, reader.fields["general.architecture"].contents())
    for name, field in reader.fields.items():
        if name == "general.file_type":
            writer.add_file_type(LlamaFileType.MOSTLY_F16)
        elif name != "general.architecture" and not name.startswith("GGUF."):
            # The types of an array are its own and that of its values.
            value_type, *item_types = field.types
            writer.add_key_value(name, field.contents(), value_type, *item_types[-1:])
    for tensor in reader.tensors:
        weights = dequantize(tensor.data, tensor.tensor_type)
        kind = GGMLQuantizationType.F16 if weights.ndim > 1 else GGMLQuantizationType.F32
        writer.add_tensor(tensor.name, quantize(weights, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
