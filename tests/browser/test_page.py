"""The ask page in a real browser: what it shows, what it asks for, and that no text of others runs."""

import asyncio
import json
from threading import Event
from time import monotonic

import pytest

from graph.config import load_config
from serving.page.event_documents import documents as documents_of
from serving.question_queue import Answered, Chunk, StepEnded, StepStarted
from tests.fakes.colours import contrast
from tests.fakes.fake_models import reply
from tests.fakes.page_servers import FAILING, REFINED, PageServer
from tests.fakes.page_tabs import (
    ask,
    ask_beside,
    ask_one_behind_another,
    reload,
    wait_for_status,
    wait_until_ready,
)
from tests.fakes.report_pages import SEEDS, hostile
from tests.fakes.waiting import FAR, wait_until

TOKEN = "a-token-of-some-length"
SHOW = """
async (runs) => {
  const { RunView } = await import("/assets/run_view.js");
  const wrong = [];
  for (const { text, documents, fields } of JSON.parse(runs)) {
    const run = new RunView(text, text);
    document.getElementById("answers").replaceChildren(run.node);
    for (const item of documents) run.show(item);
    for (const details of run.node.querySelectorAll("details")) details.open = true;
    for (const word of run.node.querySelectorAll(".changes del")) word.remove();
    for (const [selector, count] of Object.entries(fields)) {
      const shown = [...run.node.querySelectorAll(selector)].map((box) => box.textContent);
      if (shown.length !== count || shown.some((other) => other !== text)) {
        wrong.push([text.slice(0, 80), selector, shown.map((other) => other.slice(0, 80))]);
      }
    }
    for (const link of document.links) {
      if (!["http:", "https:"].includes(link.protocol)) wrong.push([text.slice(0, 80), link.href]);
    }
    // Give what could run the time to run.
    await new Promise((done) => setTimeout(done));
  }
  return wrong;
}
"""
FORBID_CLIPBOARD = """
Object.defineProperty(navigator, "clipboard", { get() { throw new DOMException("no clipboard", "NotAllowedError"); } });
"""
BREAK_FETCH = """
(event) => {
  window.fetch = async (_, { signal }) => {
    window.signalOfFetch = signal;
    if (event === "cannot connect") throw new TypeError("Failed to fetch");
    let isSent = false;
    return new Response(new ReadableStream({
      pull(controller) {
        if (isSent) controller.error(new TypeError("network error"));
        else controller.enqueue(new TextEncoder().encode(`data: ${event}\\n\\n`));
        isSent = true;
      },
    }, { highWaterMark: 0 }));
  };
}
"""
"""Lets a question arrive nowhere, or sends one event before the connection breaks."""
FIELDS = {
    ".config bdi": 1,
    ".passages-part .box > pre.text": 1,
    ".passages-part .title bdi": 1,
    ".passages-part .licence bdi": 1,
    ".passages-part .source > :first-child": 1,
    "th.title bdi": 1,
    ".step thead bdi": 1,
    ".step-name bdi": 3,
    ".draft-name bdi": 1,
    ".draft > .box > pre.text": 3,
    ".reasoning pre.text": 3,
    ".changes pre": 1,
    ".step-body > ul bdi": 1,
    ".points pre.text": 1,
    ".calls pre.text": 4,
    ".verdicts td > bdi": 1,
    ".failure > bdi": 1,
    ".answer > .box > pre.text": 1,
}
"""Where a text of each field is shown as it is, and how often."""


def foreign_requests(opened, server):
    return [url for url in opened.requests if not url.startswith((server.url, "data:"))]


def test_the_steps_of_a_question_are_shown_as_they_happen(opened, server):
    tab = opened()
    page = tab.page
    with server.engine.held() as release:
        ask(page, "How do I sort a dict?", "semantic_cot")
        for number, node in enumerate(("generate", "critique", "refine"), 1):
            if node == "generate":
                # Its notes first.
                page.locator(".live pre", has_text="A dict keeps the order").wait_for()
                release()
            page.locator(".live .label", has_text=f"{node} writes").wait_for()
            page.locator(f".flow .node[data-node='{node}'].live").wait_for()
            # Those before it have ended.
            assert page.locator(".steps > li").count() == number
            release()
    wait_for_status(page, "answered in")
    names = page.locator(".step-name").all_inner_texts()
    assert names == ["retrieve", "generate", "critique", "refine"]
    assert page.locator(".flow .done").count() == 6
    assert page.locator(".passage").count() == 3
    assert page.locator(".answer pre.code .hl-k").first.inner_text() == "def"
    page.get_by_text("Open or close all").click()
    refine = page.locator(".step", has=page.locator("text='refine'"))
    assert "smallest" in refine.locator("del").all_inner_texts()
    assert "largest" in refine.locator("ins").all_inner_texts()
    assert page.locator(".reasoning pre").first.inner_text().startswith("A dict keeps the order")
    assert page.locator(".points li").count() == 2
    assert (tab.errors, tab.dialogs, foreign_requests(tab, server)) == ([], [], [])


def test_a_citation_leads_to_its_passage(opened):
    page = opened().page
    ask(page, "How do I sort a dict?")
    wait_for_status(page, "answered in")
    page.locator(".answer a.citation").first.click()
    page.locator(".passage[data-passage='2'].followed summary:focus").wait_for()
    assert page.locator(".passage[data-passage='2'] details").get_attribute("open") is not None
    page.locator(".answer .raw-toggle").click()
    assert page.locator(".answer pre.text").text_content() == REFINED
    assert not page.locator(".answer .answer-text").is_visible()


def test_a_citation_opens_no_empty_page_in_another_tab(opened):
    tab = opened()
    page = tab.page
    ask(page, "How do I sort a dict?")
    wait_for_status(page, "answered in")
    for click in ({"button": "middle"}, {"modifiers": ["Control"]}):
        page.locator("#question").focus()
        page.locator(".answer a.citation").first.click(**click)
        page.locator(".passage[data-passage='2'] summary:focus").wait_for()
    assert (len(tab.context.pages), page.url) == (1, tab.requests[0])


def test_code_is_copied_as_it_is(opened):
    tab = opened(permissions=["clipboard-read", "clipboard-write"])
    ask(tab.page, "How do I sort a dict?")
    wait_for_status(tab.page, "answered in")
    tab.page.locator(".answer").get_by_label("Copy this python").click()
    tab.page.get_by_text("Copied").wait_for()
    code = REFINED.split("```python\n")[1].split("```")[0]
    assert tab.page.evaluate("navigator.clipboard.readText()") == code


def test_a_copy_without_a_clipboard_leaves_the_focus_where_it_is(opened):
    page = opened(before=FORBID_CLIPBOARD).page
    ask(page, "How do I sort a dict?")
    wait_for_status(page, "answered in")
    page.locator(".answer").get_by_label("Copy this python").focus()
    page.keyboard.press("Enter")
    page.locator(".answer .copy:focus", has_text="Copied").wait_for()


def test_a_failure_is_called_what_it_is_and_frees_its_place(opened):
    tab = opened()
    page = tab.page
    for event, heading, message in (
        ("cannot connect", "There is no answer:", "the server cannot be reached"),
        ('{"type": "queued"}', "There is no answer:", "the connection to the server broke"),
        ('{"type": "step"}', "The page cannot show this run:", "TypeError: Cannot"),
    ):
        # A fault of the page itself goes to its console too.
        assert tab.errors == []
        page.evaluate(BREAK_FETCH, event)
        ask(page, "why?")
        wait_for_status(page, "failed")
        failure = page.locator(".question[open] .failure")
        assert failure.locator("p").inner_text() == heading
        assert failure.locator("pre").inner_text().startswith(message)
        assert page.evaluate("window.signalOfFetch.aborted")
    assert len(tab.errors) == 1


def test_a_question_is_stopped_within_a_second(opened, server):
    page = opened().page
    with server.engine.held():
        ask(page, "How do I sort a dict?")
        page.locator(".live pre").wait_for()
        start = monotonic()
        page.get_by_role("button", name="Stop").click()
        wait_for_status(page, "stopped")
        wait_until(lambda: not server.engine.running and not server.queue.running)
        assert monotonic() - start < 1
    lines = page.locator(".answer").inner_text().split("\n")
    assert lines[0] == "Stopped before there was an answer."
    assert "Not finished:" in lines
    assert page.locator(".answer .drafts pre").text_content().startswith("Sort the items")
    ask(page, "Another one", "baseline")
    wait_for_status(page, "answered in")


def test_the_same_question_is_answered_by_another_config_beside_it_and_stays_in_the_tab(opened):
    tab = opened()
    page = tab.page
    ask(page, "How do I sort a dict?", "baseline")
    wait_for_status(page, "answered in")
    ask_beside(page, "semantic")
    wait_for_status(page, "answered in", run=1)
    boxes = [run.bounding_box() for run in page.locator(".run").all()]
    assert boxes[0]["y"] == boxes[1]["y"]
    assert boxes[0]["x"] + boxes[0]["width"] < boxes[1]["x"]
    ask(page, "And a list?", "baseline")
    wait_for_status(page, "answered in")
    reload(page)
    assert page.locator(".question-text").all_inner_texts() == [
        "And a list?",
        "How do I sort a dict?",
    ]
    page.locator(".question-text").nth(1).click()
    page.locator(".question").nth(1).locator(".run").nth(1).wait_for()
    answers_shown = page.locator(".question").nth(1).locator(".answer").all_inner_texts()
    assert answers_shown[0].startswith("echo of How do I sort a dict?")
    assert "def by_value" in answers_shown[1]
    assert tab.errors == []


def test_a_copied_answer_names_its_passage(opened):
    page = opened().page
    ask(page, "How do I sort a dict?", "extract")
    wait_for_status(page, "answered in")
    note = page.locator(".answer .note")
    assert note.inner_text() == "Word for word from passage [1]:"
    note.locator("a").click()
    page.locator(".passage[data-passage='1'].followed summary:focus").wait_for()


def test_a_step_that_takes_long_says_what_the_first_question_waits_for(opened, server, monkeypatch):
    is_loaded = Event()
    monkeypatch.setattr(server.engine, "answer", lambda _: "loaded" * is_loaded.wait(FAR))
    page = opened().page
    page.clock.install()
    ask(page, "How do I sort a dict?", "baseline")
    page.locator(".live .label", has_text="generate").wait_for()
    page.clock.fast_forward(9_000)
    assert page.locator(".live .note").count() == 0
    page.clock.fast_forward(2_000)
    assert "loads the model" in page.locator(".live .note").inner_text()
    is_loaded.set()
    wait_for_status(page, "answered in")
    assert page.locator(".live .note").count() == 0
    is_loaded.clear()
    ask(page, "And a list?", "baseline")
    live = page.locator(".question[open] .live")
    live.locator(".label", has_text="generate").wait_for()
    page.clock.fast_forward(11_000)
    assert live.locator(".note").count() == 0
    is_loaded.set()
    wait_for_status(page, "answered in")


def test_the_page_warns_of_the_embedded_model_and_of_an_empty_question(opened):
    page = opened().page
    assert "its answers are often wrong" in page.locator("#caution").inner_text()
    ask(page, "  ", "baseline")
    assert page.locator("#problem").inner_text() == "The question is empty: write one."
    assert page.locator(".run").count() == 0


def test_the_form_names_the_steps_of_the_chosen_config(opened):
    page = opened().page
    line = page.locator("#config-steps")
    assert (
        line.inner_text()
        == "Steps: retrieve (semantic) \u2192 generate \u2192 critique \u2192 refine"
    )
    page.select_option("#config", "baseline")
    assert line.inner_text() == "Steps: generate"


def test_two_tabs_wait_for_each_other_and_a_closed_one_ends_its_work(opened, server):
    first, second = opened(), opened()
    with server.engine.held() as release:
        ask_one_behind_another(first.page, second.page)
        start = monotonic()
        first.context.close()
        wait_for_status(second.page, "generate runs")
        assert monotonic() - start < 1
        release()
    wait_for_status(second.page, "answered in")
    assert second.page.locator(".answer").inner_text().startswith("echo of the second")


def test_a_failed_step_shows_its_error_and_the_page_goes_on(opened, monkeypatch, tmp_path):
    monkeypatch.setenv("OPENCODER_CACHE", str(tmp_path))
    tab = opened()
    ask(tab.page, FAILING)
    wait_for_status(tab.page, "failed")
    failure = tab.page.locator(".answer .failure")
    assert "The step generate failed:" in failure.inner_text()
    assert failure.locator("pre").text_content() == "ValueError: the model <b>fails</b> here"
    assert tab.page.locator(".flow .failed").get_attribute("data-node") == "generate"
    ask(tab.page, "good", "baseline")
    wait_for_status(tab.page, "answered in")
    assert tab.errors == []


def test_everything_can_be_reached_with_the_keyboard_alone(opened, server):
    page = opened().page
    press = page.keyboard.press
    press("Tab")
    page.locator(".skip:focus").wait_for()
    press("Tab")
    page.locator("#question:focus").wait_for()
    page.keyboard.type("How do I sort a dict?")
    press("Tab")
    page.locator("#config:focus").wait_for()
    press("Shift+Tab")
    with server.engine.held():
        press("Control+Enter")
        wait_for_status(page, "runs")
        press("Escape")
        wait_for_status(page, "stopped")
    page.keyboard.type("How do I sort a dict?")
    press("Control+Enter")
    wait_for_status(page, "answered in")
    for selector in (
        ".question[open] > summary",
        "a.citation",
        ".passage summary",
        ".step summary",
        ".ask-beside select",
    ):
        for _ in range(60):
            if page.locator(f"{selector}:focus").count():
                break
            press("Tab")
        page.locator(f"{selector}:focus").first.wait_for()
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        if selector == "a.citation":
            press("Enter")
            page.locator(".passage summary:focus").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_on_a_phone(opened, scheme):
    page = opened(viewport={"width": 360, "height": 740}, color_scheme=scheme).page
    ask(
        page,
        "How do I sort a dict whose_name_is_very_long_" + "x" * 200,
        "semantic_cot_rerank_refined",
    )
    wait_for_status(page, "answered in")
    page.get_by_text("Open or close all").click()
    for summary in page.locator(".passage summary").all():
        summary.click()
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    ink, paper = page.evaluate(
        "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    )
    assert contrast(ink, paper) > 7
    quiet = page.locator(".step .cost").first.evaluate("(node) => getComputedStyle(node).color")
    assert contrast(quiet, paper) > 4.5
    assert page.locator("table.verdicts meter").count() == 4


def test_without_its_token_the_page_says_so_and_with_it_the_address_does_not_keep_it(tab):
    with PageServer(seconds=0, token=TOKEN) as server:
        opened = tab()
        opened.page.goto(server.url)
        opened.page.get_by_text("the token is missing or wrong").wait_for()
        opened.page.goto("about:blank")
        opened.page.goto(f"{server.url}#token={TOKEN}")
        wait_until_ready(opened.page)
        assert opened.page.url == server.url
        ask(opened.page, "why?", "baseline")
        wait_for_status(opened.page, "answered in")
        assert not any(TOKEN in url for url in opened.requests)


def test_the_policy_is_in_force(opened):
    tab = opened()
    outcome = tab.page.evaluate(
        """() => {
          const outcomes = [];
          try { document.body.innerHTML += "<b>x</b>"; outcomes.push("parsed"); } catch { outcomes.push("refused"); }
          const image = document.createElement("img");
          image.src = "https://example.invalid/x.png";
          document.body.append(image);
          const box = document.createElement("p");
          box.setAttribute("style", "color: red");
          outcomes.push(box.style.color);
          const script = document.createElement("script");
          try { script.textContent = "window.ran = true"; document.body.append(script); } catch { /* refused */ }
          return new Promise((done) => setTimeout(() => done([...outcomes, window.ran === undefined]), 200));
        }"""
    )
    assert outcome == ["refused", "", True]
    assert any("img-src" in error for error in tab.errors)


async def run_of(text):
    """Return the documents of a run with the text in every field that people or models write."""
    passage = {
        **dict.fromkeys(("question_id", "title", "text", "url", "licence"), text),
        **{"number": 1, "answer_chars": 1, "score": 0.5, "part_scores": {text: 0.5}},
    }
    verdict = {
        **{
            "choice": text,
            "probabilities": {text: 0.5},
            "mass": 0.5,
            "prompt": text,
            "prompt_tokens": 1,
        },
        **{
            "tokens_estimated": False,
            "cut_tokens": 0,
            "reply": text,
            "seconds": 0.1,
            "cached": False,
        },
    }
    draft = {"text": text, "reasoning": text}
    first = {"node": text, "passages": [passage], "answer": "another answer"}
    second = {
        **{"node": text, "candidates": [draft, draft], "points": [text], "answer": text},
        **{"critique_format": text, "critique_flaws": [text], "error": text},
        **{"replies": [reply(text, prompt=text)], "verdicts": [verdict]},
    }
    third = {
        **{"node": text, "candidates": [{**draft, "source": text}], "chosen": 0},
        **{"scores": [{"score": 0.5, "features": {}}]},
    }

    async def events():
        yield StepStarted(text)
        yield Chunk(text, 0, text)
        yield StepEnded(first)
        yield StepEnded(second)
        yield StepEnded(third)
        yield Answered(text, [], False, 0.5)

    own = [document async for document in documents_of(events(), load_config("semantic"))]
    return {"text": text, "documents": own, "fields": FIELDS}


def test_hostile_texts_are_shown_as_they_are_and_nothing_of_them_runs(opened, server):
    tab = opened()
    # The last one is too long to be rendered, and not so long that laying it out takes the time of the test.
    texts = [*hostile()[:-1], SEEDS[0] * 2_500]
    runs = [asyncio.run_coroutine_threadsafe(run_of(text), server.loop).result() for text in texts]
    for start in range(0, len(runs), 20):
        # As escaped JSON: lone surrogates pass no other way.
        assert tab.page.evaluate(SHOW, json.dumps(runs[start : start + 20])) == []
    assert len(runs) == 200
    assert (foreign_requests(tab, server), tab.dialogs, tab.errors) == ([], [], [])


def test_hostile_questions_and_errors_are_shown_as_they_are(opened, server, monkeypatch, tmp_path):
    monkeypatch.setenv("OPENCODER_CACHE", str(tmp_path))
    tab = opened()
    page = tab.page
    for text in SEEDS:
        question = f"{FAILING} {text}"
        page.evaluate(
            """(text) => {
              document.getElementById("question").value = JSON.parse(text);
              document.getElementById("config").value = "baseline";
              document.getElementById("ask").click();
            }""",
            json.dumps(question),
        )
        wait_for_status(page, "failed")
        shown = page.locator(".question-text").first.evaluate(
            "(node) => JSON.stringify(node.textContent)"
        )
        # A text field has line feeds alone.
        assert json.loads(shown) == question.replace("\r\n", "\n").replace("\r", "\n")
    assert (foreign_requests(tab, server), tab.dialogs, tab.errors) == ([], [], [])
