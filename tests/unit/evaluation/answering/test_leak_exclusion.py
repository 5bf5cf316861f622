"""Leaks: every planted copy of a question is found, and what only looks like one is not."""

import csv
import html
import json
import random
import re
from functools import cache
from pathlib import Path

import pytest

from dataset.check.leaks import Leak, Leaks, ids_of, probe_of_row, search
from dataset.check.overlap import Overlap
from dataset.check.words import covered, html_words, markdown_words, runs, title_key
from evaluation.answering.leak_exclusion import find_leaks
from evaluation.answering.questions import Item, load_items
from graph.markdown import to_markdown
from graph.support.errors import DatasetError
from tests.fakes.corpora import row, write_corpus

SAMPLE = Path(__file__).parents[4] / "dataset" / "sample"
CORPUS = SAMPLE / "question_answer.csv"
DATASET = SAMPLE / "coderepoqa_python.csv"
FILLER = (
    "<p>Nothing here has to do with it: my neighbour keeps seven hens, two of which lay blue eggs "
    "on Mondays, and every other day he paints a small wooden fence around their yard.</p>"
)

ALIKE = {("90000072", "7001067"), ("90000148", "7000073")}
"""Two questions of the sample quote the same lines of code and the same error."""


@cache
def posts():
    with CORPUS.open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file, strict=True))


def asked(post):
    """Return a post of the sample as a question of a dataset."""
    return {
        "eval_id": post["question_id"],
        "question_title": post["question_title"],
        "question_body": post["question_body"],
        "answer_body": post["answer_body"],
    }


def planted(number, **changes):
    """Return a row of a corpus that has nothing in common with any question."""
    other = {"question_body": FILLER, "answer_body": f"<p>{FILLER}</p>"}
    return row(90_000_000 + number, f"Hens and fences, part {number}", **{**other, **changes})


def found_in(probes, rows):
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


def cut_of_words(body, chance):
    """Four fifths of the words as one plain paragraph."""
    words = html.unescape(re.sub(r"<[^<>]*>", " ", body)).split()
    length = len(words) * 4 // 5
    start = chance.randrange(len(words) - length + 1)
    return f"<p>{html.escape(' '.join(words[start : start + length]))}</p>"


def with_other_tags(body, chance):
    """Four fifths of the words, each line in tags of its own, in capitals and with other breaks."""
    words = html.unescape(re.sub(r"<[^<>]*>", " ", body)).upper().split()
    length = len(words) * 4 // 5
    start = chance.randrange(len(words) - length + 1)
    tags = ("em", "strong", "code", "span")
    marked = [
        f"<{tags[place % 4]} class='x'>{html.escape(word)}</{tags[place % 4]}>"
        for place, word in enumerate(words[start : start + length])
    ]
    return "<div>" + "<br/>\n".join(marked) + "</div>"


def in_a_longer_post(body, chance):
    return FILLER * 9 + cut_of_words(body, chance) + FILLER * 9


CUTS = (cut_of_source, cut_of_words, with_other_tags, in_a_longer_post)


@pytest.mark.parametrize("cut", CUTS)
def test_four_fifths_of_a_body_are_found_wherever_they_are_cut(cut):
    probes = [probe_of_row(number, asked(post)) for number, post in enumerate(posts(), 1)]
    chance = random.Random(cut.__name__)
    rows = [
        planted(number, question_body=cut(post["question_body"], chance))
        for number, post in enumerate(posts())
    ]
    leaks = found_in(probes, rows)
    wanted = [
        (made["question_id"], post["question_id"]) for made, post in zip(rows, posts(), strict=True)
    ]
    assert len(wanted) >= 300
    found = [(leak.question_id, leak.eval_id) for leak in leaks.found]
    assert set(wanted) - set(found) == set()
    assert set(found) - set(wanted) <= ALIKE
    assert {leak.reasons for leak in leaks.found} == {("question",)}
    assert leaks.counts() == {"id": 0, "title": 0, "question": len(wanted), "answer": 0}


@pytest.mark.parametrize("change", [shouted, spaced_out, slug])
def test_the_same_title_in_another_spelling_is_found(change):
    probes = [probe_of_row(number, asked(post)) for number, post in enumerate(posts(), 1)]
    rows = [
        planted(number, question_title=change(post["question_title"]))
        for number, post in enumerate(posts())
    ]
    leaks = found_in(probes, rows)
    if change is not slug:  # a slug does not tell C++ and C# from C
        assert len(leaks.found) == len(posts())
    assert len(leaks.found) >= len(posts()) - 3
    for leak in leaks.found:
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
    asked_ = {"question": "What is it? " * 9, "answer": "this", **question}
    leaks = found_in([probe_of_row(3, asked_)], [planted(1), planted(2, **changes)])
    assert [(leak.reasons, leak.share) for leak in leaks.found] == [(("id",), 0.0)]
    assert leaks.found[0].eval_id == (question.get("eval_id", "").strip() or "3")


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
    asked_ = {"question": "What is it? " * 9, "answer": "this", **question}
    assert found_in([probe_of_row(7, asked_)], [planted(1, question_id="7")]).found == ()


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
    leaks = found_in([probe_of_row(1, question)], [planted(1, question_title=other)])
    assert [leak.reasons for leak in leaks.found] == ([("title",)] if same else [])


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
    known = Overlap()
    known.add(5, question.split())
    assert known.find(body.split()) == ({} if share is None else {5: pytest.approx(share)})


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
    leaks = found_in(probes, rows)
    assert [(leak.question_id, leak.reasons, leak.share) for leak in leaks.found] == [
        ("90000001", ("answer",), 1.0),
        ("90000002", ("answer",), 0.8),
    ]


def test_a_question_without_a_title_is_compared_as_a_whole():
    question = f"{numbers(0, 60)}\n\n{numbers(60, 40)}"
    probes = [probe_of_row(1, {"question": question, "answer": "a"})]
    leaks = found_in(probes, [planted(1, question_body=numbers(0, 80))])
    assert [leak.reasons for leak in leaks.found] == [("question",)]


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
    leaks = found_in(probes, rows)
    assert leaks.found == (
        Leak("90000009", "a", ("question",), 1.0),
        Leak("90000009", "b", ("title", "question"), 1.0),
        Leak("90000003", "a", ("title", "question"), 1.0),
    )
    assert leaks.question_ids == ("90000009", "90000003")
    assert leaks.eval_ids == ("a", "b")
    assert leaks.counts() == {"id": 0, "title": 2, "question": 2, "answer": 0}
    assert json.loads(json.dumps(leaks.to_data())) == {
        "corpus_questions": 2,
        "eval_questions": 2,
        "by_reason": {"id": 0, "title": 2, "question": 2, "answer": 0},
        "leaks": [
            {"question_id": "90000009", "eval_id": "a", "reasons": ["question"], "share": 1.0},
            {"question_id": "90000009", "eval_id": "b", "reasons": ["title", "question"], "share": 1.0},
            {"question_id": "90000003", "eval_id": "a", "reasons": ["title", "question"], "share": 1.0},
        ],
    }  # fmt: skip


def test_the_sample_does_not_leak():
    items = load_items(DATASET)
    assert find_leaks(items, CORPUS) == Leaks(())
    assert find_leaks(items, CORPUS, DATASET) == Leaks(())


def test_items_are_found_as_the_rows_that_they_come_from(tmp_path):
    chance = random.Random(1)
    some = posts()[::6]
    dataset = write_corpus(tmp_path / "d.csv", [asked(post) for post in some])
    bodies = [cut_of_words(post["question_body"], chance) for post in some]
    rows = [planted(number, question_body=body) for number, body in enumerate(bodies)]
    rows += [planted(100, question_title=some[0]["question_title"].upper())]
    rows += [planted(101, question_id=some[1]["question_id"])]
    corpus = write_corpus(tmp_path / "c.csv", rows)
    items = load_items(dataset)
    leaks = find_leaks(items, corpus)
    assert len(some) >= 60
    assert leaks == find_leaks(items, corpus, dataset)
    assert leaks.counts() == {"id": 1, "title": 1, "question": len(some), "answer": 0}
    assert {leak.eval_id for leak in leaks.found} == {post["question_id"] for post in some}
    assert find_leaks(items[:3], corpus, dataset).eval_ids == leaks.eval_ids[:3]


def test_the_number_of_a_row_is_no_id_of_an_item(tmp_path):
    corpus = write_corpus(tmp_path / "c.csv", [planted(1, question_id="1")])
    items = [Item(0, "1", "What is it? " * 9, "", ()), Item(1, "1", "What now? " * 9, "", ())]
    assert [leak.reasons for leak in find_leaks(items, corpus).found] == [("id",)]
    assert find_leaks(items[:1], corpus).found == ()


def test_a_dataset_that_lacks_an_item_is_refused(tmp_path):
    dataset = tmp_path / "d.csv"
    dataset.write_text("eval_id,question,answer\na,q,r\n", encoding="utf-8")
    items = [Item(0, "b", "What is it?", "", ())]
    with pytest.raises(DatasetError, match="has no question with the eval_id 'b'"):
        find_leaks(items, CORPUS, dataset)


def test_words_are_those_of_the_text_whatever_the_mark_up():
    text = (
        "<h2>Dicts</h2><p>See <a href='https://example.org/a_(b)?c=d'>the docs</a>, <b>bo</b>ld"
        "<br>next<img src='x' alt='a shape'></p><ol><li>one</li><li>two</li></ol><!-- no -->"
        "<script>evil()</script><pre class='lang-python'><code>if a &lt; b:\n    c[d](e)</code></pre>"
    )
    words = ["dicts", "see", "the", "docs", "bo", "ld", "next", "one", "two", "if", *"abcde"]
    assert html_words(text) == words
    assert markdown_words(
        "## Dicts\n\nSee [the docs](https://example.org/a_%28b%29?c=d), **bo**ld\nnext"
        "[image: a shape]\n\n1. one\n2. two\n\n```python\nif a < b:\n    c[d](e)\n```"
    ) == words  # fmt: skip
    assert html_words("plain STRASSE straße") == ["plain", "strasse", "strasse"]
    assert html_words("你好 world") == ["你", "好", "world"]
    assert html_words("<div>" * 3000 + "deep &amp; down") == ["deep", "down"]
    assert html_words("<?xml version='1.0' encoding='utf-16'?><p>a\ud800b\x00</p>") != []
    assert html_words("") == html_words("<!-- -->") == []


def test_markdown_made_from_html_has_the_words_of_the_html():
    different = [
        post["question_id"]
        for post in posts()[::5]
        if markdown_words(to_markdown(post["question_body"])) != html_words(post["question_body"])
    ]
    assert different == []


def test_runs_are_counted_by_the_words_that_they_cover():
    words = list("abcdef")
    hashes = runs(words, 3)
    assert len(hashes) == 4
    assert runs(words, 7) == []
    assert covered(hashes, 3, set()) == 0
    assert covered(hashes, 3, {hashes[1]}) == 3
    assert covered(hashes, 3, {hashes[0], hashes[1]}) == 4
    assert covered(hashes, 3, {hashes[0], hashes[3]}) == 6
    assert runs(["x", *words], 3)[1:] == hashes


def test_ids_of_a_row():
    assert ids_of({"eval_id": "", "question_id": "12.0", "other": "9"}) == {"12"}
    assert title_key("  ") == ""
