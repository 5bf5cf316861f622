"""The flags of eval.py: what the original's mean here, and which do not go together."""

from itertools import product
from pathlib import Path

import pytest

from evaluation.answering.flags import (
    DEFAULT,
    SelectedConfig,
    listing,
    parser,
    selected,
)
from graph.config import config_names, load_settings
from graph.support.errors import ConfigError
from graph.support.worker_options import PoolOptions, pool_options

ORIGINAL = ("baseline", "semantic_rag", "keyword_rag", "cot", "rerank_initial", "rerank_refined")
BOTH = ["rerank.refined=true"]
MEANING = {
    (): ("", []),
    ("cot",): ("_cot", []),
    ("rerank_initial",): ("_rerank_initial", []),
    ("rerank_refined",): ("_rerank_refined", []),
    ("cot", "rerank_initial"): ("_cot_rerank_initial", []),
    ("cot", "rerank_refined"): ("_cot_rerank_refined", []),
    ("rerank_initial", "rerank_refined"): ("_rerank_initial", BOTH),
    ("cot", "rerank_initial", "rerank_refined"): ("_cot_rerank_initial", BOTH),
}
LEGAL = {
    ("baseline",): SelectedConfig("baseline", []),
    **{
        (f"{kind}_rag", *rest): SelectedConfig(kind + name, overrides)
        for kind in ("semantic", "keyword")
        for rest, (name, overrides) in MEANING.items()
    },
}
COMBINATIONS = [
    tuple(name for name, used in zip(ORIGINAL, choice, strict=True) if used)
    for choice in product([False, True], repeat=len(ORIGINAL))
]


def parse(*arguments):
    return parser().parse_args(list(map(str, arguments)))


def chosen(*arguments):
    return selected(parse(*arguments))


def refusal(*arguments):
    with pytest.raises(ConfigError) as caught:
        chosen(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_all_combinations_are_considered():
    assert len(COMBINATIONS) == 64
    assert len(LEGAL) == 17
    assert set(LEGAL) < set(COMBINATIONS)


def test_each_combination_means_one_config():
    for combination, meaning in LEGAL.items():
        flags = [f"--{name}" for name in combination]
        assert chosen(*flags) == [meaning]
        assert chosen(*reversed(flags)) == [meaning]


def test_the_config_that_is_meant_does_what_the_flags_say():
    kinds = {"baseline": "none", "semantic_rag": "semantic", "keyword_rag": "keyword"}
    for combination, meaning in LEGAL.items():
        config = load_settings(meaning.name, "embedded", meaning.overrides).config
        assert config.retrieval.kind == kinds[combination[0]]
        assert config.generation.cot == ("cot" in combination)
        assert config.rerank.initial == ("rerank_initial" in combination)
        assert config.rerank.refined == ("rerank_refined" in combination)


def test_every_other_combination_is_refused_with_the_reason():
    forbidden = [c for c in COMBINATIONS if c and c not in LEGAL]
    assert len(forbidden) == 64 - 1 - 17
    for combination in forbidden:
        if "baseline" in combination:
            reason = f"--baseline goes with no other flag: drop it or --{combination[1]}"
        elif "semantic_rag" in combination:
            reason = "--semantic_rag and --keyword_rag exclude each other: give one"
        else:
            reason = f"--{combination[0]} needs passages: add --semantic_rag or --keyword_rag"
        assert refusal(*(f"--{name}" for name in combination)) == reason


def test_no_flag_at_all_means_the_default():
    assert chosen() == [SelectedConfig(DEFAULT, [])]
    assert DEFAULT in config_names()


def test_several_configs_are_run_one_after_another():
    assert chosen("--config", "baseline, semantic") == [
        SelectedConfig("baseline", []),
        SelectedConfig("semantic", []),
    ]


def test_all_means_every_config_and_none_runs_twice():
    assert [selection.name for selection in chosen("--config", "all")] == config_names()
    assert chosen("--config", "semantic,baseline,semantic") == [
        SelectedConfig("semantic", []),
        SelectedConfig("baseline", []),
    ]


def test_a_config_may_come_from_a_file():
    assert chosen("--config-file", "own.yaml") == [SelectedConfig(Path("own.yaml"), [])]


@pytest.mark.parametrize(
    ("arguments", "other"),
    [
        (("--config", "semantic", "--cot"), "--cot"),
        (("--config", "baseline", "--baseline"), "--baseline"),
        (("--config-file", "x.yaml", "--semantic_rag", "--cot"), "--semantic_rag"),
        (("--config", "semantic", "--config-file", "x.yaml"), "--config-file"),
    ],
)
def test_a_config_and_the_original_flags_exclude_each_other(arguments, other):
    assert refusal(*arguments) == f"give --config or {other}, not both"


@pytest.mark.parametrize("spelling", ["--batch_size", "--batch-size"])
def test_the_batch_size_may_be_spelled_both_ways(spelling):
    assert parse(spelling, "3").batch_size == 3


@pytest.mark.parametrize("flag", ["--limit", "--batch_size"])
@pytest.mark.parametrize("value", ["0", "-1", "1.5", "many", "", "1e3", "٣", "9" * 5_000])
def test_a_count_is_a_whole_number_above_zero(flag, value):
    assert refusal(f"{flag}={value}").startswith(f"argument {flag}")


@pytest.mark.parametrize(
    ("flag", "advice"),
    [
        ("--configs", "did you mean --config?"),
        ("--lim", "did you mean --limit?"),
        ("--semantic", "did you mean --semantic_rag?"),
        ("--semantic-rag", "did you mean --semantic_rag?"),
        ("--verbose", "see --help"),
        ("extra", "see --help"),
    ],
)
def test_an_unknown_flag_is_refused_with_a_suggestion_and_never_guessed(flag, advice):
    assert refusal(flag) == f"unrecognized arguments: {flag}; {advice}"


def test_overrides_may_be_given_together_or_one_by_one():
    together = parse("--set", "a.b=1", "c.d=2", "--set", "e.f=3")
    assert together.set == ["a.b=1", "c.d=2", "e.f=3"]
    assert parse().set == []


def test_the_listing_names_every_config_once():
    assert listing().split() == config_names()
    assert len(config_names()) == len(set(config_names()))
    assert config_names()[0] == "baseline"


@pytest.mark.parametrize("arguments", [(), ("--workers", "1")])
def test_one_worker_is_this_process(arguments):
    assert pool_options(parse(*arguments)) is None


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--workers", "3"), PoolOptions(3)),
        (("--workers", "1", "--ray-address", "auto"), PoolOptions(1, "auto")),
        (("--workers=4", "--gpus-per-worker=0.5"), PoolOptions(4, None, 0.5)),
        (("--workers=1", "--gpus-per-worker=1"), PoolOptions(1, None, 1.0)),
        (("--workers=4", "--gpus-per-worker=2"), PoolOptions(4, None, 2.0)),
    ],
)
def test_workers_have_machines_and_gpus(arguments, expected):
    assert pool_options(parse(*arguments)) == expected


@pytest.mark.parametrize("flag", ["--ray-address=auto", "--gpus-per-worker=1"])
def test_options_of_workers_need_their_number(flag):
    with pytest.raises(
        ConfigError, match=f"{flag.partition('=')[0]} is about workers: also give --w"
    ):
        pool_options(parse(flag))


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "nan", "inf", "two", ""])
def test_gpus_are_whole_or_a_share_of_one(value):
    assert refusal(f"--gpus-per-worker={value}").startswith("argument --gpus-per-worker")
