"""The report in a real browser: what it does, what it asks for, and that no text of a run runs."""

import json
import os
from pathlib import Path

import pytest

from evaluation.report.report_file import write_report
from graph.narration import narrate
from tests.fakes.colours import contrast
from tests.fakes.fake_models import reply, verdict
from tests.fakes.records import failed, record
from tests.fakes.rendered_markdown import ATTRIBUTES, TAGS
from tests.fakes.report_pages import hostile
from tests.fakes.run_folders import make_run, scored

LIST = ".list li"
STATUS = """document.querySelector(".status").textContent"""

VISIT = """
async (expected) => {
  const questions = JSON.parse(expected), wrong = [], counts = [];
  const textsOf = (selector) => [...document.querySelectorAll(selector)].map((box) => box.textContent);
  for (let index = 0; index < questions.length; index++) {
    location.hash = `#question-${index}`;
    const title = `Question ${index} `;
    while (!(document.querySelector("#question-title") || {textContent: ""}).textContent.startsWith(title)) {
      await new Promise((done) => setTimeout(done, 2));
    }
    const pageSwitch = document.getElementById("raw-texts");
    // Every other question is shown as it was written; the switch stays for the questions after it.
    if (pageSwitch.getAttribute("aria-pressed") !== String(index % 2 === 1)) pageSwitch.click();
    const isShown = (node) => getComputedStyle(node).display !== "none";
    const views = [...document.querySelectorAll(".question .answer-text")]
      .map((node) => [isShown(node), isShown(node.nextElementSibling)]);
    if (views.length !== 8 || views.some(([rendered, raw]) => rendered === raw || raw !== (index % 2 === 1))) {
      wrong.push([index, "views", views, pageSwitch.getAttribute("aria-pressed")]);
    }
    for (const node of document.querySelectorAll(".answer-text *")) {
      const foreign = node.getAttributeNames().filter((name) => !ATTRIBUTES.includes(name));
      if (!TAGS.includes(node.localName) || foreign.length) wrong.push([index, node.localName, foreign]);
    }
    const actual = {
      pre: textsOf(".question pre.text:not(.answer-text *)"),
      title: textsOf("#question-title .inline"),
      passage: textsOf(".passages .inline"),
      node: textsOf(".trace > li > details > summary > b > .inline"),
    };
    if (questions[index].rendered) actual.rendered = textsOf(".answer-text").map((text) => text.trim());
    for (const [name, texts] of Object.entries(actual)) {
      if (JSON.stringify(texts) !== JSON.stringify(questions[index][name])) {
        wrong.push([index, name, texts, questions[index][name]]);
      }
    }
    // Other texts are in other slices, so that their tables have other rows.
    counts.push(document.querySelectorAll("*:not(#slices *, .answer-text *)").length);
  }
  return [wrong, counts];
}
""".replace("ATTRIBUTES", json.dumps(sorted(ATTRIBUTES | {"tabindex"}))).replace(
    "TAGS", json.dumps(sorted(TAGS))
)


def choose(page, label, value):
    page.locator("#app").get_by_label(label, exact=True).select_option(str(value))


def wait_for_focus(page, selector):
    page.locator(f"{selector}:focus").wait_for()


def question(number):
    return f".list a[href='#question-{number}']"


def wait_for_status(page, text):
    page.locator(".status").filter(has_text=text).wait_for()


def test_it_opens_from_disk_and_asks_for_nothing(tab, report):
    opened = tab()
    page = opened.open(report)
    assert page.evaluate(STATUS) == "60 questions of 60, page 1 of 2"
    assert page.locator(LIST).count() == 50
    page.locator("#graphs").scroll_into_view_if_needed()
    assert page.evaluate("[...document.images].every((image) => image.naturalWidth > 0)")
    assert (opened.foreign_requests(), opened.errors, opened.dialogs) == ([], [], [])


def test_questions_are_filtered_searched_and_sorted(tab, report):
    opened = tab()
    page = opened.open(report)
    choose(page, "Run", 1)
    choose(page, "Show", "failed")
    assert page.evaluate(STATUS) == "1 question of 60"
    assert page.locator(LIST).first.locator(".score").inner_text().startswith("failed")
    choose(page, "Show", "all")
    page.get_by_label("Search in questions, references and answers").fill("CASE-0017")
    wait_for_status(page, "1 question of 60")
    page.get_by_label("Search in questions, references and answers").fill("")
    wait_for_status(page, "60 questions of 60")
    choose(page, "Sort by", "low")
    scores = [float(text.split()[0]) for text in page.locator(".list .score").all_inner_texts()]
    assert len(scores) == 50
    assert scores == sorted(scores)
    choose(page, "Run", 0)
    choose(page, "Show", "outcome-2")
    badges = set(page.locator(".list .badge").all_inner_texts())
    assert badges == {"not retrieved"}
    assert opened.errors == []


def test_a_trace_shows_everything_that_happened(tab, report):
    page = tab().open(report, "#question-4")
    choose(page, "Run", 3)
    page.wait_for_selector(".trace")
    steps = page.locator(".trace > li > details > summary > b").all_inner_texts()
    assert steps == ["retrieve", "generate", "critique", "refine", "rerank_refined", "judge"]
    trace = page.locator(".trace")
    link = trace.locator(".passages a").first
    assert link.get_attribute("href").startswith("https://example.org/questions/")
    assert link.get_attribute("rel") == "noreferrer noopener nofollow"
    text = " ".join(trace.inner_text().split())
    for part in (
        "score 0.",
        "Draft 1",
        "Refinement 2",
        "Candidate 2, refinement",
        "P(A)",
        "P(4)",
        "candidate 1 over candidate 2",
        "Score: 0.",
    ):
        assert part in text
    assert "Chosen: candidate" in text
    assert page.locator(".question pre.answer").count() == 1


CANDIDATES = [
    {"text": "one", "reasoning": "", "source": "passage", "passage": 7},
    {"text": "two", "reasoning": "", "source": "adaptation"},
    {"text": "three", "reasoning": "", "source": "reviewed"},
    {"text": "four", "reasoning": ""},
]
LIKELIHOOD = {
    "mean_logprob": -0.25,
    "scored_tokens": 20,
    "prompt": "",
    "cached": False,
    "prompt_tokens": 5,
    "cut_tokens": 0,
    "tokens_estimated": False,
    "seconds": 0.0,
}
GATED_STEPS = [
    {"node": "assess_passages", "expected_score": 0.25, "closed_book": True},
    {
        "node": "rerank_drafts",
        "candidates": CANDIDATES,
        "scores": [{"score": n / 4, "expected": n / 8, "features": {}} for n in range(4)],
        "agreements": [0.5] * 4,
        "likelihoods": [LIKELIHOOD] * 4,
        "chosen": 3,
        "answer": "four",
    },
    {
        "node": "accept",
        "candidates": CANDIDATES[:2],
        "preferences": [{"first": 0, "second": 1, "first_wins": 0.25, "orders_agree": True}],
        "verdicts": [verdict({"A": 0.25, "B": 0.75}), verdict({"A": 0.75, "B": 0.25})],
        "chosen": 1,
        "answer": "five",
    },
    {"node": "abstain", "expected_score": 0.5, "withheld": False, "answer": "five"},
]


def test_the_choices_of_a_trace_have_the_words_of_the_terminal(tab, tmp_path, capsys):
    folder = make_run(tmp_path / "a", [record(0, answer="five", steps=GATED_STEPS)])
    write_report([folder], tmp_path / "report.html")
    page = tab().open(tmp_path / "report.html", "#question-0")
    page.wait_for_selector(".trace")
    texts = page.locator(".trace li:not(.trace > li), .trace summary, .trace p").all_inner_texts()
    # A sentence of the page has a capital and a full stop.
    on_page = {" ".join(text.split()).rstrip(".").casefold() for text in texts}
    for step in GATED_STEPS:
        narrate(step)
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    expected = [
        "candidate 1, passage 7: score 0.000, expected score 0.000",
        "candidate 2, adaptation: score 0.250, expected score 0.125",
        "candidate 3, reviewed: score 0.500, expected score 0.250",
        "candidate 4, draft: score 0.750, expected score 0.375",
        "candidate 1: agreement with the others 0.500",
        "candidate 1: mean log-probability of a token -0.250, over 20 tokens",
        "chosen: candidate 4",
        "the answer before over the refinement: 0.250, both orders agree",
        "the refinement was kept",
        "expected score 0.250: no passage is in the prompts",
        "expected score 0.500: the answer stays",
    ]
    assert [text for text in expected if text not in on_page] == []
    assert [text for text in expected if text not in lines] == []
    assert "candidate 1, passage 7" in on_page
    assert "candidate 4, draft chosen" in on_page
    # The names of these two say where they come from.
    assert {"the answer before", "the refinement chosen"} <= on_page


CACHED = {"prompt_tokens": 2_048, "cached_tokens": 1_024}
COSTLY_STEPS = [
    {"node": "retrieve", "seconds": 12.34, "passages": []},
    {"node": "generate", "replies": [reply("one", **CACHED), reply("two", cut_tokens=1_200)]},
    {
        "node": "critique",
        "seconds": 0.04,
        "replies": [reply("", cut_tokens=12, cut_tokens_estimated=True)],
    },
    {"node": "refine", "replies": [reply("", cut_tokens=12, tokens_estimated=True)]},
    {"node": "likelihood", "likelihoods": [LIKELIHOOD] * 2},
    # The name of a property of every object in JavaScript.
    {"node": "constructor", "candidates": [{"text": "one", "reasoning": ""}]},
]


def test_the_costs_and_texts_of_a_step_have_the_words_of_the_terminal(tab, tmp_path, capsys):
    folder = make_run(tmp_path / "a", [record(0, steps=COSTLY_STEPS)])
    write_report([folder], tmp_path / "report.html")
    page = tab().open(tmp_path / "report.html", "#question-0")
    page.wait_for_selector(".trace")
    costs = page.locator(".trace > li > details > summary > .cost").all_inner_texts()
    for step, cost in zip(COSTLY_STEPS, costs, strict=True):
        narrate(step)
        headline = capsys.readouterr().out.splitlines()[0]
        _, *parts = headline.strip(" \u2500").split("  |  ")
        assert sorted(cost.split(", ")) == sorted(parts or [""])
    assert costs[1] == "2,055 tokens read (1,024 cached), 6 written, 1,200 cut to fit"
    assert page.locator(".trace .draft b").all_inner_texts() == ["Draft 1"]


CITING = "As [2] and [1, 7] say, `rows[1]` is:\n\n```python\nrows[1]  # [2]\n```\n"
POSTS = [
    {
        "number": number,
        "question_id": f"p{number}",
        "title": f"title {number}",
        "text": f"As [1] says, post {number}.",
        "answer_chars": 1,
        "score": 0.5,
        "url": f"https://example.org/questions/{number}",
        "licence": "CC BY-SA 4.0",
    }
    for number in (1, 2, 3)
]


def test_citations_lead_to_the_passages_of_their_own_run(tab, tmp_path):
    folders = []
    for name, passages in (("keyword", POSTS[:2]), ("semantic", POSTS)):
        steps = [{"node": "retrieve", "passages": passages}, {"node": "generate", "answer": CITING}]
        records = [record(0, answer=CITING, reference=CITING, passages=passages, steps=steps)]
        folders.append(make_run(tmp_path / name, records, config=name))
    write_report(folders, tmp_path / "report.html")
    opened = tab()
    page = opened.open(tmp_path / "report.html", "#question-0")
    links = page.locator(".question a.citation[href]")
    # In the answer, and in the answer after the step: not in the reference, in code or in a passage.
    assert links.all_text_contents() == ["2", "1"] * 2
    assert page.locator(".trace a.citation[href]").count() == 2
    link = page.locator(".answer-text.answer a.citation[href]").first
    link.press("Enter")
    wait_for_focus(page, ".passages li[data-passage='2'] > details[open] > summary")
    assert page.get_by_text("As [1] says, post 2.").first.is_visible()
    assert page.evaluate("location.hash") == "#question-0"
    page.keyboard.press("r")
    assert page.locator(".answer-text a.citation >> visible=true").count() == 0
    assert page.locator("pre.answer").inner_text() == CITING
    page.keyboard.press("r")
    choose(page, "Side by side with", 1)
    page.wait_for_selector(".columns .passages")
    page.locator(".columns").nth(1).locator(".column").nth(1).locator("a.citation[href]").nth(
        1
    ).click()
    wait_for_focus(page, ".column:last-child li[data-passage='1'] > details > summary")
    assert opened.errors == []


def test_the_raw_text_of_every_box_is_one_key_away_and_stays(tab, report):
    page = tab().open(report, "#question-4")
    page.wait_for_selector(".question .answer-text")
    assert page.locator(".answer-text.answer code").first.is_visible()
    assert not page.locator("pre.answer").is_visible()
    page.keyboard.press("r")
    assert page.locator("pre.answer").is_visible()
    assert page.locator(".question .answer-text >> visible=true").count() == 0
    page.keyboard.press("ArrowRight")
    page.locator("#question-title").filter(has_text="Question 5 ").wait_for()
    assert page.locator("pre.answer").is_visible()
    page.focus("#raw-texts")
    page.keyboard.press("Enter")
    assert page.locator("#raw-texts").get_attribute("aria-pressed") == "false"
    assert not page.locator("pre.answer").is_visible()


def test_two_runs_stand_side_by_side_with_their_differences_marked(tab, report):
    opened = tab()
    page = opened.open(report)
    choose(page, "Run", 2)
    choose(page, "Side by side with", 3)
    choose(page, "Sort by", "apart")
    gains = [
        abs(float(text)) for text in page.locator(".list .gain").all_inner_texts() if text != "none"
    ]
    assert gains == sorted(gains, reverse=True)
    page.locator(f"{LIST} a").first.click()
    page.wait_for_selector(".columns mark")
    one, other = (page.locator("pre.answer").nth(index) for index in (0, 1))
    shared_texts = [
        "".join(
            pre.evaluate(
                "(pre) => [...pre.childNodes].filter((n) => n.nodeType === 3).map((n) => n.data)"
            )
        )
        for pre in (one, other)
    ]
    assert "".join(shared_texts[0].split()) == "".join(shared_texts[1].split())
    rendered_texts = [
        box.evaluate(
            "(box) => { const copy = box.cloneNode(true);"
            " copy.querySelectorAll('mark').forEach((mark) => mark.remove()); return copy.textContent; }"
        )
        for box in page.locator(".answer-text.answer").all()
    ]
    assert "".join(rendered_texts[0].split()) == "".join(rendered_texts[1].split())
    assert page.locator(".answer-text.answer mark").first.is_visible()
    choose(page, "Side by side with", -1)
    page.wait_for_selector(".columns mark", state="detached")
    assert opened.errors == []


def test_what_one_run_lacks_is_said_and_breaks_nothing(tab, tmp_path):
    ours = [*scored([0.1, 0.2]), record(2, question="why 2?", answer="")]
    theirs = [*scored([0.3]), {**failed(1), "question": "why 1?"}]
    folders = [
        make_run(tmp_path / "a", ours, config="keyword"),
        make_run(tmp_path / "b", theirs, config="semantic", questions=3),
    ]
    write_report(folders, tmp_path / "report.html")
    opened = tab()
    page = opened.open(tmp_path / "report.html")
    choose(page, "Side by side with", 1)
    choose(page, "Show", "missing")
    assert page.evaluate(STATUS) == "1 question of 3"
    choose(page, "Show", "all")
    for number, text in ((1, "Failed: ValueError"), (2, "B semantic holds no record of this")):
        page.evaluate(f"location.hash = '#question-{number}'")
        page.locator("#question-title").filter(has_text=f"Question {number} ").wait_for()
        assert text in page.locator(".question").inner_text()
    assert opened.errors == []


def test_everything_can_be_reached_with_the_keyboard_alone(tab, report):
    page = tab().open(report)
    press = page.keyboard.press
    press("Tab")
    wait_for_focus(page, ".skip")
    press("Enter")
    press("/")
    wait_for_focus(page, "#search")
    page.keyboard.type("case")
    wait_for_status(page, "60 questions of 60, page 1")
    press("ArrowDown")
    wait_for_focus(page, question(0))
    press("ArrowDown")
    wait_for_focus(page, question(1))
    press("Enter")
    page.wait_for_selector("#question-title")
    wait_for_focus(page, "#question-title")
    press("ArrowRight")
    page.locator("#question-title").filter(has_text="Question 2 ").wait_for()
    press("Escape")
    page.wait_for_selector(".list")
    wait_for_focus(page, question(2))
    press("End")
    wait_for_focus(page, question(49))
    press("Tab")
    press("Enter")
    wait_for_status(page, "page 2 of 2")
    wait_for_focus(page, question(50))
    page.focus("#metric")
    press("ArrowUp")
    assert page.locator("figure[data-metric='0']").first.is_visible()
    outlines = page.evaluate(
        "[...document.querySelectorAll('.list a, button:not([disabled]), select, input')].map((node) => {"
        " node.focus(); return getComputedStyle(node).outlineStyle; })"
    )
    assert set(outlines) == {"solid"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_on_a_phone(tab, report, scheme):
    page = tab(viewport={"width": 360, "height": 740}, color_scheme=scheme).open(report)
    ink, paper = page.evaluate(
        "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    )
    assert contrast(ink, paper) > 7
    for fragment in ("", "#question-4"):
        page.goto(report.as_uri() + fragment)
        page.wait_for_selector("html[data-ready]", state="attached")
        assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_without_javascript_tables_and_plots_are_there(tab, report):
    opened = tab(java_script_enabled=False)
    opened.page.goto(report.as_uri())
    assert opened.page.locator("table.means tbody tr").count() == 4
    assert opened.page.locator("figure svg").count() > 20
    assert opened.page.get_by_text("The questions need JavaScript.").is_visible()
    assert not opened.page.locator("#app").is_visible()


def test_the_policy_is_in_force(tab, report):
    opened = tab()
    page = opened.open(report)
    outcome = page.evaluate(
        """() => {
          const outcomes = [];
          try { document.body.innerHTML += "<b>x</b>"; outcomes.push("parsed"); } catch { outcomes.push("refused"); }
          const image = document.createElement("img");
          try { image.setAttribute("onerror", "window.ran = true"); outcomes.push("set"); } catch { outcomes.push("refused"); }
          image.src = "https://example.invalid/x.png";
          document.body.append(image);
          const script = document.createElement("script");
          try { script.textContent = "window.ran = true"; document.body.append(script); } catch { /* refused */ }
          return new Promise((done) => setTimeout(() => done([...outcomes, window.ran === undefined]), 200));
        }"""
    )
    assert outcome == ["refused", "refused", True]
    assert any("img-src" in error for error in opened.errors)


def test_hostile_texts_are_shown_as_they_are_and_nothing_of_them_runs(tab, tmp_path):
    texts = hostile()
    counts = []
    tame = [f"text {n} \U0001f600 *b* `c` & <i> d{n}" for n in range(len(texts))]
    for name, fill in (("hostile", texts), ("tame", tame)):
        folder = make_run(tmp_path / name, [_filled(n, text) for n, text in enumerate(fill)])
        write_report([folder], tmp_path / f"{name}.html")
        opened = tab()
        page = opened.open(tmp_path / f"{name}.html")
        expected = [
            {"pre": [text] * 9, "title": [text], "passage": [text] * 3, "node": [text]}
            for text in fill
        ]
        if fill is tame:
            for number, item in enumerate(expected):
                item["rendered"] = [f"text {number} \U0001f600 b c & <i> d{number}"] * 8
        # As escaped JSON: lone surrogates pass no other way.
        wrong, elements = page.evaluate(VISIT, json.dumps(expected))
        assert wrong == []
        counts.append(elements)
        assert (opened.foreign_requests(), opened.dialogs, opened.errors) == ([], [], [])
        links = page.evaluate("[...document.links].map((link) => link.protocol)")
        assert set(links) <= {"file:", "http:", "https:"}
    assert counts[0] == counts[1]


def _filled(number, text):
    """Return a record that has the text in every field that people or models write."""
    passage = {
        "number": 1,
        "question_id": "p1",
        "title": text,
        "text": text,
        "answer_chars": 1,
        "score": 0.5,
        "url": text,
        "licence": text,
    }
    draft = {"text": text, "reasoning": text}
    steps = [
        {
            "node": text,
            "passages": [passage],
            "candidates": [draft],
            "points": [text],
            "answer": text,
        }
    ]
    return record(
        number,
        eval_id=text,
        question=text,
        reference=text,
        answer=text,
        reasoning=text,
        passages=[passage],
        steps=steps,
        candidates=[],
    )


@pytest.mark.skipif(
    "OPENCODER_SCREENSHOTS" not in os.environ, reason="OPENCODER_SCREENSHOTS=docs takes them"
)
def test_screenshots(tab, report):
    folder = Path(os.environ["OPENCODER_SCREENSHOTS"])
    page = tab(viewport={"width": 1280, "height": 860}).open(report)
    page.screenshot(path=folder / "report.png")
    page = tab(viewport={"width": 1280, "height": 1000}).open(report)
    choose(page, "Run", 3)
    page.locator(f"{LIST} a").nth(4).click()
    page.wait_for_selector(".trace")
    page.locator(".trace").scroll_into_view_if_needed()
    page.evaluate("document.querySelector('.trace').scrollIntoView()")
    page.screenshot(path=folder / "report-question.png")
    page = tab(viewport={"width": 1280, "height": 1000}).open(report)
    choose(page, "Run", 2)
    choose(page, "Side by side with", 3)
    page.locator(f"{LIST} a").nth(4).click()
    page.wait_for_selector(".columns mark")
    page.evaluate("document.querySelectorAll('.part')[2].scrollIntoView()")
    page.screenshot(path=folder / "report-compare.png")
    page = tab(viewport={"width": 390, "height": 844}, color_scheme="dark").open(report)
    page.screenshot(path=folder / "report-dark-phone.png")
