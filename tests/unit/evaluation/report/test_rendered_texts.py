"""The Markdown texts of the page: which are rendered, and that their HTML comes back from its packed form."""

import re

import pytest

from evaluation.report.question_blocks import _markdown_texts_of
from evaluation.report.rendered_texts import (
    _CITABLE,
    Place,
    packed_html,
    places_to_render,
    raw_texts,
)
from graph.html.answer_markdown import answer_html
from tests.fakes.report_pages import SEEDS, hostile

TEXTS = [
    "plain",
    "*a* & <b> `c`",
    "# title\n\n- one\n- two\n\n```python\nprint('x')\n```",
    "| a | b |\n|---|--:|\n| 1 | 2 |",
    "\U0001f600 *smile* \U0001f600 end",
    "a &amp; b &copy; \\* c",
    "windows\r\n```\r\ncode\r\n```",
    "as [1, 12] and [2][3] say, not `rows[4]`",
]


def unpacked(text, packed):
    """Return the HTML, put together as the script of the page does it."""
    units = text.encode("utf-16-le", "surrogatepass")
    position, parts = 0, []
    for part in re.split(r"(<[^>]*>)", packed):
        if part.startswith(("<", "=")) or not part:
            parts.append(part.removeprefix("="))
            continue
        length, _, skipped = part.partition("+")
        start = position + int(skipped or 0)
        position = start + int(length)
        shown = units[2 * start : 2 * position].decode("utf-16-le", "surrogatepass")
        parts.append(escaped(shown))
    return "".join(parts)


def escaped(text):
    return (
        text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    )


def one_form(html):
    """Return HTML with one form of each quote; the renderer and markupsafe have two."""
    return html.replace("&#34;", "&quot;").replace("&#39;", "'")


@pytest.mark.parametrize("text", [*TEXTS, *SEEDS, *(f"```python\n{seed}\n```" for seed in SEEDS)])
def test_the_html_comes_back_from_its_packed_form(text):
    packed = packed_html(text)
    assert one_form(unpacked(text, packed)) == one_form(str(answer_html(text, _CITABLE)))


def test_packed_html_repeats_little_of_the_text():
    text = "\n\n".join(f"Use `lock_{n}` of *module* {n}, which is safe." for n in range(100))
    assert "which is safe" not in packed_html(text)
    assert "module" not in packed_html(text)
    assert len(packed_html(text)) < len(answer_html(text)) * 0.7


def test_a_long_text_is_packed_as_one_part():
    [text] = hostile(1)
    assert packed_html(text) == f'<pre class="text">{len(text)}</pre>'


@pytest.mark.parametrize(
    ("limit", "places", "raw"),
    [
        (16, {Place.ANSWER, Place.DRAFT, Place.PASSAGE}, ""),
        (15, {Place.ANSWER, Place.DRAFT}, "passages"),
        (10, {Place.ANSWER}, "drafts and notes, passages"),
        (4, set(), "questions, references and answers, drafts and notes, passages"),
    ],
)
def test_the_first_texts_of_a_large_report_are_rendered(limit, places, raw):
    texts = [
        (Place.ANSWER, "a" * 5),
        (Place.DRAFT, "d" * 6),
        (Place.DRAFT, "a" * 5),
        (Place.PASSAGE, "p" * 5),
        (Place.PASSAGE, "d" * 6),
    ]
    rendered = places_to_render(texts, limit)
    assert rendered == places
    assert raw_texts(rendered) == raw


def test_every_markdown_text_of_a_record_is_known_and_no_other():
    record = {
        "answer": "answer",
        "reasoning": "",
        "metrics": {"BLEU": 0.5},
        "passages": [{"question_id": "1", "title": "title", "text": "passage"}],
        "steps": [
            {
                "node": "generate",
                "replies": [{"text": "reply", "prompt": "prompt"}],
                "candidates": [{"text": "draft", "reasoning": "notes"}],
                "points": ["point"],
                "answer": "after",
            }
        ],
        "seconds": {"answer": 3},
    }
    assert sorted(_markdown_texts_of(record)) == [
        (Place.ANSWER, "answer"),
        (Place.DRAFT, "after"),
        (Place.DRAFT, "draft"),
        (Place.DRAFT, "notes"),
        (Place.PASSAGE, "passage"),
    ]
