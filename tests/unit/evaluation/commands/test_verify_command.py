"""python -m evaluation verify: every figure is recomputed, and each that differs is named."""

import sys

import pytest

from evaluation import __main__ as cli
from evaluation.commands import verify_command as verify
from evaluation.metrics.registry import score_answers
from evaluation.metrics.semantic_similarity import semantic_similarity
from evaluation.store.checked_lines import encode
from evaluation.store.identity import digest
from tests.fakes.command_lines import run_evaluation
from tests.fakes.encoders import StubModel
from tests.fakes.fake_models import verdict
from tests.fakes.json_files import edited_json, edited_manifest
from tests.fakes.records import failed, record
from tests.fakes.run_folders import contents, key_of_run, make_run

REFERENCE = "Sort it with a key."


def metrics_of(answer):
    """Return the metrics of an answer, with a semantic similarity that no encoder measured."""
    [scores] = score_answers([answer], [REFERENCE])
    return {**scores, "semantic_similarity": 0.25}


def sound(index, **changes):
    """Return a record whose metrics follow from what it holds."""
    answer = f"Sort with key number {index}."
    judged = {
        "node": "judge",
        "seconds": 0.1,
        "verdicts": [verdict({"0": 0.5, "4": 0.5})],
        "score": 0.5,
    }
    fields = {
        "answer": answer,
        "reference": REFERENCE,
        "steps": [judged],
        "metrics": {**metrics_of(answer), "LLM_judge": 0.5},
    }
    return record(index, **{**fields, **changes})


def with_metric(index, name, value):
    changed = sound(index)
    changed["metrics"][name] = value
    return changed


@pytest.fixture
def verified(monkeypatch):
    """Run the command in a child process."""

    def start(folder, *, encoder=False):
        options = [] if encoder else ["--no-encoder"]
        return run_evaluation(monkeypatch, "verify", folder, *options)

    return start


@pytest.fixture
def folder(tmp_path):
    return make_run(tmp_path / "run", [sound(0), sound(1), failed(2)])


def test_a_sound_run_has_no_difference_and_stays_as_it_is(verified, folder):
    before = contents(folder)
    ended = verified(folder)
    assert (ended.code, ended.out) == (0, "")
    assert "opencoder: no difference: 3 records, 1 failed" in ended.err
    assert "semantic_similarity: not recomputed (--no-encoder)" in ended.err
    assert contents(folder) == before


@pytest.mark.parametrize("name", ["BLEU", "ROUGE-1", "ROUGE-L", "edit_similarity"])
def test_a_metric_that_the_answer_does_not_give_is_named(verified, tmp_path, name):
    folder = make_run(tmp_path / "run", [sound(0), with_metric(1, name, 0.987)])
    value = metrics_of(sound(1)["answer"])[name]
    ended = verified(folder)
    assert ended.code == 1
    assert ended.out == f"question 1: {name}: stored 0.987, recomputed {value}\n"
    assert "opencoder: 1 figure differs" in ended.err


def test_a_score_that_the_verdict_does_not_give_is_named(verified, tmp_path):
    folder = make_run(tmp_path / "run", [sound(0), with_metric(1, "LLM_judge", 0.75)])
    ended = verified(folder)
    assert ended.code == 1
    assert ended.out == "question 1: LLM_judge: stored 0.75, recomputed 0.5\n"


def test_the_judges_step_has_to_say_what_its_verdict_says(verified, tmp_path):
    changed = sound(1)
    changed["steps"][0]["score"] = 0.9
    ended = verified(make_run(tmp_path / "run", [sound(0), changed]))
    assert ended.code == 1
    assert ended.out == "question 1: score of the judge's step: stored 0.9, recomputed 0.5\n"


@pytest.mark.parametrize(
    ("step", "score"),
    [
        ({"verdicts": [verdict({"0": 0.1, "1": 0.2, "2": 0.3, "3": 0.4, "4": 0.0})]}, 0.5),
        ({"verdicts": [verdict(None, "3")]}, 0.75),
        ({"verdicts": [verdict(None, None)]}, None),
        ({"error": "ValueError: no"}, None),
    ],
)
def test_every_kind_of_verdict_is_recomputed(verified, tmp_path, step, score):
    steps = [{"node": "judge", "score": score, **step}]
    metrics = {**sound(0)["metrics"], "LLM_judge": score}
    right = make_run(tmp_path / "right", [sound(0, steps=steps, metrics=metrics)])
    assert verified(right).code == 0
    metrics = {**metrics, "LLM_judge": 0.3}
    wrong = make_run(tmp_path / "wrong", [sound(0, steps=steps, metrics=metrics)])
    assert verified(wrong).out == f"question 0: LLM_judge: stored 0.3, recomputed {score}\n"


def test_a_run_without_a_judge_has_no_score(verified, tmp_path):
    metrics = {**sound(0)["metrics"], "LLM_judge": None}
    folder = make_run(tmp_path / "run", [sound(0, steps=[], metrics=metrics)], judge=None)
    assert verified(folder).code == 0


def test_a_failed_question_has_no_metrics_and_an_answered_one_has_all(verified, tmp_path):
    one, other = failed(0), sound(1)
    one["metrics"] = {"BLEU": 0.5}
    missing = other["metrics"].pop("ROUGE-L")
    ended = verified(make_run(tmp_path / "run", [one, other], results=False))
    assert ended.code == 1
    assert ended.out.splitlines() == [
        "question 0: BLEU: stored 0.5, recomputed nothing",
        f"question 1: ROUGE-L: stored nothing, recomputed {missing}",
        "metrics.json: not recomputed: question 1 lacks a metric",
    ]


def test_figures_of_the_results_that_the_journal_does_not_give_are_named(verified, folder):
    with edited_json(folder / "metrics.json") as results:
        right = results["metrics"]["BLEU"]["mean"]
        results["metrics"]["BLEU"]["mean"] = 0.9
        results["metrics"]["BLEU"]["ci95"] = [0.1, 0.9]
        results["failed"] = 0
        del results["tokens"]
    ended = verified(folder)
    assert ended.code == 1
    lines = ended.out.splitlines()
    assert len(lines) == 4
    assert lines[0] == "metrics.json: failed: stored 0, recomputed 1"
    assert lines[1] == f"metrics.json: metrics: BLEU: mean: stored 0.9, recomputed {right}"
    assert lines[2] == "metrics.json: metrics: BLEU: ci95: stored [0.1, 0.9], recomputed None"
    assert lines[3].startswith("metrics.json: tokens: stored nothing, recomputed {")


def test_a_changed_summary_is_named_by_its_line(verified, folder):
    path = folder / "summary.md"
    text = path.read_text(encoding="utf-8")
    assert "3 questions, 1 failed" in text
    path.write_text(text.replace("1 failed", "0 failed"), encoding="utf-8")
    ended = verified(folder)
    assert ended.code == 1
    assert ended.out == (
        "summary.md: line 3: stored 3 questions, 0 failed, 0 empty answers., "
        "recomputed 3 questions, 1 failed, 0 empty answers.\n"
    )


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"n": NaN}'])
def test_results_that_are_no_results_are_a_difference(verified, folder, text):
    (folder / "metrics.json").write_text(text, encoding="utf-8")
    ended = verified(folder)
    assert ended.code == 1
    assert ended.out.startswith("metrics.json: ")
    assert "Traceback" not in ended.err


def test_missing_results_of_a_finished_run_are_a_difference(verified, folder):
    (folder / "metrics.json").unlink()
    ended = verified(folder)
    assert ended.code == 1
    assert ended.out == "metrics.json: cannot be read; the run's own command writes it again\n"


def test_an_unfinished_run_is_verified_as_far_as_it_is(verified, tmp_path):
    records = [sound(0), with_metric(1, "BLEU", 0.5)]
    folder = make_run(tmp_path / "run", records[:1], questions=4, results=False)
    ended = verified(folder)
    assert (ended.code, ended.out) == (0, "")
    assert "unfinished: 1 of 4 questions is done" in ended.err
    assert "metrics.json is not there: it is written at the run's end" in ended.err
    other = make_run(tmp_path / "other", records, questions=4, results=False)
    assert verified(other).out.startswith("question 1: BLEU: stored 0.5, recomputed ")


def test_an_identity_that_is_not_its_digest_is_one_line(verified, folder):
    with edited_manifest(folder) as manifest:
        manifest["identity"]["seed"] = 7
    ended = verified(folder)
    assert (ended.code, ended.out) == (2, "")
    assert "manifest.json: its identity does not have its digest: restore the file" in ended.err


def test_a_record_more_than_the_run_has_questions_is_refused(verified, tmp_path):
    ended = verified(make_run(tmp_path / "run", [sound(0), sound(1)], questions=1))
    assert (ended.code, ended.out) == (2, "")
    assert "line 2 is of question 1, and the run has the questions 0 to 0" in ended.err


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_line_whose_check_fails_is_refused_with_its_number(verified, tmp_path, number):
    """The last one too: here it is no interrupted write, since it is whole."""
    folder = make_run(tmp_path / "run", [sound(0), sound(1), sound(2)])
    path = folder / "journal.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    lines[number - 1] = lines[number - 1].replace(b"Sort with", b"Sort like")
    path.write_bytes(b"".join(lines))
    before = contents(folder)
    ended = verified(folder)
    assert (ended.code, ended.out) == (2, "")
    assert f"{path}: line {number} is damaged" in ended.err
    assert ended.err.count("\n") == 1
    assert contents(folder) == before


def test_a_torn_end_is_said_and_left(verified, tmp_path):
    folder = make_run(tmp_path / "run", [sound(0)], questions=2, results=False)
    with (folder / "journal.jsonl").open("ab") as file:
        file.write(encode(sound(1), key_of_run(folder).digest)[:-9])
    before = contents(folder)
    ended = verified(folder)
    assert (ended.code, ended.out) == (0, "")
    assert "line 2 was torn by an interrupted write" in ended.err
    assert contents(folder) == before


def test_a_folder_that_is_no_run_is_one_line(verified, tmp_path):
    ended = verified(tmp_path)
    assert (ended.code, ended.out) == (2, "")
    assert "is no run folder" in ended.err
    assert ended.err.count("\n") == 1


def test_other_versions_are_named(verified, folder, monkeypatch):
    monkeypatch.setattr(verify, "versions", lambda: {"nltk": "0.1", "new": "1"})
    assert "other versions than at the run's start: nltk, new" in verified(folder).err


def test_a_config_that_no_version_knows_is_one_line(verified, tmp_path):
    ended = verified(make_run(tmp_path / "run", [sound(0)]))
    assert ended.code == 0
    with edited_manifest(tmp_path / "run") as manifest:
        manifest["identity"]["config"]["retrieval"] = {"kind": "magic"}
        manifest["digest"] = digest(manifest["identity"])
    line = encode(sound(0), manifest["digest"])
    (tmp_path / "run" / "journal.jsonl").write_bytes(line)
    ended = verified(tmp_path / "run")
    assert ended.code == 2
    assert "this version does not know the manifest's config" in ended.err


def test_how_well_passages_were_found_is_recomputed_too(verified, tmp_path):
    passage = {
        "number": 1,
        "question_id": "7",
        "title": "t",
        "text": "x",
        "answer_chars": 1,
        "score": 1.0,
        "url": "",
        "licence": "",
    }
    retrieve = {"node": "retrieve", "seconds": 0.1, "passages": [passage]}
    retrieving = sound(0, passages=[passage], relevant_question_ids=["7"])
    retrieving["steps"] = [retrieve, *retrieving["steps"]]
    folder = make_run(tmp_path / "run", [retrieving], config="semantic")
    assert verified(folder).code == 0
    with edited_json(folder / "metrics.json") as results:
        assert results["retrieval"] is not None
        results["retrieval"] = None
    assert verified(folder).out.startswith("metrics.json: retrieval: stored None, recomputed {")


@pytest.fixture
def encoder(monkeypatch):
    """An encoder without weights in place of the manifest's; returns the specs it was asked for."""
    from graph.retrieval.encoder import Encoder

    specs = []

    def open_encoder(spec):
        specs.append(spec)
        stub = Encoder(spec)
        stub._model = StubModel()
        return stub

    monkeypatch.setattr(verify, "open_encoder", open_encoder)
    return specs


def test_similarities_are_recomputed_with_the_runs_own_encoder(
    encoder, tmp_path, monkeypatch, capsys
):
    from graph.schema import EmbedderSpec

    spec = EmbedderSpec(model="e")
    answers = [sound(index)["answer"] for index in range(3)]
    right = semantic_similarity(answers, [REFERENCE] * 3, verify.open_encoder(spec))
    shifts = [0.0, 0.0009, -0.0011]
    records = [
        with_metric(index, "semantic_similarity", right[index] + shift)
        for index, shift in enumerate(shifts)
    ]
    folder = make_run(tmp_path / "run", [*records, failed(3)])
    monkeypatch.setattr(sys, "argv", ["evaluation", "verify", str(folder)])
    assert cli.main() == 1
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith(f"question 2: semantic_similarity: stored {right[2] - 0.0011}")
    assert set(encoder) == {spec}


def test_an_encoder_of_8_bits_may_differ_by_more(encoder, tmp_path, monkeypatch, capsys):
    from graph.schema import EmbedderSpec

    spec = EmbedderSpec(model="e")
    answers = [sound(index)["answer"] for index in range(2)]
    right = semantic_similarity(answers, [REFERENCE] * 2, verify.open_encoder(spec))
    records = [
        with_metric(index, "semantic_similarity", right[index] + shift)
        for index, shift in enumerate([0.009, 0.011])
    ]
    embedder = {"model": "e", "revision": None, "engine": "huggingface", "dtype": "int8_bfloat16"}
    folder = make_run(tmp_path / "run", records, embedder=embedder)
    monkeypatch.setattr(sys, "argv", ["evaluation", "verify", str(folder)])
    assert cli.main() == 1
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith("question 1: semantic_similarity")


def test_without_the_encoder_none_is_opened(encoder, folder, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["evaluation", "verify", str(folder), "--no-encoder"])
    assert cli.main() == 0
    assert encoder == []


def test_an_encoder_that_no_version_knows_is_one_line(verified, tmp_path):
    folder = make_run(tmp_path / "run", [sound(0)], embedder={"model": "e", "engine": "magic"})
    ended = verified(folder, encoder=True)
    assert (ended.code, ended.out) == (2, "")
    assert "the manifest names no encoder that this version knows" in ended.err


def with_drafts(index, **changes):
    """Return a record of two scored drafts, the second of them chosen."""
    drafts = [{"text": text, "reasoning": ""} for text in ("Sort it.", sound(index)["answer"])]
    steps = [
        {"node": "generate", "candidates": drafts, "answer": drafts[0]["text"]},
        *sound(index)["steps"],
    ]
    scores = [
        {
            "step": 0,
            "candidate": draft_index,
            "metrics": metrics_of(draft["text"]),
        }
        for draft_index, draft in enumerate(drafts)
    ]
    return sound(index, steps=steps, candidates=scores, **changes)


def test_the_scores_of_drafts_are_recomputed(verified, tmp_path):
    right = make_run(tmp_path / "right", [with_drafts(0)])
    assert verified(right).code == 0
    changed = with_drafts(0)
    changed["candidates"][0]["metrics"]["BLEU"] = 0.987
    ended = verified(make_run(tmp_path / "wrong", [changed]))
    value = metrics_of("Sort it.")["BLEU"]
    assert ended.code == 1
    line = f"question 0: candidates: 0: metrics: BLEU: stored 0.987, recomputed {value}"
    assert ended.out.splitlines() == [line]


def test_a_draft_without_its_scores_is_named(verified, tmp_path):
    changed = with_drafts(0)
    changed["candidates"].pop()
    ended = verified(make_run(tmp_path / "run", [changed]))
    assert ended.code == 1
    assert "question 0: candidates" in ended.out


@pytest.mark.parametrize(
    "changes",
    [
        {"candidates": [{}]},
        {"candidates": [1]},
        {"steps": [{"node": "generate", "candidates": [{}]}]},
        {"steps": [{"node": "judge", "verdicts": [{}]}]},
        {"metrics": {}},
    ],
)
def test_records_of_another_shape_are_one_line(verified, tmp_path, changes):
    ended = verified(make_run(tmp_path / "run", [sound(0, **changes)], results=False))
    assert ended.code in (1, 2)
    assert "Traceback" not in ended.err
    assert (ended.code == 2) == ("line 1 holds no record of a question (" in ended.err)
