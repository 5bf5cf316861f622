"""python -m evaluation compare: run folders in, a table or one JSON document out."""

import json
import sys
from dataclasses import replace
from functools import partial

import pytest
from scipy.stats import t

from evaluation import __main__ as cli
from evaluation.analysis.comparison import unlike_fields
from evaluation.metrics.registry import METRIC_NAMES
from evaluation.store.identity import SCHEMA
from evaluation.store.recorded_run import read_run
from graph.support.errors import ConfigError, DatasetError
from tests.fakes.command_lines import evaluation_document, run_evaluation
from tests.fakes.json_files import edited_manifest
from tests.fakes.records import failed, record
from tests.fakes.run_folders import contents, identity, make_run, scored
from tests.fakes.waiting import at_most_cpu_seconds

FIELDS = [
    "a",
    "b",
    "metric",
    "n",
    "unscored",
    "failed",
    "mean_a",
    "mean_b",
    "mean_difference",
    "ci95",
    "p",
    "p_holm",
    "test",
    "effect",
    "better",
    "equal",
    "worse",
    "smallest_detectable",
    "distinguishable",
]
B = [0.2, 0.3, 0.4, 0.5, 0.6]
A = [0.3, 0.5, 0.4, 0.9, 0.5]
"""A - B is .1 .2 0 .4 -.1: mean .12."""


@pytest.fixture
def compared(monkeypatch, capsys):
    """Run the command with --json in this process and return its document."""

    return partial(evaluation_document, monkeypatch, capsys, "compare")


@pytest.fixture
def run(monkeypatch):
    """Run the command in a child process."""
    return partial(run_evaluation, monkeypatch, "compare")


@pytest.fixture
def two(tmp_path):
    return [
        make_run(tmp_path / "b", scored(B), config="keyword"),
        make_run(tmp_path / "a", scored(A), config="semantic"),
    ]


def rename(folder, config):
    with edited_manifest(folder) as manifest:
        manifest["config"] = config


def all_but(metric):
    return [name for name in METRIC_NAMES if name != metric]


def row_of(document, metric="BLEU", a=None):
    [row] = [r for r in document["pairs"] if r["metric"] == metric and a in (None, r["a"])]
    return row


def test_the_figures_by_hand(compared, two):
    document = compared(*two)
    assert [row["metric"] for row in document["pairs"]] == list(METRIC_NAMES)
    row = row_of(document)
    assert sorted(row) == sorted(FIELDS)
    assert (row["a"], row["b"], row["n"]) == ("semantic", "keyword", 5)
    assert (row["unscored"], row["failed"], row["test"]) == (0, 0, "permutation")
    assert row["mean_a"] == pytest.approx(0.52)
    assert row["mean_b"] == pytest.approx(0.40)
    assert row["mean_difference"] == pytest.approx(0.12)
    assert [row["better"], row["equal"], row["worse"]] == pytest.approx([0.6, 0.2, 0.2])
    # Squares of the deviations: .0004 .0064 .0144 .0784 .0484, together .148, over 4.
    spread = 0.037**0.5
    assert row["effect"] == pytest.approx(0.12 / spread)
    assert row["smallest_detectable"] == pytest.approx(2.8016 * spread / 5**0.5, rel=1e-4)
    low, high = row["ci95"]
    assert low < 0.12 < high
    # Of the 16 sign patterns of .1 .2 .4 .1 (the 0 has two), sums of .6 or more: .6 twice and .8.
    assert row["p"] == pytest.approx(2 * 3 / 16)
    assert row["p_holm"] == 1.0
    assert row["distinguishable"] is False
    assert document["notes"] == []
    assert document["runs"][1] == {
        "name": "semantic",
        "folder": str(two[1]),
        "config": "semantic",
        "profile": "embedded",
        "questions": 5,
        "finished": 5,
        "failed": 0,
    }


def test_the_run_named_first_is_b_in_every_pair(compared, tmp_path):
    folders = [
        make_run(tmp_path / name, scored([value, value + 0.1, value]), config=name)
        for name, value in (("x", 0.1), ("y", 0.4), ("z", 0.2))
    ]
    document = compared(*folders)
    pairs = list(dict.fromkeys((row["a"], row["b"]) for row in document["pairs"]))
    assert pairs == [("y", "x"), ("z", "x"), ("z", "y")]
    means = {
        (r["a"], r["b"]): r["mean_difference"] for r in document["pairs"] if r["metric"] == "BLEU"
    }
    assert means == pytest.approx({("y", "x"): 0.3, ("z", "x"): 0.1, ("z", "y"): -0.2})


def test_holm_is_over_the_whole_table(compared, tmp_path):
    folders = [
        make_run(
            tmp_path / f"{n}", scored([(i % 5) / 10 + n / 10 for i in range(12)]), config=f"c{n}"
        )
        for n in range(3)
    ]
    document = compared(*folders)
    # 3 pairs of runs, each with all 12 differences above 0 by every metric.
    tests = 3 * len(METRIC_NAMES)
    assert {row["p"] for row in document["pairs"]} == {2 / 2**12}
    assert [row["p_holm"] for row in document["pairs"]] == pytest.approx(
        [tests * 2 / 2**12] * tests
    )
    assert all(row["distinguishable"] for row in document["pairs"])


def test_right_and_wrong_get_mcnemars_test(compared, tmp_path):
    ours = [1.0] * 8 + [0.0] + [1.0] * 3
    theirs = [0.0] * 8 + [1.0] + [1.0] * 3
    document = compared(
        make_run(tmp_path / "b", scored(theirs), config="b"),
        make_run(tmp_path / "a", scored(ours), config="a"),
    )
    row = row_of(document)
    assert (row["test"], row["p"]) == ("mcnemar", pytest.approx(2 * 10 / 512))
    assert [row["better"], row["equal"], row["worse"]] == pytest.approx([8 / 12, 3 / 12, 1 / 12])


def test_unscored_and_failed_questions_are_counted_and_in_no_mean(compared, tmp_path):
    ours = [*scored([0.3, 0.4, None, 0.6]), failed(4), record(5)]
    theirs = [*scored([0.1, None, None, 0.2]), record(4), failed(5)]
    ours[2]["question"] = theirs[2]["question"] = "why?"
    for records in (ours, theirs):
        records[4]["question"] = records[5]["question"] = "?"
    row = row_of(
        compared(
            make_run(tmp_path / "b", theirs, config="b"), make_run(tmp_path / "a", ours, config="a")
        )
    )
    assert (row["n"], row["unscored"], row["failed"]) == (2, 2, 2)
    assert row["mean_difference"] == pytest.approx(0.3)
    assert (row["mean_a"], row["mean_b"]) == pytest.approx((0.45, 0.15))


def test_questions_are_paired_by_what_they_are_and_not_by_their_place_in_the_journal(
    compared, tmp_path
):
    document = compared(
        make_run(tmp_path / "b", scored(B)[::-1], config="b"),
        make_run(tmp_path / "a", scored(A), config="a"),
    )
    row = row_of(document)
    assert [row["better"], row["equal"], row["worse"]] == pytest.approx([0.6, 0.2, 0.2])


def test_an_unfinished_run_is_compared_on_what_is_there_and_said(compared, run, tmp_path):
    folders = [
        make_run(tmp_path / "b", scored(B[:3]), config="b", questions=5, results=False),
        make_run(tmp_path / "a", scored(A), config="a"),
    ]
    document = compared(*folders)
    assert row_of(document)["n"] == 3
    assert row_of(document)["mean_a"] == pytest.approx(0.4)
    assert document["runs"][0]["finished"] == 3
    assert document["notes"][0].startswith("b: unfinished, 3 of 5 questions are done")
    assert "paired on the 3 questions that both hold; 2 and 0 others" in document["notes"][1]
    assert "opencoder: b: unfinished, 3 of 5 questions are done" in run(*folders).err


def test_other_references_are_other_questions(compared, run, tmp_path):
    ours, theirs = scored(A), scored(B)
    for entry in ours[:2]:
        entry["reference"] = "another"
    ours[2]["question"] = "another"
    b = make_run(tmp_path / "b", theirs, config="b")
    partly = make_run(tmp_path / "a", ours, config="a")
    document = compared(b, partly)
    assert row_of(document)["n"] == 2
    assert "a - b: paired on the 2 questions that both hold; 3 and 3 others" in document["notes"][0]
    assert "opencoder: a - b: paired on the 2 questions" in run(b, partly).err
    for entry in ours:
        entry["reference"] = "another"
    ended = run(b, make_run(tmp_path / "other", ours, config="c"))
    assert (ended.code, ended.out) == (2, "")
    assert "share no finished question with the same reference" in ended.err
    assert ended.err.count("\n") == 1


def test_another_judge_leaves_out_its_score_alone(compared, tmp_path):
    judge = {**identity()["judge"], "revision": "r2"}
    document = compared(
        make_run(tmp_path / "b", scored(B), config="b"),
        make_run(tmp_path / "a", scored(A), config="a", judge=judge),
    )
    assert [row["metric"] for row in document["pairs"]] == all_but("LLM_judge")
    assert document["notes"] == [
        "a - b: LLM_judge is left out: another judge measured it in each run.",
        "a - b: not only the config differs: judge.revision.",
    ]


def test_a_judged_run_and_one_without_a_judge_share_no_judge(compared, tmp_path):
    document = compared(
        make_run(tmp_path / "b", scored(B), config="b"),
        make_run(tmp_path / "a", scored(A), config="a", judge=None),
    )
    assert "LLM_judge" not in {row["metric"] for row in document["pairs"]}


def test_another_encoder_leaves_out_what_it_measures(compared, tmp_path):
    embedder = {**identity()["embedder"], "model": "f"}
    document = compared(
        make_run(tmp_path / "b", scored(B), config="b"),
        make_run(tmp_path / "a", scored(A), config="a", embedder=embedder),
    )
    assert [r["metric"] for r in document["pairs"]] == all_but("semantic_similarity")
    assert "semantic_similarity is left out" in document["notes"][0]


def test_whatever_differs_besides_the_config_is_named(compared, tmp_path):
    generator = {**identity()["generator"], "model": "n", "dtype": "bfloat16"}
    document = compared(
        make_run(tmp_path / "b", scored(B), config="b"),
        make_run(
            tmp_path / "a",
            scored(A),
            config="a",
            generator=generator,
            batch_size=4,
            limit=5,
            index={"corpus": "1"},
        ),
    )
    assert document["notes"] == [
        "a - b: not only the config differs: batch_size (4 and 8), generator.dtype, "
        "generator.model, index, limit (5 and None)."
    ]
    assert len(document["pairs"]) == len(METRIC_NAMES)


def test_one_question_has_no_interval_and_no_test(compared, run, tmp_path):
    folders = [
        make_run(tmp_path / "b", scored([0.2]), config="b"),
        make_run(tmp_path / "a", scored([0.5]), config="a"),
    ]
    document = compared(*folders)
    row = row_of(document)
    assert (row["n"], row["mean_difference"], row["better"]) == (1, 0.3, 1.0)
    for name in ("ci95", "p", "p_holm", "test", "effect", "smallest_detectable"):
        assert row[name] is None
    assert row["distinguishable"] is False
    assert "a - b, BLEU: one question alone: no interval and no test." in document["notes"]
    assert run(*folders).out.count("no test") >= len(METRIC_NAMES)


def test_constant_differences_are_said(compared, tmp_path):
    # .3 - .1 and .8 - .6 differ in their last bit.
    document = compared(
        make_run(tmp_path / "b", scored([0.1, 0.6, 0.5]), config="b"),
        make_run(tmp_path / "a", scored([0.3, 0.8, 0.7]), config="a"),
    )
    row = row_of(document)
    assert row["ci95"] is None
    assert row["mean_difference"] == pytest.approx(0.2)
    assert (row["effect"], row["smallest_detectable"], row["p"]) == (None, None, 2 / 8)
    assert "all 3 differences are the same" in document["notes"][0]


def test_runs_that_give_the_same_scores_are_not_told_apart(compared, tmp_path):
    document = compared(
        make_run(tmp_path / "b", scored(B), config="b"),
        make_run(tmp_path / "a", scored(B), config="a"),
    )
    row = row_of(document)
    assert (row["p"], row["equal"], row["ci95"]) == (1.0, 1.0, None)
    assert row["distinguishable"] is False


def test_a_metric_that_one_run_never_scored_is_said_and_no_number(compared, tmp_path):
    ours = scored(A)
    for entry in ours:
        entry["metrics"]["LLM_judge"] = None
    document = compared(
        make_run(tmp_path / "b", scored(B), config="b"), make_run(tmp_path / "a", ours, config="a")
    )
    row = row_of(document, "LLM_judge")
    assert (row["n"], row["unscored"]) == (0, 5)
    assert {row[name] for name in ("mean_a", "mean_difference", "p", "better", "effect")} == {None}
    assert document["notes"] == [
        "a - b, LLM_judge: no question has a value in both runs: nothing is compared."
    ]
    assert row_of(document, "BLEU")["n"] == 5


def test_runs_in_which_everything_failed_are_no_crash(compared, tmp_path):
    records = [failed(0), failed(1)]
    document = compared(
        make_run(tmp_path / "b", records, config="b"), make_run(tmp_path / "a", records, config="a")
    )
    assert {(r["n"], r["failed"], r["p_holm"]) for r in document["pairs"]} == {(0, 2, None)}


def test_runs_of_one_config_get_their_digest_as_a_name(compared, tmp_path):
    folders = [
        make_run(tmp_path / "b", scored(B), config="same", seed=1),
        make_run(tmp_path / "a", scored(A), config="same", seed=2),
        make_run(tmp_path / "c", scored(A[::-1]), config="same", seed=2),
    ]
    document = compared(*folders)
    digests = [read_run(folder).digest[:12] for folder in folders]
    assert digests[1] == digests[2]
    names = [f"same-{digests[0]}", f"same-{digests[1]}", f"same-{digests[1]}-3"]
    assert [summary["name"] for summary in document["runs"]] == names
    assert document["pairs"][0]["a"] == names[1]
    assert document["notes"][0] == (
        f"{names[1]} - {names[0]}: not only the config differs: seed (2 and 1)."
    )


def test_nothing_in_a_run_folder_changes(compared, two):
    with (two[0] / "journal.jsonl").open("ab") as file:
        file.write(b'{"crc32": "torn')
    before = [contents(folder) for folder in two]
    assert row_of(compared(*two))["n"] == 5
    assert [contents(folder) for folder in two] == before


def test_a_damaged_line_is_named(run, two):
    path = two[0] / "journal.jsonl"
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([lines[0], lines[1].replace(b"why", b"who", 1), *lines[2:]]))
    ended = run(*two)
    assert (ended.code, ended.out) == (2, "")
    assert f"{path}: line 2 is damaged" in ended.err
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "manifest.json").unlink(), "is no run folder"),
        (lambda f: (f / "manifest.json").write_text("{"), "manifest.json is not JSON"),
        (
            lambda f: (f / "manifest.json").write_text("[1]"),
            "manifest.json: the whole is missing or damaged",
        ),
        (lambda f: (f / "manifest.json").write_bytes(b"\xff"), "manifest.json is not JSON"),
        (lambda f: rename(f, "\ud800"), "config is missing or damaged"),
        (lambda f: (f / "journal.jsonl").unlink(), "journal.jsonl: there is no such file"),
        (lambda f: (f / "journal.jsonl").write_bytes(b""), "holds no finished question"),
    ],
)
def test_a_damaged_folder_is_one_line(run, two, damage, message):
    damage(two[1])
    ended = run(*two)
    assert (ended.code, ended.out) == (2, "")
    [line] = [line for line in ended.err.splitlines() if "error: " in line]
    assert message in line
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("field", ["config", "profile", "digest", "identity", "questions"])
def test_each_missing_field_of_the_manifest_is_named(two, field):
    with edited_manifest(two[0]) as manifest:
        del manifest[field]
    with pytest.raises(DatasetError, match=f"{field} is missing or damaged"):
        read_run(two[0])


def test_records_of_another_schema_are_not_read(tmp_path):
    folder = make_run(tmp_path / "a", scored(A), schema=SCHEMA + 1)
    with pytest.raises(
        DatasetError, match=f"schema {SCHEMA + 1}; this version reads schema {SCHEMA}"
    ):
        read_run(folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"metrics": {"BLEU": "high"}},
        {"answer": 3},
        {"steps": None},
        {"steps": [{}]},
        {"index": "0"},
    ],
)
def test_a_sound_line_that_is_no_record_is_named(tmp_path, changes):
    folder = make_run(tmp_path / "a", [record(0), {**record(1), **changes}], results=False)
    with pytest.raises(DatasetError, match="line 2 holds no record"):
        read_run(folder)


def test_the_same_run_twice_is_a_mistake(run, two, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(two[0])
    copied = make_run(tmp_path / "copy", scored(B), config="keyword")
    for other in (two[0], link, copied):
        ended = run(two[0], other)
        assert (ended.code, ended.out) == (2, "")
        assert "are the same run: name each run once" in ended.err
        assert ended.err.count("\n") == 1


def test_one_run_is_no_comparison(two, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["evaluation", "compare", str(two[0])])
    with pytest.raises(ConfigError, match="two run folders or more"):
        cli.main()


def test_the_table_fits_a_hundred_columns(run, tmp_path):
    folders = [
        make_run(
            tmp_path / "b", scored([i / 40 for i in range(30)]), config="keyword_cot_rerank_initial"
        ),
        make_run(
            tmp_path / "a",
            scored([min(1, i / 40 + 0.1 + i % 3 / 50) for i in range(30)]),
            config="semantic_cot_rerank_refined",
            batch_size=2,
        ),
    ]
    ended = run(*folders)
    assert ended.code == 0, ended.err
    lines = ended.out.splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[0] == "keyword_cot_rerank_initial, profile embedded: 30 of 30 questions, 0 failed"
    row = next(n for n, line in enumerate(lines) if "ROUGE-L" in line)
    assert "ROUGE-L 30 .483 +.120 <.001" in " ".join(lines[row].split())
    assert " better " in lines[row + 1]
    assert any("note: " in line and "not only the config differs" in line for line in lines)


def test_not_distinguishable_is_said_as_such(run, two):
    out = run(*two).out
    assert out.count("not distinguishable") == len(METRIC_NAMES) + 1


def test_hostile_names_break_neither_table_nor_document(run, compared, tmp_path):
    evil = "[bold]\x1b]0;evil\x07\u202e[/red]\n"
    folders = [
        make_run(tmp_path / "b", scored(B), config=evil),
        make_run(tmp_path / "a", scored(A[:4]), config="a\u2028", questions=9),
    ]
    ended = run(*folders)
    assert ended.code == 0, ended.err
    assert "[bold]" in ended.out
    assert not [c for c in ended.out + ended.err if c in "\x1b\x07\u202e"]
    assert row_of(compared(*folders))["b"] == evil


def test_so_many_tests_that_none_can_find_anything_are_noted(compared, two, monkeypatch):
    monkeypatch.setattr("evaluation.analysis.comparison_document.PERMUTATIONS", 100)
    [note] = compared(*two)["notes"]
    assert note.startswith(
        f"{len(METRIC_NAMES)} tests at once: after Holm's adjustment no permutation test of 100"
    )


def test_ten_thousand_questions_take_seconds(compared, tmp_path):
    folders = [
        make_run(tmp_path / name, scored(values), config=name, results=False)
        for name, values in (
            ("b", [(i * 7919 % 10_007) / 10_007 for i in range(10_000)]),
            ("a", [(i * 104_729 % 10_007) / 10_007 for i in range(10_000)]),
        )
    ]
    with at_most_cpu_seconds(120):
        row = row_of(compared(*folders))
    assert row["n"] == 10_000
    low, high = row["ci95"]
    # Two independent uniform scores: the difference has a variance of 1/6.
    half = t.ppf(0.975, 9_999) * (1 / 6) ** 0.5 / 100
    assert high - low == pytest.approx(2 * half, rel=0.05)


@pytest.mark.parametrize(
    ("kinds", "index", "other_index", "fields"),
    [
        (("none", "semantic"), None, {"corpus_sha256": "1"}, []),
        (("keyword", "semantic"), {"kind": "k"}, {"kind": "s", "vectors": 1}, []),
        (
            ("keyword", "semantic"),
            {"corpus_sha256": "1"},
            {"corpus_sha256": "1", "encoder": "e"},
            [],
        ),
        (
            ("keyword", "semantic"),
            {"corpus_sha256": "1"},
            {"corpus_sha256": "2"},
            ["index.corpus_sha256"],
        ),
        (
            ("hybrid", "semantic"),
            {"encoder": "e", "corpus_sha256": "1"},
            {"encoder": "f", "corpus_sha256": "1"},
            ["index.encoder"],
        ),
        (("semantic", "semantic"), {"vectors": 1}, {"vectors": 2}, ["index.vectors"]),
        (("semantic", "semantic"), None, {"vectors": 2}, ["index"]),
    ],
)
def test_what_follows_from_the_kind_of_retrieval_is_no_difference_of_its_own(
    tmp_path, kinds, index, other_index, fields
):
    run = read_run(make_run(tmp_path / "run", scored([0.1])))
    runs = [
        replace(run, identity={"config": {"retrieval": {"kind": kind}}, "index": fields_of_index})
        for kind, fields_of_index in zip(kinds, (index, other_index), strict=True)
    ]
    assert unlike_fields(*runs) == fields


def test_a_metric_that_no_run_has_a_value_of_is_left_out_and_said_once(run, tmp_path):
    def unjudged(values):
        return [
            {**entry, "metrics": {**entry["metrics"], "LLM_judge": None}}
            for entry in scored(values)
        ]

    folders = [
        make_run(tmp_path / name, unjudged(values), config=config)
        for name, values, config in (("b", B, "keyword"), ("a", A, "semantic"))
    ]
    document = json.loads(run(*folders, "--json").out)
    assert {row["metric"] for row in document["pairs"]} == {*METRIC_NAMES} - {"LLM_judge"}
    assert [note for note in document["notes"] if "LLM_judge" in note] == [
        "LLM_judge: no run has a value, left out."
    ]


@pytest.mark.parametrize(("formulas", "fields"), [((None, "1"), []), (("1", "2"), ["reranker"])])
def test_the_formula_of_learned_reranking_follows_from_the_config(tmp_path, formulas, fields):
    run = read_run(make_run(tmp_path / "run", scored([0.1])))
    runs = [
        replace(run, identity={"config": {}, **({"reranker": digest} if digest else {})})
        for digest in formulas
    ]
    assert unlike_fields(*runs) == fields
