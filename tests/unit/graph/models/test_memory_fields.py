"""Quantisation, attention and the place of weights: what they need, and the arguments they become."""

from types import SimpleNamespace

import pytest
import torch

from graph.models import memory_fields
from graph.models.batch_cache import cache_identity
from graph.models.loading import TorchModel
from graph.models.memory_fields import check_memory_fields, memory_arguments, memory_identity
from graph.schema import ModelSpec
from graph.support.errors import ConfigError, MissingExtraError


def spec(**fields) -> ModelSpec:
    return ModelSpec(model="m", **{"dtype": "bfloat16", **fields})


@pytest.fixture(params=[False, True], ids=["cpu", "gpu"])
def has_gpu(request, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: request.param)
    return request.param


@pytest.fixture
def packages(monkeypatch):
    """Return the set of installed packages, which a test fills."""
    names: set[str] = set()
    monkeypatch.setattr(memory_fields, "find_spec", lambda name: name if name in names else None)
    return names


def test_the_defaults_need_nothing_and_are_no_part_of_an_identity(packages):
    check_memory_fields(spec())
    assert memory_identity(spec()) == {}


@pytest.mark.parametrize("quantization", ["int8", "nf4"])
def test_a_quantised_model_needs_the_package(packages, quantization):
    quantised = spec(quantization=quantization)
    with pytest.raises(MissingExtraError) as error:
        check_memory_fields(quantised)
    assert str(error.value) == (
        f"quantization {quantization} needs bitsandbytes: pip install 'opencoder[quantize]'"
    )
    packages.add("bitsandbytes")
    check_memory_fields(quantised)


@pytest.mark.parametrize("attention", ["auto", "eager", "sdpa"])
def test_other_attention_needs_neither_package_nor_gpu(packages, has_gpu, attention):
    check_memory_fields(spec(attention=attention))


def test_flash_attention_needs_a_gpu_a_package_and_16_bits(packages, has_gpu):
    flash = spec(attention="flash_attention_2")
    if not has_gpu:
        packages.add("flash_attn")
        with pytest.raises(ConfigError, match="needs a GPU with CUDA: set attention to sdpa"):
            check_memory_fields(flash)
        return
    with pytest.raises(MissingExtraError, match="pip install flash-attn --no-build-isolation"):
        check_memory_fields(flash)
    packages.add("flash_attn")
    check_memory_fields(flash)
    with pytest.raises(ConfigError, match="set dtype to bfloat16 or float16"):
        check_memory_fields(flash.model_copy(update={"dtype": "float32"}))


@pytest.mark.parametrize(
    ("device_map", "argument"),
    [("auto", "auto"), ("sequential", "sequential"), ("single", {"": 0})],
)
def test_the_place_of_weights_counts_where_there_is_a_gpu(has_gpu, device_map, argument):
    expected = {"device_map": argument} if has_gpu else {}
    assert memory_arguments(spec(device_map=device_map)) == expected


@pytest.mark.parametrize("attention", ["eager", "sdpa", "flash_attention_2"])
def test_attention_is_passed_on_and_auto_is_left_to_transformers(has_gpu, attention):
    assert memory_arguments(spec(attention=attention))["attn_implementation"] == attention
    assert "attn_implementation" not in memory_arguments(spec())


def test_int8_and_nf4_become_settings_of_bitsandbytes(has_gpu):
    int8 = memory_arguments(spec(quantization="int8"))["quantization_config"]
    assert int8.quantization_method() == "llm_int8"
    nf4 = memory_arguments(spec(quantization="nf4"))["quantization_config"]
    assert nf4.quantization_method() == "nf4"
    assert nf4.bnb_4bit_use_double_quant
    assert nf4.bnb_4bit_compute_dtype == torch.bfloat16
    assert "quantization_config" not in memory_arguments(spec())


def loaded(spec):
    """Return a loaded model as far as the cache of calls looks at it."""
    model = SimpleNamespace(config=None, dtype=torch.float32, device=torch.device("cpu"))
    return TorchModel(spec, None, 2048, (), model=model, pipeline=None)


def test_calls_of_a_quantised_model_are_cached_apart_and_others_as_before(monkeypatch):
    monkeypatch.setattr(memory_fields, "version", lambda _: "1.0")
    plain = cache_identity(loaded(spec()))
    assert not set(plain) & {"quantization", "attention", "device_map", "bitsandbytes"}
    changed = [{"quantization": "int8"}, {"quantization": "nf4"}, {"attention": "eager"}]
    identities = [cache_identity(loaded(spec(**fields))) for fields in [*changed, {}]]
    assert len({str(identity) for identity in identities}) == len(identities)
    assert identities[0] == {**plain, "quantization": "int8", "bitsandbytes": "1.0"}
