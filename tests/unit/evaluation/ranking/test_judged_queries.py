"""Queries and judgments: read strictly, counted if left out, grouped by relevant questions."""

import json

import pytest

from evaluation.ranking.judged_queries import LeftOut, group_by_relevant, load_judged
from graph.support.errors import DatasetError

QUERIES = "query_id,query_title,query_body,kind\n"
QRELS = "query_id,question_id,relevance\n"


@pytest.fixture
def load(tmp_path):
    """Load three texts, written as CSV files (or another file already there)."""

    def start(queries, qrels, corpus="1,2,3"):
        ids = "question_id\n" + corpus.replace(",", "\n") + "\n"
        texts = {"queries.csv": QUERIES + queries, "qrels.csv": QRELS + qrels, "corpus.csv": ids}
        for name, text in texts.items():
            (tmp_path / name).write_text(text, encoding="utf-8")
        return load_judged(*(tmp_path / name for name in texts))

    return start


def test_a_query_is_its_title_and_its_body_as_markdown(load):
    judged = load(
        "a, How? ,<p>use <code>x &lt; y</code></p>,title+body\n"
        "b,why not,,title only\n"
        'c,,"no markup, x*y\n  z_1",title+body\n',
        "a,1,1\nb,2,1\nc,3,1\n",
    )
    assert [query.text for query in judged.queries] == [
        "How?\n\nuse `x < y`",
        "why not",
        "no markup, x*y\n  z_1",
    ]
    assert [query.kind for query in judged.queries] == ["title+body", "title only", "title+body"]
    assert [query.query_id for query in judged.queries] == ["a", "b", "c"]
    assert judged.questions == 3
    assert judged.left_out == LeftOut()
    assert judged.left_out.notes() == []


def test_the_text_of_a_query_is_made_as_that_of_an_evaluation_question(tmp_path, load):
    from evaluation.answering.questions import load_items

    title, body = " sort  a list ", "<p>How?</p><pre><code>a &lt; b\n</code></pre>"
    row = {"question_title": title, "question_body": body, "answer_body": "so"}
    (tmp_path / "d.jsonl").write_text(json.dumps(row), encoding="utf-8")
    quoted = body.replace('"', '""')
    [query] = load(f'a,{title},"{quoted}",x\n', "a,1,1\n").queries
    assert query.text == load_items(tmp_path / "d.jsonl")[0].question


def test_only_what_is_relevant_and_in_the_corpus_counts(load):
    judged = load(
        "a,t,,x\nb,t,,x\nc,t,,x\nd,t,,x\n",
        "a,1,2\na,9,1\na,2,0\na,3,-1\nb,9,1\nc,1,0\nz,1,1\nz,2,1\na,1,2.0\n",
    )
    [query] = judged.queries
    assert (query.query_id, query.relevant) == ("a", {"1": 2})
    assert judged.left_out.counts() == {
        "queries_without_relevant": 3,
        "judgments_of_unknown_queries": 2,
        "judgments_outside_corpus": 2,
        "repeated_judgments": 1,
    }
    assert [note.split()[:2] for note in judged.left_out.notes()] == [
        ["3", "queries"],
        ["2", "judgments"],
        ["2", "judgments"],
        ["1", "judgment"],
    ]


def test_queries_that_share_a_relevant_question_are_one_group():
    groups = group_by_relevant(
        [{"1": 1}, {"2": 1, "3": 1}, {"1": 1}, {"3": 1, "4": 1}, {"5": 1}, {"4": 1}]
    )
    assert groups[0] == groups[2]
    assert groups[1] == groups[3] == groups[5]
    assert len({groups[0], groups[1], groups[4]}) == 3


def test_a_question_outside_the_corpus_joins_no_group(load):
    first, second = load("a,t,,x\nb,t,,x\n", "a,1,1\na,9,1\nb,2,1\nb,9,1\n").queries
    assert first.group != second.group


@pytest.mark.parametrize(
    ("queries", "message"),
    [
        ("a,t,,x\na,u,,x\n", "row 2: query_id 'a' is already in row 1"),
        ("a,t,,x\nb, , <script>x</script> ,x\n", "row 2: the query 'b' is empty"),
        (" ,t,,x\n", "row 1: query_id is empty"),
        ("a,t,, \n", "row 1: kind is empty: name one, as in 'title only'"),
        ("a,t,,all\n", "row 1: kind 'all' is the name of all queries together: use another"),
        (f"a,t,,{'k' * 41}\n", "row 1: kind is longer than 40 characters"),
        ("a\x00b,t,,x\n", "row 1: query_id 'a\\x00b' holds an unprintable character"),
        ("".join(f"{n},t,,k{n}\n" for n in range(21)), "kind has 21 different values; at most 20"),
        ("a,t\n", "line 2: 2 fields where the header has 4"),
        ("", "has no rows"),
    ],
)
def test_wrong_queries_are_refused_with_their_place(load, tmp_path, queries, message):
    with pytest.raises(DatasetError) as caught:
        load(queries, "a,1,1\n")
    assert str(caught.value).startswith(f"{tmp_path / 'queries.csv'}: {message}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("qrels", "message"),
    [
        ("a,1,yes\n", "row 1: relevance 'yes' is not a whole number up to 100"),
        ("a,1,1\na,2,0.5\n", "row 2: relevance '0.5' is not a whole number"),
        ("a,1,nan\n", "row 1: relevance 'nan' is not"),
        ("a,1,inf\n", "row 1: relevance 'inf' is not"),
        ("a,1,\n", "row 1: relevance '' is not"),
        ("a,1,1000000000\n", "row 1: relevance '1000000000' is not a whole number up to 100"),
        (f"a,1,{'9' * 500}\n", f"row 1: relevance '{'9' * 40}...' is not"),
        ("a,,1\n", "row 1: question_id is empty"),
        (",1,1\n", "row 1: query_id is empty"),
        ("a,1,1\na,1,2\n", "row 2: query 'a' and question '1' have relevance 1 in an earlier row"),
        ("a,9,1\n", "no query of "),
        ("b,1,1\n", "no query of "),
        ("a,1,0\n", "no query of "),
        ("", "has no rows"),
    ],
)
def test_wrong_judgments_are_refused_with_their_place(load, tmp_path, qrels, message):
    with pytest.raises(DatasetError) as caught:
        load("a,t,,x\n", qrels)
    assert str(caught.value).startswith(f"{tmp_path / 'qrels.csv'}: {message}")
    assert len(str(caught.value)) < 400


def test_a_corpus_row_without_an_id_is_refused(load, tmp_path):
    with pytest.raises(DatasetError) as caught:
        load("a,t,,x\n", "a,1,1\n", corpus="1, ,3")
    assert str(caught.value) == f"{tmp_path / 'corpus.csv'}: row 2: question_id is empty"


@pytest.mark.parametrize("name", ["queries.csv", "qrels.csv", "corpus.csv"])
def test_a_missing_column_is_named(load, tmp_path, name):
    load("a,t,,x\n", "a,1,1\n")
    path = tmp_path / name
    path.write_text("other\n1\n", encoding="utf-8")
    files = [tmp_path / file for file in ("queries.csv", "qrels.csv", "corpus.csv")]
    with pytest.raises(DatasetError, match=f"{name}: column '.*' missing; it has 'other'"):
        load_judged(*files)
