"""python -m evaluation retrieval: rankings in, tables or one JSON document out."""

import json
import sys
from functools import partial
from itertools import chain
from math import log2
from typing import NamedTuple

import pytest

from evaluation import __main__ as cli
from evaluation.commands import retrieval_command as command
from evaluation.ranking import ranking_document
from evaluation.ranking.rank_measures import DEPTH, RANK_METRICS
from graph.config import config_names
from graph.support.errors import MissingExtraError
from tests.fakes.command_lines import evaluation_document, run_evaluation
from tests.fakes.corpora import row, write_corpus

RELEVANT = {"first": "1", "second": "2", "third": "3", "fourth": "3"}
"""The relevant question of each query, by its title."""


class Ranked(NamedTuple):
    question_id: str
    score: float


class FakeRanker:
    """Puts the relevant question of each query at a fixed rank, or nowhere for rank 0."""

    def __init__(self, rank_of_hit):
        self.rank_of_hit = rank_of_hit
        self.calls = []

    def rank(self, queries, depth):
        self.calls.append((list(queries), depth))
        return [self._ranking(query.partition("\n")[0]) for query in queries]

    def _ranking(self, title):
        ids = [str(n) for n in range(4, 4 + DEPTH - 1)]
        if self.rank_of_hit:
            ids.insert(self.rank_of_hit - 1, RELEVANT[title])
        return [Ranked(name, 0.5) for name in ids]


@pytest.fixture
def rankers(monkeypatch):
    """The rankers that the command gets: keyword finds at 2, semantic at 1; and how they opened."""
    rankers = {"keyword": FakeRanker(2), "semantic": FakeRanker(1)}
    rankers["opened"] = []

    def open_retriever(retrieval, embedder, *, corpus, folder):
        rankers["opened"].append((retrieval, embedder, corpus, folder))
        return rankers[retrieval.kind]

    monkeypatch.setattr(command, "open_retriever", open_retriever)
    return rankers


@pytest.fixture
def files(tmp_path):
    """Four queries of two kinds over three questions, and what names their files."""
    write_corpus(tmp_path / "corpus.csv", [row(n, f"title {n}") for n in range(1, 120)])
    texts = {
        "queries.csv": "query_id,query_title,query_body,kind\n"
        "a,first,,title only\nb,second,,title only\n"
        "c,third,<p>why?</p>,title+body\nd,fourth,<p>how?</p>,title+body\n",
        "qrels.csv": "query_id,question_id,relevance\na,1,1\nb,2,1\nc,3,1\nd,3,1\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    paths = {name: tmp_path / f"{name}.csv" for name in ("corpus", "queries", "qrels")}
    return [text for name, path in paths.items() for text in (f"--{name}", str(path))]


@pytest.fixture
def run(rankers, files, monkeypatch):
    """Run the command in a child process."""
    return partial(run_evaluation, monkeypatch, "retrieval", *files, "--profile", "embedded")


@pytest.fixture
def measured(rankers, files, monkeypatch, capsys):
    """Run the command with --json in this process and return its document."""

    return partial(
        evaluation_document, monkeypatch, capsys, "retrieval", *files, "--profile", "embedded"
    )


def test_the_document_holds_every_metric_by_kind_and_pooled(measured):
    document = measured("--config", "keyword,semantic")
    assert list(document)[:3] == ["configs", "differences", "queries_per_second"]
    assert list(document["configs"]) == ["keyword", "semantic"]
    for means in document["configs"].values():
        assert list(means) == ["all", "title only", "title+body"]
        for kind, estimates in means.items():
            assert list(estimates) == list(RANK_METRICS)
            assert {estimate["n"] for estimate in estimates.values()} == {4 if kind == "all" else 2}
    at_two = document["configs"]["keyword"]["all"]
    assert at_two["nDCG@10"]["mean"] == pytest.approx(1 / log2(3))
    assert at_two["nDCG@10"]["ci95"] is None
    assert (at_two["MRR"]["mean"], at_two["R@1"]["mean"], at_two["R@5"]["mean"]) == (0.5, 0, 1)
    assert document["configs"]["semantic"]["title+body"]["R@1"]["mean"] == 1.0


def test_queries_of_one_question_are_one_observation(measured):
    means = measured("--config", "keyword")["configs"]["keyword"]
    assert means["all"]["MRR"]["by_document"]["n"] == 3
    # Both title+body queries seek question 3: there is nothing to draw from.
    assert means["title+body"]["MRR"] == {
        "mean": 0.5,
        "n": 2,
        "ci95": None,
        "by_document": {"mean": 0.5, "n": 1, "ci95": None},
    }


def test_differences_are_paired_and_named(measured):
    differences = measured("--config", "keyword,semantic")["differences"]
    [recall] = [d for d in differences if (d["kind"], d["metric"]) == ("all", "MRR")]
    assert {name: recall[name] for name in ("a", "b", "mean", "ci95", "distinguishable")} == {
        "a": "semantic",
        "b": "keyword",
        "mean": 0.5,
        "ci95": None,
        "distinguishable": False,
    }
    assert {d["kind"] for d in differences} == {"all", "title only", "title+body"}
    assert {d["metric"] for d in differences} == set(RANK_METRICS)


def test_the_queries_reach_the_ranker_in_batches_after_one_to_warm_up(
    measured, rankers, monkeypatch
):
    monkeypatch.setattr(ranking_document, "BATCH", 3)
    document = measured("--config", "semantic")
    texts = ["first", "second", "third\n\nwhy?", "fourth\n\nhow?"]
    assert rankers["semantic"].calls == [
        (texts[:1], DEPTH),
        (texts[:3], DEPTH),
        (texts[3:], DEPTH),
    ]
    assert document["configs"]["semantic"]["all"]["R@1"]["mean"] == 1.0


def test_speed_is_queries_over_the_seconds_of_ranking_alone(measured, monkeypatch):
    ticks = iter([100.0, 100.5])
    monkeypatch.setattr(ranking_document, "perf_counter", lambda: next(ticks))
    assert measured("--config", "keyword")["queries_per_second"] == {"keyword": 8.0}


def test_what_is_left_out_is_counted_and_said(run, files):
    with open(files[5], "a", encoding="utf-8") as file:
        file.write("z,1,1\na,999,1\n")
    with open(files[3], "a", encoding="utf-8") as file:
        file.write("e,fifth,,title only\n")
    ended = run("--config", "keyword", "--json")
    assert ended.code == 0, ended.err
    document = json.loads(ended.out)
    assert document["queries"] == 4
    assert document["left_out"] == {
        "queries_without_relevant": 1,
        "judgments_of_unknown_queries": 1,
        "judgments_outside_corpus": 1,
        "repeated_judgments": 0,
    }
    assert "1 query has no relevant question in the corpus: it is in no mean" in ended.err
    out = run("--config", "keyword").out
    assert "note: 1 query has no relevant question in the corpus" in out


def test_each_config_has_its_own_index_and_the_overrides(measured, rankers, files, tmp_path):
    index = str(tmp_path / "index")
    measured("--config", "keyword,semantic", "--index", index, "--set", "retrieval.tag_bonus=0.5")
    opened = rankers["opened"]
    assert [folder for *_, folder in opened] == [
        tmp_path / "index" / "keyword",
        tmp_path / "index" / "semantic",
    ]
    assert {str(corpus) for _, _, corpus, _ in opened} == {files[1]}
    assert [retrieval.tag_bonus for retrieval, *_ in opened] == [0.5, 0.5]
    measured("--config", "keyword", "--index", index)
    measured("--config", "keyword")
    assert [folder for *_, folder in opened[2:]] == [tmp_path / "index", None]


def test_the_table_fits_a_hundred_columns(run, rankers):
    rankers["keyword"].rank_of_hit = 30
    ended = run("--config", "keyword,semantic")
    assert ended.code == 0, ended.err
    lines = ended.out.splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[0].startswith("4 queries in 3 groups of shared relevant questions; 119 corpus")
    [header] = [line.split() for line in lines if "nDCG@10" in line and "MRR" in line]
    assert header == ["kind", "config", "n", *RANK_METRICS]
    first = next(n for n, line in enumerate(lines) if line.split()[:2] == ["title", "only"])
    assert [" ".join(line.split()) for line in lines[first : first + 3]] == [
        "title only keyword 2 .000 .000 .000 .000 1.00 .033",
        "95 % .000-.658 .000-.658 .000-.658 .000-.658 .342-1.00 no interval",
        "document 2 .000 .000 .000 .000 1.00 .033",
    ]
    rows = [" ".join(line.split()) for line in lines if "title only" in line and "R@10 " in line]
    assert rows[-1] == "title only semantic - keyword R@10 +1.00 no interval +1.00 no interval"
    # Both title+body queries seek the same question: nothing can be said of them.
    rows = [" ".join(line.split()) for line in lines if "title+body" in line and "R@10 " in line]
    assert rows[-1] == "title+body semantic - keyword R@10 +1.00 no interval +1.00 no interval"
    assert any(line.startswith("keyword: ") and line.endswith(" queries/s") for line in lines)


def test_long_names_and_hostile_kinds_do_not_break_the_table(run, files):
    with open(files[3], "a", encoding="utf-8") as file:
        file.write("e,first,,[bold]\x1b]0;evil\x07\u202e[/red]\n")
    with open(files[5], "a", encoding="utf-8") as file:
        file.write("e,1,1\n")
    ended = run("--config", "keyword_cot_rerank_initial,semantic_cot_rerank_refined")
    assert ended.code == 0, ended.err
    assert max(map(len, ended.out.splitlines())) <= 100
    assert "[bold]" in ended.out
    assert not [c for c in ended.out if c in "\x1b\x07\u202e"]


def test_one_config_and_one_query_are_enough(run, files):
    with open(files[3], "w", encoding="utf-8") as file:
        file.write("query_id,query_title,query_body,kind\na,first,,short\n")
    ended = run("--config", "semantic")
    assert ended.code == 0, ended.err
    assert "1 query in 1 group" in ended.out
    assert [line.split()[0] for line in ended.out.splitlines() if "semantic " in line] == ["short"]
    assert "none" in ended.out
    assert "difference" not in ended.out


def test_by_default_the_plain_retrievers_are_compared(measured):
    plain = [name for name in ("keyword", "semantic", "hybrid") if name in config_names()]
    arguments = cli.parser().parse_args(
        ["retrieval", "--corpus", "c", "--queries", "q", "--qrels", "r"]
    )
    assert arguments.config.split(",") == plain


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config", "keywrd"], "unknown config 'keywrd'; did you mean keyword?; known: baseline"),
        (["--config", "keyword,,semantic"], "unknown config ''"),
        (["--config", "keyword, keyword"], "--config names 'keyword' twice: name it once"),
        (["--config", "semantic,baseline"], "config baseline retrieves nothing: name one that"),
        (["--set", "retrieval.topk=3"], "--set: there is no field 'retrieval.topk'; did you mean"),
        (["--profile", "gpus"], "unknown profile 'gpus'; did you mean gpu?"),
        (["--corpus", "/no/such.csv"], "/no/such.csv: there is no such file"),
        (["--qrels", "/no/such.txt"], "/no/such.txt: unknown kind of file"),
        (["--confg", "keyword"], "unrecognized arguments: --confg keyword; did you mean --config?"),
    ],
)
def test_a_mistake_is_one_line_before_anything_is_opened(
    rankers, files, monkeypatch, arguments, message
):
    right = dict(zip(files[::2], files[1::2], strict=True))
    options = {**right, "--profile": "embedded", arguments[0]: arguments[1]}
    ended = run_evaluation(monkeypatch, "retrieval", *chain(*options.items()))
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"opencoder: error: {message}")
    assert ended.err.count("\n") == 1


def test_missing_arguments_and_commands_are_mistakes_too(monkeypatch):
    for argv in ([], ["retrieve"], ["retrieval", "--corpus", "c.csv"]):
        ended = run_evaluation(monkeypatch, *argv)
        assert (ended.code, ended.out) == (2, "")
        assert ended.err.endswith("; see --help\n")


def test_the_missing_library_is_said_before_anything_is_read(measured, rankers, monkeypatch):
    monkeypatch.setitem(sys.modules, "ir_measures", None)
    with pytest.raises(MissingExtraError, match="needs ir-measures"):
        measured("--config", "keyword")
    assert rankers["opened"] == []


def test_help_names_the_commands_and_their_arguments(monkeypatch):
    for argv, words in (
        (["--help"], ["retrieval"]),
        (["retrieval", "--help"], ["--corpus", "--queries", "--qrels", "--json", "--index"]),
    ):
        ended = run_evaluation(monkeypatch, *argv)
        assert (ended.code, ended.err) == (0, "")
        assert [word for word in words if word not in ended.out] == []
