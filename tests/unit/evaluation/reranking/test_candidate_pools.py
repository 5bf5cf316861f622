"""The candidates of recorded questions: from passages and from models, scored against the reference."""

import pytest

from evaluation.metrics.calibrated_judge import (
    CALIBRATED_JUDGE,
    SHIPPED,
    CalibratedJudge,
    Formula,
    load_judge,
)
from evaluation.reranking.candidate_pools import TARGETS, candidates_of, pools_of
from evaluation.store.recorded_run import read_run
from graph.support.errors import DatasetError
from graph.support.question_folds import FOLDS
from tests.fakes.candidate_pools import draft, passage
from tests.fakes.corpora import EMBEDDER, FakeEncoder
from tests.fakes.records import failed, record
from tests.fakes.run_folders import make_run

PASSAGES = [passage(1, "red pear tree"), passage(2, "green plum"), passage(3, "green plum")]
STEPS = [
    {"node": "generate", "candidates": [draft("a red fig"), draft("")]},
    {"node": "extract", "candidates": [draft("red pear tree", "passage", passage=1)]},
    # A record of an older version names no source.
    {"node": "refine", "candidates": [{"text": "an old fig", "reasoning": ""}]},
]


def recorded(index=0, **changes):
    fields = {"passages": PASSAGES, "steps": STEPS, "reference": "red pear"}
    return record(index, **{**fields, **changes})


def test_passages_come_first_and_equal_or_empty_texts_are_left_out():
    candidates = candidates_of(recorded())
    assert [candidate["text"] for candidate in candidates] == [
        "red pear tree",
        "green plum",
        "a red fig",
        "an old fig",
    ]
    assert [candidate.get("passage") for candidate in candidates] == [1, 2, None, None]


def test_only_answered_questions_with_a_reference_and_a_choice_have_a_pool(tmp_path):
    records = [
        recorded(0),
        failed(1),
        recorded(2, reference=""),
        recorded(3, passages=PASSAGES[:1], steps=[]),
    ]
    run = read_run(make_run(tmp_path / "run", records))
    (pool,) = pools_of([run], FakeEncoder(EMBEDDER), load_judge(SHIPPED).calibrated)
    assert len(pool.candidates) == len(pool.features) == len(pool.scores) == 4
    assert pool.scores[0]["ROUGE-1"] == pytest.approx(0.8)
    assert pool.scores[1]["ROUGE-1"] == 0.0
    assert all(set(TARGETS) <= row.keys() for row in pool.scores)
    assert pool.features[0]["rank"] == 1.0
    assert "rank" not in pool.features[2]


def test_a_question_of_two_runs_is_refused(tmp_path):
    runs = [read_run(make_run(tmp_path / name, [recorded()])) for name in "ab"]
    with pytest.raises(DatasetError, match="1 question more than once: name one run"):
        pools_of(runs, FakeEncoder(EMBEDDER), load_judge(SHIPPED).calibrated)


def test_the_signals_of_a_judge_are_measured(tmp_path):
    formula = Formula(-1.0, {"edit_similarity": 2.0})
    judge = CalibratedJudge(formula, (formula,) * FOLDS, frozenset())
    run = read_run(make_run(tmp_path / "run", [recorded()]))
    (pool,) = pools_of([run], FakeEncoder(EMBEDDER), judge)
    assert "edit_similarity" not in TARGETS
    assert [row[CALIBRATED_JUDGE.name] for row in pool.scores] == pytest.approx(
        [formula.score(row) for row in pool.scores]
    )
    assert len({row[CALIBRATED_JUDGE.name] for row in pool.scores}) > 1
