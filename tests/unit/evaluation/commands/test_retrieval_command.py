"""python -m evaluation retrieval: rankings in, tables or one JSON document out."""

import json
import sys
from math import log2
from typing import NamedTuple

import pytest

from evaluation import __main__ as cli
from evaluation.commands import retrieval_command as command
from evaluation.ranking.rank_measures import DEPTH, RANK_METRICS
from graph.config import config_names
from graph.support import terminal
from graph.support.errors import MissingExtraError
from tests.fakes.corpora import row, write_corpus
from tests.fakes.processes import in_child

WANTED = {"first": "1", "second": "2", "third": "3", "fourth": "3"}
"""The relevant question of each query, by its title."""


class Ranked(NamedTuple):
    question_id: str
    score: float


class FakeRanker:
    """Puts the wanted question of each query at a fixed place, or nowhere for place 0."""

    def __init__(self, place):
        self.place = place
        self.calls = []

    def rank(self, queries, depth):
        self.calls.append((list(queries), depth))
        return [self._ranking(query.partition("\n")[0]) for query in queries]

    def _ranking(self, title):
        ids = [str(n) for n in range(4, 4 + DEPTH - 1)]
        if self.place:
            ids.insert(self.place - 1, WANTED[title])
        return [Ranked(name, 0.5) for name in ids]


@pytest.fixture
def rankers(monkeypatch):
    """The rankers that the command gets: keyword finds at 2, semantic at 1; and how they opened."""
    made = {"keyword": FakeRanker(2), "semantic": FakeRanker(1)}
    made["opened"] = []

    def open_retriever(retrieval, embedder, *, corpus, folder):
        made["opened"].append((retrieval, embedder, corpus, folder))
        return made[retrieval.kind]

    monkeypatch.setattr(command, "open_retriever", open_retriever)
    return made


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
    """Run the command in a child process and return how it ended."""

    def start(*arguments):
        argv = ["evaluation", "retrieval", *files, "--profile", "embedded", *map(str, arguments)]
        monkeypatch.setattr(sys, "argv", argv)
        return in_child(lambda: terminal.run(cli.main))

    return start


@pytest.fixture
def measured(rankers, files, monkeypatch, capsys):
    """Run the command with --json in this process and return its document."""

    def start(*arguments):
        argv = ["evaluation", "retrieval", *files, "--profile", "embedded", "--json", *arguments]
        monkeypatch.setattr(sys, "argv", argv)
        assert cli.main() == 0
        return json.loads(capsys.readouterr().out)

    return start


def test_the_document_holds_every_metric_by_kind_and_pooled(measured):
    found = measured("--config", "keyword,semantic")
    assert list(found)[:3] == ["configs", "differences", "queries_per_second"]
    assert list(found["configs"]) == ["keyword", "semantic"]
    for means in found["configs"].values():
        assert list(means) == ["all", "title only", "title+body"]
        for kind, estimates in means.items():
            assert list(estimates) == list(RANK_METRICS)
            assert {each["n"] for each in estimates.values()} == {4 if kind == "all" else 2}
    at_two = found["configs"]["keyword"]["all"]
    assert at_two["nDCG@10"]["mean"] == pytest.approx(1 / log2(3))
    assert at_two["nDCG@10"]["ci95"] == pytest.approx([1 / log2(3)] * 2)
    assert (at_two["MRR"]["mean"], at_two["R@1"]["mean"], at_two["R@5"]["mean"]) == (0.5, 0, 1)
    assert found["configs"]["semantic"]["title+body"]["R@1"]["mean"] == 1.0


def test_queries_of_one_question_are_one_observation(measured):
    found = measured("--config", "keyword")["configs"]["keyword"]
    assert found["all"]["MRR"]["by_document"]["n"] == 3
    # Both title+body queries seek question 3: there is nothing to draw from.
    assert found["title+body"]["MRR"] == {
        "mean": 0.5,
        "n": 2,
        "ci95": None,
        "by_document": {"mean": 0.5, "n": 1, "ci95": None},
    }


def test_differences_are_paired_and_named(measured):
    found = measured("--config", "keyword,semantic")["differences"]
    [recall] = [d for d in found if (d["kind"], d["metric"]) == ("all", "MRR")]
    assert {name: recall[name] for name in ("a", "b", "mean", "ci95", "distinguishable")} == {
        "a": "semantic",
        "b": "keyword",
        "mean": 0.5,
        "ci95": [0.5, 0.5],
        "distinguishable": True,
    }
    assert {d["kind"] for d in found} == {"all", "title only", "title+body"}
    assert {d["metric"] for d in found} == set(RANK_METRICS)


def test_the_queries_reach_the_ranker_in_batches_after_one_to_warm_up(
    measured, rankers, monkeypatch
):
    monkeypatch.setattr(command, "BATCH", 3)
    found = measured("--config", "semantic")
    texts = ["first", "second", "third\n\nwhy?", "fourth\n\nhow?"]
    assert rankers["semantic"].calls == [
        (texts[:1], DEPTH),
        (texts[:3], DEPTH),
        (texts[3:], DEPTH),
    ]
    assert found["configs"]["semantic"]["all"]["R@1"]["mean"] == 1.0


def test_speed_is_queries_over_the_seconds_of_ranking_alone(measured, monkeypatch):
    ticks = iter([100.0, 100.5])
    monkeypatch.setattr(command, "perf_counter", lambda: next(ticks))
    assert measured("--config", "keyword")["queries_per_second"] == {"keyword": 8.0}


def test_what_is_left_out_is_counted_and_said(run, files):
    with open(files[5], "a", encoding="utf-8") as file:
        file.write("z,1,1\na,999,1\n")
    with open(files[3], "a", encoding="utf-8") as file:
        file.write("e,fifth,,title only\n")
    ended = run("--config", "keyword", "--json")
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)
    assert found["queries"] == 4
    assert found["left_out"] == {
        "queries_without_relevant": 1,
        "judgments_of_unknown_queries": 1,
        "judgments_outside_corpus": 1,
        "repeated_judgments": 0,
    }
    assert "1 queries have no relevant question in the corpus: they are in no mean" in ended.err
    shown = run("--config", "keyword").out
    assert "note: 1 queries have no relevant question in the corpus" in shown


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
    rankers["keyword"].place = 30
    ended = run("--config", "keyword,semantic")
    assert ended.code == 0, ended.err
    lines = ended.out.splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[0].startswith("4 queries in 3 groups of shared relevant questions; 119 corpus")
    [header] = [line.split() for line in lines if "nDCG@10" in line and "MRR" in line]
    assert header == ["kind", "config", "n", *RANK_METRICS]
    place = next(n for n, line in enumerate(lines) if line.split()[:2] == ["title", "only"])
    shown = [" ".join(line.split()) for line in lines[place : place + 3]]
    assert shown == [
        "title only keyword 2 .000 .000 .000 .000 1.00 .033",
        "95 % .000-.000 .000-.000 .000-.000 .000-.000 1.00-1.00 .033-.033",
        "document 2 .000 .000 .000 .000 1.00 .033",
    ]
    told = [" ".join(line.split()) for line in lines if "title only" in line and "R@10 " in line]
    assert told[-1] == "title only semantic - keyword R@10 +1.00 +1.00 to +1.00 +1.00 better"
    # Both title+body queries seek the same question: nothing can be said of them.
    told = [" ".join(line.split()) for line in lines if "title+body" in line and "R@10 " in line]
    assert told[-1] == "title+body semantic - keyword R@10 +1.00 none +1.00 not distinguishable"
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
    assert "1 queries in 1 groups" in ended.out
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
        (["--confg", "keyword"], "unrecognized arguments: --confg keyword; see --help"),
    ],
)
def test_a_mistake_is_one_line_before_anything_is_opened(run, rankers, arguments, message):
    ended = run(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"opencoder: error: {message}")
    assert ended.err.count("\n") == 1


def test_missing_arguments_and_commands_are_mistakes_too(monkeypatch):
    for argv in ([], ["retrieve"], ["retrieval", "--corpus", "c.csv"]):
        monkeypatch.setattr(sys, "argv", ["evaluation", *argv])
        ended = in_child(lambda: terminal.run(cli.main))
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
        monkeypatch.setattr(sys, "argv", ["evaluation", *argv])
        ended = in_child(lambda: terminal.run(cli.main))
        assert (ended.code, ended.err) == (0, "")
        assert [word for word in words if word not in ended.out] == []
