"""Verdicts: the options' own tokens are scored, from where they part from the prompt."""

import math
from hashlib import sha256

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from graph.models.batching import check_options
from graph.models.verdict import normalise, parse_choice, plan_scoring
from tests.fakes.properties import examples

GRADES = ("0", "1", "2", "3", "4")


class GreedyTokenizer:
    """Takes the longest known piece at each position, as BPE does: tokens merge across a border."""

    def __init__(self, pieces: list[str]) -> None:
        self.ids = {piece: number for number, piece in enumerate(pieces)}
        self.longest = max(map(len, pieces))

    def encode(self, text: str) -> list[int]:
        tokens, position = [], 0
        while position < len(text):
            for length in range(self.longest, 0, -1):
                piece = text[position : position + length]
                if piece in self.ids:
                    tokens.append(self.ids[piece])
                    position += length
                    break
            else:
                raise AssertionError(f"no piece for {text[position:]!r}")
        return tokens


def logprob(row: tuple[int, ...], position: int, token: int) -> float:
    """Invent the log-probability of a token after the first `position` tokens of a row."""
    digest = sha256(repr((row[:position], token)).encode()).digest()
    return -int.from_bytes(digest[:2], "big") / 6553.6


def scores(scoring) -> list[float]:
    return [
        sum(logprob(scoring.rows[row], position, token) for row, position, token in term)
        for term in scoring.terms
    ]


# --- plan_scoring


def test_options_of_one_token_share_one_row():
    scoring = plan_scoring([5, 6, 7], [[5, 6, 7, 1], [5, 6, 7, 2], [5, 6, 7, 3]])
    assert scoring.rows == [(5, 6, 7)]
    assert scoring.terms == [[(0, 3, 1)], [(0, 3, 2)], [(0, 3, 3)]]


def test_options_of_several_tokens_are_scored_token_by_token():
    scoring = plan_scoring([5, 6], [[5, 6, 1, 2], [5, 6, 3]])
    assert scoring.rows == [(5, 6, 1), (5, 6)]
    assert scoring.terms == [[(0, 2, 1), (0, 3, 2)], [(1, 2, 3)]]


def test_a_token_that_merges_with_the_prompts_last_is_scored_from_before_it():
    scoring = plan_scoring([5, 6, 7], [[5, 6, 71], [5, 6, 72]])
    assert scoring.rows == [(5, 6)]
    assert scoring.terms == [[(0, 2, 71)], [(0, 2, 72)]]


def test_all_options_are_scored_from_the_same_position_if_one_merges():
    scoring = plan_scoring([5, 6, 7], [[5, 6, 71], [5, 6, 7, 2]])
    assert scoring.terms == [[(0, 2, 71)], [(1, 2, 7), (1, 3, 2)]]
    assert scoring.rows == [(5, 6), (5, 6, 7)]


def test_an_option_that_begins_another_is_scored_by_its_own_tokens():
    scoring = plan_scoring([5], [[5, 1], [5, 1, 0]])
    assert scoring.rows == [(5,), (5, 1)]
    assert scoring.terms == [[(0, 1, 1)], [(1, 1, 1), (1, 2, 0)]]


def test_an_option_swallowed_by_the_common_part_still_has_a_term():
    scoring = plan_scoring([5, 6, 7], [[5, 6], [5, 6, 7, 8]])
    assert scoring.terms[0] == [(0, 1, 6)]
    assert all(scoring.terms)


hostile_options = given(
    st.lists(st.text("AB 01", min_size=1, max_size=4), min_size=2, max_size=6, unique=True),
    st.text("AB 01.\n", min_size=1, max_size=12),
    st.lists(st.text("AB 01.\n", min_size=2, max_size=4), max_size=12),
)
"""Options, a prompt, and the merges of a tokenizer that joins characters across their border."""


@hostile_options
@examples(200)
def test_any_options_get_probabilities_that_sum_to_one(options, prompt, merges):
    tokenizer = GreedyTokenizer(sorted({*"AB 01.\n", *merges}))
    encoded = tokenizer.encode(prompt)
    continued = [tokenizer.encode(prompt + option) for option in options]
    assume(all(len(tokens) > 1 for tokens in continued))
    scoring = plan_scoring(encoded, continued)
    for tokens, term in zip(continued, scoring.terms, strict=True):
        positions = [scored.position for scored in term]
        assert positions == list(range(positions[0], len(tokens)))
        for row, position, token in term:
            assert scoring.rows[row][:position] == tuple(tokens[:position])
            assert tokens[position] == token
    logprobs = scores(scoring)
    distribution = normalise(options, logprobs)
    assert math.fsum(distribution.probabilities.values()) == pytest.approx(1.0, abs=1e-9)
    assert distribution.choice == options[logprobs.index(max(logprobs))]
    best = max(distribution.probabilities.values())
    assert distribution.probabilities[distribution.choice] == best


@hostile_options
@examples(200)
def test_options_are_compared_by_what_follows_the_part_they_all_share(options, prompt, merges):
    tokenizer = GreedyTokenizer(sorted({*"AB 01.\n", *merges}))
    encoded = tokenizer.encode(prompt)
    continued = [tokenizer.encode(prompt + option) for option in options]
    shared = 0
    while all(tokens[shared : shared + 1] == encoded[shared : shared + 1] for tokens in continued):
        shared += 1
        if shared == len(encoded):
            break
    assume(shared > 0)
    assume(all(len(tokens) > shared for tokens in continued))
    by_hand = [
        sum(logprob(tuple(tokens), i, tokens[i]) for i in range(shared, len(tokens)))
        for tokens in continued
    ]
    assert scores(plan_scoring(encoded, continued)) == pytest.approx(by_hand)


# --- normalise


def test_probabilities_are_shares_of_the_mass_of_all_options():
    distribution = normalise(("A", "B"), [math.log(0.3), math.log(0.1)])
    assert distribution.choice == "A"
    assert distribution.probabilities == pytest.approx({"A": 0.75, "B": 0.25})
    assert distribution.mass == pytest.approx(0.4)


def test_very_small_probabilities_are_told_apart():
    distribution = normalise(("A", "B"), [-2000.0, -2001.0])
    assert distribution.probabilities["A"] == pytest.approx(1 / (1 + math.exp(-1)))
    assert distribution.mass == 0.0


def test_the_first_of_equals_is_chosen():
    assert normalise(("B", "A"), [-1.0, -1.0]).choice == "B"


def test_an_impossible_option_gets_nothing():
    distribution = normalise(("A", "B"), [-math.inf, -3.0])
    assert distribution.choice == "B"
    assert distribution.probabilities == {"A": 0.0, "B": 1.0}
    assert distribution.mass == pytest.approx(math.exp(-3))


def test_options_that_are_all_impossible_are_equal_and_have_no_mass():
    distribution = normalise(GRADES, [-math.inf] * 5)
    assert distribution.choice == "0"
    assert distribution.probabilities == pytest.approx(dict.fromkeys(GRADES, 0.2))
    assert distribution.mass == 0.0


@pytest.mark.parametrize("index", [0, 1])
def test_nan_is_an_error_and_no_choice(index):
    values = [-1.0, -2.0]
    values[index] = math.nan
    with pytest.raises(ValueError, match="NaN instead of probabilities"):
        normalise(("A", "B"), values)


def test_mass_is_never_more_than_one():
    assert normalise(("A", "B"), [math.log(0.7), math.log(0.30001)]).mass == 1.0


@given(st.lists(st.floats(-1e6, 0.0) | st.just(-math.inf), min_size=2, max_size=9))
@examples(300)
def test_any_log_probabilities_become_a_distribution(values):
    options = [f"option {number}" for number in range(len(values))]
    distribution = normalise(options, values)
    assert list(distribution.probabilities) == options
    assert math.fsum(distribution.probabilities.values()) == pytest.approx(1.0, abs=1e-9)
    assert distribution.choice == options[values.index(max(values))]
    assert 0.0 <= distribution.mass <= 1.0


# --- check_options


@pytest.mark.parametrize(
    "options", [(), ("A",), ("A", "A"), ("A", "B", "A"), ("A", ""), ("", "B"), ("", "")]
)
def test_options_that_are_too_few_alike_or_empty_are_refused(options):
    with pytest.raises(ValueError, match="two or more different texts"):
        check_options(options)


@pytest.mark.parametrize("options", [("A", "B"), GRADES, ("yes", "no"), ("A", " A"), ("a", "A")])
def test_different_options_pass(options):
    assert check_options(options) is None


# --- parse_choice


@pytest.mark.parametrize(
    ("reply", "choice"),
    [
        ("A", "A"),
        (" b ", "B"),
        ("A.", "A"),
        ("(B)", "B"),
        ("[A]", "A"),
        ("**B**", "B"),
        ("'A'", "A"),
        ('"B".\n', "B"),
        ("`A`", "A"),
        ("A:", "A"),
        ("<think>\nB names the cause.\n</think>\n\nA", "A"),
        ("Answer: A", "A"),
        ("Assistant: b", "B"),
        ("B\n\nUser: thanks, and how do I sort it?", "B"),
    ],
)
def test_a_reply_that_is_an_option_is_read(reply, choice):
    assert parse_choice(reply, ("A", "B")) == choice


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "  ",
        "C",
        "AB",
        "A or B",
        "Answer A",
        "A is better",
        "A\nB",
        "A, B",
        "not A",
        "\\boxed{A}",
        "A" * 100_000,
    ],
    ids=range(12),
)
def test_a_reply_that_is_not_exactly_an_option_is_unreadable(reply):
    assert parse_choice(reply, ("A", "B")) is None


@pytest.mark.parametrize(
    ("reply", "grade"),
    [
        ("3", "3"),
        ("0", "0"),
        ("3.", "3"),
        ("3.5", None),
        ("10", None),
        ("-1", None),
        ("4/4", None),
        ("Grade: 4", None),
        ("four", None),
    ],
)
def test_a_grade_in_text_is_one_digit(reply, grade):
    assert parse_choice(reply, GRADES) == grade


def test_options_that_read_alike_cannot_be_told_apart():
    assert parse_choice("a", ("A", "a")) is None


@given(st.text(st.characters(codec=None), max_size=60))
@examples(300)
def test_any_reply_is_read_as_an_option_or_not_at_all(reply):
    choice = parse_choice(reply, ("yes", "no"))
    assert choice in {"yes", "no", None}
    if choice is not None:
        assert choice in reply.casefold()
