"""The prompt tokens that a prefix cache leaves to read, the order of calls, and the table of engines."""

import pytest

from bench.engines import Figures, PrefixCache, figures_table, joined_calls
from graph.models.openvino_model import BLOCK_TOKENS
from tests.fakes.fake_models import reply

CONTEXT = list(range(1_000, 1_000 + 3 * BLOCK_TOKENS))


def first_and_second(first, second):
    cache = PrefixCache()
    return cache.read([first]), cache.read([second])


@pytest.mark.parametrize(
    ("second", "tokens"),
    [
        pytest.param([*CONTEXT, 7, 8], 2, id="the whole context"),
        pytest.param([*CONTEXT[:-1], 7], BLOCK_TOKENS, id="another last token of a block"),
        pytest.param(CONTEXT[: BLOCK_TOKENS + 9], 9, id="a part of a block"),
        pytest.param(CONTEXT[: BLOCK_TOKENS - 1], BLOCK_TOKENS - 1, id="less than a block"),
        pytest.param([7, *CONTEXT], 3 * BLOCK_TOKENS + 1, id="the same blocks, moved by a token"),
        pytest.param([7, *CONTEXT[1:]], 3 * BLOCK_TOKENS, id="another first token"),
        pytest.param(CONTEXT, 1, id="the last token is always read"),
    ],
)
def test_a_prompt_is_read_from_its_first_block_that_is_not_cached(second, tokens):
    assert first_and_second([*CONTEXT, 1, 2, 3], second) == (len(CONTEXT) + 3, tokens)


def test_prompts_that_run_together_do_not_share_what_they_read():
    cache = PrefixCache()
    assert cache.read([CONTEXT, CONTEXT]) == 2 * len(CONTEXT)
    assert cache.read([CONTEXT, [*CONTEXT, 7]]) == 2


def test_prompts_of_several_earlier_ones_share_the_longest_beginning():
    cache = PrefixCache()
    cache.read([CONTEXT[:BLOCK_TOKENS], CONTEXT[: 2 * BLOCK_TOKENS], [7] * BLOCK_TOKENS])
    assert cache.read([CONTEXT]) == BLOCK_TOKENS


def test_calls_are_joined_in_the_order_in_which_the_engine_ran_them():
    def state(*texts):
        first, *others = map(reply, texts)
        return {
            "steps": [
                {"node": "retrieve"},
                {"node": "generate", "replies": [first]},
                {"node": "refine", "replies": others},
            ]
        }

    rows = joined_calls([state("a1", "a2", "a3"), state("b1"), state("c1", "c2")])
    assert [[call["text"] for call in row] for row in rows] == [
        ["a1", "b1", "c1"],
        ["a2", "c2"],
        ["a3"],
    ]


def cells(table, row):
    return [list(column.cells)[row] for column in table.columns]


def test_the_table_has_figures_of_a_question_and_ratios_to_transformers():
    stock = Figures(4, 0, 80.0, 160.0, sent=4_000, read=4_000, new=400)
    fast = Figures(3, 1, 20.0, 32.0, sent=4_000, read=1_500, new=300)
    table = figures_table({"openvino": fast, "huggingface": stock})
    assert cells(table, 0) == [
        *("openvino", "3", "1", "5.0", "8.0", "4.00", "5.00"),
        *("1000", "375", "37.5%", "75", "15.0"),
    ]
    assert cells(table, 1) == [
        *("huggingface", "4", "0", "20.0", "40.0", "1.00", "1.00"),
        *("1000", "1000", "100.0%", "100", "5.0"),
    ]


def test_a_server_has_no_figures_where_it_reports_nothing():
    stock = Figures(1, 0, 10.0, 10.0, sent=10, read=10, new=10)
    server = Figures(1, 0, 5.0, None, sent=10, read=None, new=10)
    row = cells(figures_table({"huggingface": stock, "server": server}), 1)
    assert row[4] == row[6] == row[8] == row[9] == "none"


def test_an_engine_that_answers_nothing_has_no_share():
    failed = Figures(0, 2, 1.0, 1.0)
    row = cells(figures_table({"huggingface": failed}), 0)
    assert row[1:3] == ["0", "2"]
    assert row[9] == "none"
