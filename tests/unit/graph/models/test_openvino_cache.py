"""The size of OpenVINO's prefix cache: room for the tokens that are asked for, within a limit."""

from types import SimpleNamespace

import pytest

from graph.models.openvino_model import BLOCK_TOKENS, FILLER_TOKENS, _cache_blocks

SMALL = SimpleNamespace(
    num_hidden_layers=30, num_attention_heads=9, num_key_value_heads=3, hidden_size=576
)
LARGE = SimpleNamespace(num_hidden_layers=32, num_attention_heads=32, hidden_size=4_096)


@pytest.mark.parametrize("tokens", [1, 2 * 12 * 1_664])
def test_a_small_model_has_room_for_all_tokens_and_the_filler(tokens):
    assert _cache_blocks(SMALL, tokens) * BLOCK_TOKENS >= tokens + FILLER_TOKENS


def test_the_cache_of_a_large_model_takes_at_most_four_gigabytes():
    # Keys and values of a token: 2 x 32 layers x 4,096 numbers x 2 bytes.
    blocks = _cache_blocks(LARGE, 8 * 32_768)
    assert blocks == 4 * 10**9 // (2 * 32 * 4_096 * 2 * BLOCK_TOKENS)
