"""The search for leaks: every planted copy of a question is found, and texts that are only alike are not."""

import html
import json
import random
import re

import pytest

from dataset.leaks.leak_search import Leak, LeakReport, ids_of, probe_of_row, search
from dataset.leaks.overlap import Overlap
from dataset.leaks.words import title_key
from tests.fakes.leak_copies import FILLER, cut_of_words, dataset_row, planted, posts

ALIKE = {("90000072", "7001067"), ("90000148", "7000073")}
"""Two questions of the sample quote the same lines of code and the same error."""


def search_rows(probes, rows):
    return search(probes, enumerate(rows, 1))


def shouted(title):
    return title.upper()


def spaced_out(title):
    return "  " + re.sub(r"[^\w#+]+", "  -- ", title) + " ?!"


def slug(title):
    return re.sub(r"[\W_]+", "-", title.lower().replace("'", "")).strip("-")


def cut_of_source(body, chance):
    """Four fifths of the characters, tags cut in two included."""
    length = len(body) * 4 // 5
    start = chance.randrange(len(body) - length + 1)
    return body[start : start + length]


def with_other_tags(body, chance):
    """Four fifths of the words, each line in tags of its own, in capitals and with other breaks."""
    words = html.unescape(re.sub(r"<[^<>]*>", " ", body)).upper().split()
    length = len(words) * 4 // 5
    start = chance.randrange(len(words) - length + 1)
    tags = ("em", "strong", "code", "span")
    marked = [
        f"<{tags[index % 4]} class='x'>{html.escape(word)}</{tags[index % 4]}>"
        for index, word in enumerate(words[start : start + length])
    ]
    return "<div>" + "<br/>\n".join(marked) + "</div>"


def in_a_longer_post(body, chance):
    return FILLER * 9 + cut_of_words(body, chance) + FILLER * 9


CUTS = (cut_of_source, cut_of_words, with_other_tags, in_a_longer_post)


@pytest.mark.parametrize("cut", CUTS)
def test_four_fifths_of_a_body_are_found_wherever_they_are_cut(cut):
    probes = [probe_of_row(number, dataset_row(post)) for number, post in enumerate(posts(), 1)]
    chance = random.Random(cut.__name__)
    rows = [
        planted(number, question_body=cut(post["question_body"], chance))
        for number, post in enumerate(posts())
    ]
    report = search_rows(probes, rows)
    expected = [
        (copy["question_id"], post["question_id"]) for copy, post in zip(rows, posts(), strict=True)
    ]
    assert len(expected) >= 300
    pairs = [(leak.question_id, leak.eval_id) for leak in report.leaks]
    assert set(expected) - set(pairs) == set()
    assert set(pairs) - set(expected) <= ALIKE
    assert {leak.reasons for leak in report.leaks} == {("question",)}
    assert report.counts() == {"id": 0, "title": 0, "question": len(expected), "answer": 0}


@pytest.mark.parametrize("change", [shouted, spaced_out, slug])
def test_the_same_title_in_another_spelling_is_found(change):
    probes = [probe_of_row(number, dataset_row(post)) for number, post in enumerate(posts(), 1)]
    rows = [
        planted(number, question_title=change(post["question_title"]))
        for number, post in enumerate(posts())
    ]
    report = search_rows(probes, rows)
    if change is not slug:  # a slug does not tell C++ and C# from C
        assert len(report.leaks) == len(posts())
    assert len(report.leaks) >= len(posts()) - 3
    for leak in report.leaks:
        assert leak.reasons == ("title",)
        assert leak.share == 0.0
        assert posts()[int(leak.question_id) - 90_000_000]["question_id"] == leak.eval_id


@pytest.mark.parametrize(
    ("question", "changes"),
    [
        ({"eval_id": "7"}, {"question_id": "7"}),
        ({"eval_id": " 7 "}, {"question_id": "7.0"}),
        ({"eval_id": "so-1", "question_id": "7"}, {"question_id": "7"}),
        ({"question_url": "https://stackoverflow.com/questions/7/how-to"}, {"question_id": "7"}),
        ({"url": "https://stackoverflow.com/q/7"}, {"question_id": "7"}),
        ({"eval_id": "https://github.com/a/b/issues/7"},
         {"question_url": "http://www.github.com/A/b/issues/7/"}),
    ],
)  # fmt: skip
def test_the_same_id_is_found_however_it_is_written(question, changes):
    row = {"question": "What is it? " * 9, "answer": "this", **question}
    report = search_rows([probe_of_row(3, row)], [planted(1), planted(2, **changes)])
    assert [(leak.reasons, leak.share) for leak in report.leaks] == [(("id",), 0.0)]
    assert report.leaks[0].eval_id == (question.get("eval_id", "").strip() or "3")


@pytest.mark.parametrize(
    "question",
    [
        {"relevant_question_ids": "7|8"},
        {"eval_id": "77"},
        {"eval_id": "https://github.com/a/b/issues/7"},
        {"question_url": "https://stackoverflow.com/a/7"},
        {},
    ],
)
def test_posts_that_are_to_be_found_and_row_numbers_are_no_ids(question):
    row = {"question": "What is it? " * 9, "answer": "this", **question}
    assert search_rows([probe_of_row(7, row)], [planted(1, question_id="7")]).leaks == ()


@pytest.mark.parametrize(
    ("title", "other", "same"),
    [
        ("Don't use os.path", "dont use os path", True),
        ("Sort a list in C++", "sort a list in c++!", True),
        ("Sort a list in C++", "Sort a list in C#", False),
        ("Sort a list in C", "Sort a list in C#", False),
        ("Sort a list", "Sort the list", False),
        ("Bug", "bug", False),
        ("指令遵循", "指令 遵循!", True),
        ("full\u3000width title", "FULL\u200b WIDTH title", True),
    ],
)
def test_titles_are_compared_by_letters_and_digits(title, other, same):
    question = {"question_title": title, "question_body": "", "answer_body": ""}
    report = search_rows([probe_of_row(1, question)], [planted(1, question_title=other)])
    assert [leak.reasons for leak in report.leaks] == ([("title",)] if same else [])


def numbers(first, count):
    return " ".join(f"w{number}" for number in range(first, first + count))


@pytest.mark.parametrize(
    ("question", "body", "share"),
    [
        (numbers(0, 100), numbers(0, 50) + " x " + numbers(200, 90), 0.5),
        (numbers(0, 100), numbers(0, 49) + " x " + numbers(200, 90), None),
        (numbers(0, 100), numbers(30, 20) + " x " + numbers(200, 19), 0.5),
        (numbers(0, 100), numbers(30, 20) + " x " + numbers(200, 20), None),
        (numbers(0, 26), numbers(0, 13) + " x " + numbers(200, 99), 0.5),
        (numbers(0, 26), numbers(0, 12) + " x", None),
        # a text that may hold no run of 13: half of it in a row, in a text of its length
        (numbers(0, 24), numbers(3, 12) + " x " + numbers(200, 7), 0.6),
        (numbers(0, 24), numbers(3, 12) + " x " + numbers(200, 12), None),
        (numbers(0, 25), numbers(3, 13) + " x " + numbers(200, 99), 0.52),
        (numbers(0, 10), numbers(1, 8), 1.0),
        (numbers(0, 10), numbers(1, 5) + " x y z", 0.625),
        (numbers(0, 10), numbers(1, 4), None),
        (numbers(0, 10), numbers(1, 8) + " x " + numbers(200, 8), None),
        (numbers(0, 10), numbers(0, 10) + " " + numbers(200, 90), None),
        (numbers(0, 7), numbers(1, 5), 1.0),
        (numbers(0, 6), numbers(0, 6), None),
    ],
)
def test_how_much_must_be_shared_depends_on_the_shorter_text(question, body, share):
    overlap = Overlap()
    overlap.add(5, question.split())
    assert overlap.find(body.split()) == ({} if share is None else {5: pytest.approx(share)})


def test_an_answer_counts_only_if_the_whole_is_the_same():
    answer = numbers(0, 40)
    question = {"question_title": "Unlike any", "question_body": "", "answer_body": answer}
    probes = [probe_of_row(1, question)]
    rows = [
        planted(1, answer_body=f"<p>{answer}</p>"),
        planted(2, answer_body=f"<p>{numbers(0, 32)}</p>"),
        planted(3, answer_body=f"<p>As the manual says: {answer}, {numbers(200, 40)}</p>"),
        planted(4, answer_body=f"<p>{numbers(0, 29)}</p>"),
        planted(5, question_body=f"<p>{answer}</p>"),
    ]
    report = search_rows(probes, rows)
    assert [(leak.question_id, leak.reasons, leak.share) for leak in report.leaks] == [
        ("90000001", ("answer",), 1.0),
        ("90000002", ("answer",), 0.8),
    ]


def test_a_question_without_a_title_is_compared_as_a_whole():
    question = f"{numbers(0, 60)}\n\n{numbers(60, 40)}"
    probes = [probe_of_row(1, {"question": question, "answer": "a"})]
    report = search_rows(probes, [planted(1, question_body=numbers(0, 80))])
    assert [leak.reasons for leak in report.leaks] == [("question",)]


def test_rows_of_one_question_make_one_leak_and_the_order_is_the_corpus_one():
    first = {"eval_id": "a", "question_title": "The first title", "question_body": numbers(0, 50),
             "answer_body": ""}  # fmt: skip
    second = {**first, "eval_id": "b", "question_title": "The second title",
              "question_body": numbers(100, 50)}  # fmt: skip
    probes = [probe_of_row(number, one) for number, one in enumerate([first, second], 1)]
    rows = [
        planted(9, question_title="the SECOND title"),
        planted(3, question_title="the first title", answer_id="1"),
        planted(3, question_body=numbers(0, 50), answer_id="2"),
        planted(9, question_body=f"{numbers(0, 50)} {numbers(100, 50)}"),
    ]
    report = search_rows(probes, rows)
    assert report.leaks == (
        Leak("90000009", "a", ("question",), 1.0),
        Leak("90000009", "b", ("title", "question"), 1.0),
        Leak("90000003", "a", ("title", "question"), 1.0),
    )
    assert report.question_ids == ("90000009", "90000003")
    assert report.eval_ids == ("a", "b")
    assert report.counts() == {"id": 0, "title": 2, "question": 2, "answer": 0}
    document = json.loads(json.dumps(report.to_json()))
    assert LeakReport.from_json(document) == report
    assert document == {
        "corpus_questions": 2,
        "eval_questions": 2,
        "by_reason": {"id": 0, "title": 2, "question": 2, "answer": 0},
        "leaks": [
            {"question_id": "90000009", "eval_id": "a", "reasons": ["question"], "share": 1.0},
            {"question_id": "90000009", "eval_id": "b", "reasons": ["title", "question"], "share": 1.0},
            {"question_id": "90000003", "eval_id": "a", "reasons": ["title", "question"], "share": 1.0},
        ],
    }  # fmt: skip


def test_ids_of_a_row():
    assert ids_of({"eval_id": "", "question_id": "12.0", "other": "9"}) == {"12"}
    assert title_key("  ") == ""


def test_the_share_of_a_leak_is_that_of_its_nearest_post():
    words = [f"w{n}" for n in range(40)]
    fields = {"question_title": "t", "question_body": " ".join(words), "answer_body": ""}
    half = " ".join(words[:20] + [f"x{n}" for n in range(20)])
    near = planted(9, question_body=" ".join(words))
    [leak] = search(
        [probe_of_row(1, fields)], [(1, near), (2, planted(9, question_body=half))]
    ).leaks
    assert leak.share == 1.0


def test_the_address_of_an_issue_is_an_id():
    address = "https://github.com/o/r/issues/7"
    assert ids_of({"issue_url": address}) == {address, "github.com/o/r/issues/7"}


def test_the_shortest_title_that_counts_is_a_leak():
    probe = probe_of_row(1, {"question": "No log file?\n\nx", "answer": ""})
    leaks = search([probe], [(1, planted(1) | {"question_title": "no log-file"})]).leaks
    assert [leak.reasons for leak in leaks] == [("title",)]


def test_markdown_bodies_are_searched_as_markdown():
    code = "`Map<String, List<Integer>>` `vector<int>` `Pair<first, second>` `Set<Key>` " * 3
    rows = [planted(1, question_body=code, answer_body="a `b`")]
    plain = {"eval_id": "q1", "question": f"Title\n\n{code}", "answer": ""}
    titled = {"eval_id": "q1", "question_title": "T", "question_body": code, "answer_body": ""}
    for probe in (probe_of_row(1, plain), probe_of_row(1, titled, "markdown")):
        assert [leak.reasons for leak in search_rows([probe], rows).leaks] == [("question",)]
    # The words in angle brackets are no tags.
    assert "integer" in probe_of_row(1, titled, "markdown").texts[0]
    assert "integer" not in probe_of_row(1, titled).texts[0]
