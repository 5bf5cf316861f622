"""The headroom of choosing among drafts, with values worked out by hand."""

import json

import pytest

from evaluation.analysis.headroom import choices, headroom
from evaluation.metrics.registry import STAGE_METRICS
from nodes.choice import parse_preference
from tests.fakes.command_lines import run_evaluation
from tests.fakes.fake_models import LengthScorer, verdict
from tests.fakes.records import failed, record
from tests.fakes.run_folders import make_run


def chosen(index: int, texts, scores, *, straight=None, swapped=None, picked=0, **more):
    """Return a record that chose among drafts, asked in two orders for each pair."""
    step = {
        "node": "rerank_drafts",
        "candidates": [{"text": text, "reasoning": ""} for text in texts],
        "chosen": picked,
        "answer": texts[picked],
        **more,
    }
    if straight is not None:
        pairs = [(a, b) for a in range(len(texts)) for b in range(a + 1, len(texts))]
        verdicts = [
            verdict(
                None if share is None else {"A": share, "B": 1 - share},
                *([None] if share is None else []),
            )
            for both in zip(straight, swapped, strict=True)
            for share in both
        ]
        step["verdicts"] = verdicts
        step["preferences"] = [
            parse_preference(pair, verdicts[2 * index], verdicts[2 * index + 1])
            for index, pair in enumerate(pairs)
        ]
    candidates = [
        {"step": 0, "candidate": index, "metrics": dict.fromkeys(STAGE_METRICS, score)}
        for index, score in enumerate(scores)
    ]
    return record(index, steps=[step], candidates=candidates, answer=texts[picked])


# Two drafts. Straight: A (the first) with .8; swapped: A (now the second) with .6, so B with .4.
ONE = chosen(0, ["x y", "z"], [0.2, 0.6], straight=[0.8], swapped=[0.6], picked=0)
# Both orders name the second.
TWO = chosen(1, ["x", "y"], [0.1, 0.5], straight=[0.3], swapped=[0.9], picked=1)


def test_each_way_of_choosing_by_hand():
    first, second = choices([ONE, TWO])["rerank_drafts"]
    assert first.picks == {
        "first candidate": 0,
        "consensus": 0,
        "model, one order": 0,
        "model, other order": 1,
        "model, both orders": 0,
    }
    assert first.disagreeing == [True]
    assert second.picks["model, one order"] == second.picks["model, other order"] == 1
    assert second.disagreeing == [False]


def test_shares_of_the_headroom_by_hand():
    by_way = headroom(choices([ONE, TWO])["rerank_drafts"])["metrics"]["ROUGE-1"]
    means = {way: captured["score"]["mean"] for way, captured in by_way.items()}
    assert means == pytest.approx(
        {
            "random pick": 0.35,
            "first candidate": 0.15,
            "consensus": 0.15,
            "model, one order": 0.35,
            "model, other order": 0.55,
            "model, both orders": 0.35,
            "best of n": 0.55,
        }
    )
    shares = {way: captured["share"]["mean"] for way, captured in by_way.items()}
    assert shares == pytest.approx(
        {
            "random pick": 0,
            "first candidate": -1,
            "consensus": -1,
            "model, one order": 0,
            "model, other order": 1,
            "model, both orders": 0,
            "best of n": 1,
        }
    )
    assert by_way["best of n"]["share"] == {"mean": 1.0, "ci95": None}
    low, high = by_way["model, both orders"]["share"]["ci95"]
    assert low <= 0 <= high


def test_flips_and_consensus_against_the_model_by_hand():
    result = headroom(choices([ONE, TWO])["rerank_drafts"])
    assert (result["pairs_flipped"]["mean"], result["pairs_flipped"]["n"]) == (0.5, 2)
    assert result["picks_flipped"]["mean"] == 0.5
    assert result["candidates"] == {"2": 2}
    against = result["consensus_minus_model"]["BLEU"]
    assert against["n"] == 2
    assert against["mean_difference"] == pytest.approx(-0.2)  # (0, -.4)


def test_consensus_is_worked_out_where_the_model_chose():
    one = chosen(0, ["a b", "a c", "x"], [0.1, 0.2, 0.3], picked=2)
    assert choices([one])["rerank_drafts"][0].picks == {"first candidate": 0, "consensus": 0}
    two = chosen(0, ["x", "a b", "a b c"], [0.1, 0.2, 0.3], picked=2)
    assert choices([two])["rerank_drafts"][0].picks["consensus"] == 1


def test_likelihood_is_shown_where_it_chose():
    one = chosen(0, ["a", "b"], [0.1, 0.2], picked=1, likelihoods=[{"mean_logprob": -2.0}])
    result = headroom(choices([one])["rerank_drafts"])
    assert result["metrics"]["BLEU"]["likelihood"]["score"]["mean"] == 0.2
    assert result["consensus_minus_model"] == {}
    assert result["pairs_flipped"]["n"] == 0


def test_verdicts_that_cannot_be_read_flip_nothing():
    one = chosen(0, ["a", "b"], [0.1, 0.2], straight=[None], swapped=[0.9])
    result = headroom(choices([one])["rerank_drafts"])
    assert (result["pairs_flipped"]["n"], result["pairs_flipped"]["unscored"]) == (0, 1)


def test_drafts_that_score_the_same_leave_no_headroom():
    result = headroom(choices([chosen(0, ["a", "b"], [0.3, 0.3])])["rerank_drafts"])
    for captured in result["metrics"]["BLEU"].values():
        assert captured["share"] == {"mean": None, "ci95": None}


def test_a_question_with_an_unscored_draft_is_unscored():
    result = headroom(choices([ONE, chosen(1, ["a", "b"], [None, 0.3])])["rerank_drafts"])
    score = result["metrics"]["BLEU"]["best of n"]["score"]
    assert (score["mean"], score["n"], score["unscored"]) == (0.6, 1, 1)


def test_the_scores_of_the_run_decide_where_it_was_learned():
    scores = [{"score": s, "features": {"question_cosine": c}} for s, c in ((1.0, 0.9), (2.0, 0.1))]
    learned = chosen(0, ["x", "y"], [0.2, 0.6], picked=1)
    learned["steps"][0]["scores"] = scores
    (choice,) = choices([learned])["rerank_drafts"]
    assert (choice.picks["learned"], choice.picks["nearest to the question"]) == (1, 0)
    (other,) = choices([ONE], LengthScorer())["rerank_drafts"]
    assert other.picks["learned"] == 0


# --- the command


def run_headroom(monkeypatch, *arguments):
    return run_evaluation(monkeypatch, "headroom", "--no-encoder", *arguments)


def test_the_command_prints_a_table_and_says_what_it_means(tmp_path, monkeypatch):
    folder = make_run(tmp_path / "a", [ONE, TWO, failed(2)], config="semantic_rerank_initial")
    code, out, _ = run_headroom(monkeypatch, folder)
    assert code == 0
    assert "rerank_drafts: 2 questions (2 with 2 candidates)" in out
    assert "questions whose pick depends on the order: 50%" in out
    assert "best of n" in out


def test_json_is_one_document(tmp_path, monkeypatch):
    folder = make_run(tmp_path / "a", [ONE, TWO], config="semantic_rerank_initial")
    code, out, _ = run_headroom(monkeypatch, folder, "--json")
    result = json.loads(out)["runs"][str(folder)]["rerank_drafts"]
    assert code == 0
    assert result["metrics"]["ROUGE-L"]["best of n"]["score"]["mean"] == pytest.approx(0.55)


def test_a_run_that_chose_nothing_is_refused(tmp_path, monkeypatch):
    folder = make_run(tmp_path / "a", [record(0)], config="semantic")
    code, out, err = run_headroom(monkeypatch, folder)
    assert (code, out) == (2, "")
    assert len(err.strip().split("\n")) == 1
    assert "chose among no drafts" in err
