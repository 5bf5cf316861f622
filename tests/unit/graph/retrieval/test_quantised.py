"""The 8-bit encoder: nearly the same vectors, the same bytes each time, and nothing sent anywhere."""

import logging
import os
import sys
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from graph.models.machine_defaults import resolve_dtype
from graph.models.quiet_loading import import_openvino
from graph.retrieval import encoder, quantised
from graph.retrieval.encoder import Encoder, resolve_encoder_dtype
from graph.retrieval.quantised import QuantisedEncoder
from graph.schema import EmbedderSpec, ModelSpec
from graph.support.errors import ConfigError, MissingExtraError
from tests.fakes.encoders import StubModel
from tests.fakes.processes import run_python
from tests.fakes.waiting import FAR

WIDTH = 128
needs_openvino = pytest.mark.skipif(
    not find_spec("openvino"), reason="there are no wheels of OpenVINO for this machine"
)


class Tiny(torch.nn.Module):
    """Random weights: an embedding, two products with a nonlinearity between, the mean."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.table = torch.nn.Embedding(64, WIDTH)
        self.wide = torch.nn.Linear(WIDTH, 2 * WIDTH)
        self.narrow = torch.nn.Linear(2 * WIDTH, WIDTH)

    def forward(self, features):
        states = self.narrow(torch.nn.functional.gelu(self.wide(self.table(features["input_ids"]))))
        mask = features["attention_mask"].unsqueeze(2).float()
        return {**features, "sentence_embedding": (states * mask).sum(1) / mask.sum(1)}


def batch(*lengths):
    """Return texts of these many tokens, padded."""
    ids = torch.zeros(len(lengths), max(lengths), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, length in enumerate(lengths):
        ids[row, :length] = torch.arange(length) * (row + 3) % 61 + 1
        mask[row, :length] = 1
    return {"input_ids": ids, "attention_mask": mask}


BATCHES = [batch(9, 7, 7), batch(5, 2), batch(1)] * 5


def normalised(parts):
    vectors = np.concatenate(parts)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@needs_openvino
@pytest.mark.parametrize(
    "dtype",
    [
        "int8_float32",
        pytest.param(
            "int8_bfloat16",
            marks=pytest.mark.skipif(
                resolve_dtype("auto") != "bfloat16", reason="no bfloat16 in this processor"
            ),
        ),
    ],
)
def test_vectors_are_nearly_those_of_32_bits(dtype):
    model = Tiny()
    vectors = normalised(QuantisedEncoder(model, dtype).forward(BATCHES))
    with torch.inference_mode():
        exact = normalised([model(batch)["sentence_embedding"].numpy() for batch in BATCHES])
    cosines = (vectors * exact).sum(axis=1)
    assert vectors.dtype == np.float32
    assert cosines.min() > 0.999
    assert cosines.max() < 0.9999999


@needs_openvino
def test_weights_are_rounded_to_8_bits_with_a_scale_each_group():
    openvino = import_openvino()
    model = Tiny()
    with torch.no_grad():
        model.wide.weight[0] = 0.0
    graph = quantised._quantise(quantised._trace(openvino, model))
    small = [
        node.data
        for node in graph.get_ordered_ops()
        if node.get_type_name() == "Constant" and str(node.get_element_type()) == "<Type: 'int8_t'>"
    ]
    assert sorted(weights.shape for weights in small) == [(WIDTH, 2, WIDTH), (2 * WIDTH, 1, WIDTH)]
    scales = [np.abs(weights.astype(int)).max(axis=2).ravel() for weights in small]
    largest = np.concatenate(scales)
    assert sorted(set(largest.tolist())) == [0, 127]


@needs_openvino
def test_any_number_of_threads_gives_the_same_bytes(monkeypatch):
    outputs = []
    for threads in (1, 2):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        encoder = QuantisedEncoder(Tiny(), "int8_float32")
        outputs += [np.concatenate(encoder.forward(BATCHES)).tobytes() for _ in range(2)]
    assert len(set(outputs)) == 1


@needs_openvino
def test_a_model_that_cannot_be_converted_is_a_config_error():
    class Odd(torch.nn.Module):
        def forward(self, features):
            raise RuntimeError("no such\ninput")

    level = logging.getLogger().level
    with pytest.raises(ConfigError, match=r"set its dtype to float32: .*no such input"):
        QuantisedEncoder(Odd(), "int8_float32")

    assert logging.getLogger().level == level


@needs_openvino
def test_openvino_is_imported_without_its_telemetry(tmp_path):
    code = "from graph.models.quiet_loading import import_openvino as f; f().convert_model"
    result = run_python(
        *("-c", f"{code}; import sys; assert not sys.modules['openvino_telemetry']"),
        env={**os.environ, "HOME": str(tmp_path), "CI": ""},
        timeout=FAR,
    )
    assert result.returncode == 0, result.stderr
    assert not list(tmp_path.iterdir())


def test_without_openvino_the_message_is_the_pip_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'opencoder\[cpu\]'"):
        QuantisedEncoder(Tiny(), "int8_float32")


@pytest.mark.parametrize(
    ("dtype", "cuda", "installed", "vnni", "expected"),
    [
        ("auto", False, True, True, "int8_bfloat16"),
        ("auto", False, True, False, "bfloat16"),
        ("auto", False, False, True, "bfloat16"),
        ("auto", True, True, True, "bfloat16"),
        ("float32", False, True, True, "float32"),
        ("int8_float32", True, False, False, "int8_float32"),
    ],
)
def test_auto_is_8_bits_where_they_pay(monkeypatch, dtype, cuda, installed, vnni, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_vnni": vnni})
    monkeypatch.setattr(encoder, "find_spec", lambda _: object() if installed else None)
    monkeypatch.setattr(encoder, "resolve_dtype", lambda d: "bfloat16" if d == "auto" else d)
    assert resolve_encoder_dtype(dtype) == expected


def test_vectors_come_back_normalised_and_in_the_order_of_the_texts():
    class Lengths:
        """Stands for the quantised model: a text's vector is its length, twice."""

        def forward(self, batches):
            sums = [batch["attention_mask"].sum(1, keepdim=True).float() for batch in batches]
            return [torch.cat([total, total + 1], dim=1).numpy() for total in sums]

    encoder = Encoder(EmbedderSpec(model="x", dtype="int8_float32"))
    encoder._model, encoder._quantised = StubModel(), Lengths()
    texts = ["aaaa", "", "a" * 40, "aa", "a" * 20]
    vectors = encoder.encode(texts)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(5))
    ratio = vectors[:, 1] / vectors[:, 0]
    assert 1 / (ratio - 1) == pytest.approx([len(text) + 1 for text in texts], rel=1e-3)


def test_only_an_encoder_has_8_bits():
    assert EmbedderSpec(model="x", dtype="int8_bfloat16").dtype == "int8_bfloat16"
    with pytest.raises(ValidationError, match="dtype"):
        ModelSpec(model="x", dtype="int8_bfloat16")
