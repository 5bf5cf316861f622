"""What a tab of the ask page keeps: its questions, also those without an answer yet, and its token."""

from tests.fakes.page_servers import PageServer
from tests.fakes.page_tabs import ask, ask_beside, ask_one_behind_another, reload, wait_for_status
from tests.fakes.waiting import wait_until

TOKEN = "a-token-of-some-length"
FORBID_STORAGE = """
Object.defineProperty(window, "sessionStorage", {
  get() { throw new DOMException("the storage is forbidden", "SecurityError"); },
});
"""
FILL_STORAGE = """
(room) => {
  sessionStorage.setItem("room", "x".repeat(room));
  for (let text = "x".repeat(8_000_000); text.length > room; text = text.slice(text.length / 2)) {
    try { sessionStorage.setItem(text.length, text); } catch { /* a shorter one may fit */ }
  }
  sessionStorage.removeItem("room");
}
"""
"""Leaves between `room` and twice as many characters."""


RECORD_JSON = """
() => {
  const stringify = JSON.stringify;
  window.questionsMadeText = [];
  JSON.stringify = (value, ...rest) => {
    if (value?.runs) window.questionsMadeText.push(value.question);
    return stringify(value, ...rest);
  };
}
"""


def change_of_history(change):
    """Return a script that changes the saved questions."""
    return f"""() => {{
      const saved = JSON.parse(sessionStorage.getItem("opencoder-history"));
      const {{ questions }} = saved;
      {change};
      sessionStorage.setItem("opencoder-history", JSON.stringify(saved));
    }}"""


BREAK_HISTORY = change_of_history(
    """questions[0].runs.unshift({ config: "baseline", documents: [{ type: "step" }, { type: "stopped" }] });
    questions.push(null, { question: 1, runs: [] }, { question: "x", runs: [{ config: "x", documents: 1 }] })"""
)
DROP_LAST_RUN = change_of_history(
    """if (questions[0].runs.length !== 3) throw new Error("not each run is saved once");
    questions[0].runs.pop()"""
)


def questions_of(page):
    return page.locator(".question-text").all_inner_texts()


def test_a_reload_during_an_answer_shows_what_is_known_and_offers_to_ask_again(opened, server):
    tab = opened()
    page = tab.page
    with server.engine.held() as release:
        ask(page, "How do I sort a dict?", "semantic_cot")
        # The notes, then the draft.
        release()
        release()
        page.locator(".live .label", has_text="critique writes").wait_for()
        reload(page)
        wait_for_status(page, "interrupted")
    assert page.locator(".step-name").all_inner_texts() == ["retrieve", "generate"]
    assert page.locator(".passages-part .passage").count() == 3
    assert "smallest first" in page.locator(".answer").inner_text()
    note = page.locator(".answer .none").inner_text()
    assert note == "The page was left before the last step had ended. This is the answer so far."
    page.get_by_role("button", name="Ask again").click()
    wait_for_status(page, "answered in")
    assert "largest first" in page.locator(".answer").inner_text()
    assert not page.get_by_role("button", name="Ask again").is_visible()
    for _ in range(2):
        reload(page)
        wait_for_status(page, "answered in")
        assert (questions_of(page), page.locator(".run").count()) == (["How do I sort a dict?"], 1)
    assert tab.errors == []


def test_a_question_that_still_waits_is_kept_too(opened, server):
    first, second = opened(), opened()
    with server.engine.held() as release:
        ask_one_behind_another(first.page, second.page)
        reload(second.page)
        wait_for_status(second.page, "interrupted")
        assert second.page.locator(".answer").inner_text() == (
            "The page was left before there was an answer."
        )
        release()
    wait_for_status(first.page, "answered in")


def test_a_history_that_is_too_large_loses_its_oldest_question(opened):
    tab = opened()
    page = tab.page
    ask(page, "the oldest", "baseline")
    wait_for_status(page, "answered in")
    chars = page.evaluate("sessionStorage.getItem('opencoder-history').length")
    page.evaluate(FILL_STORAGE, chars // 4)
    ask(page, "the newest", "baseline")
    wait_for_status(page, "answered in")
    assert questions_of(page) == ["the newest", "the oldest"]
    reload(page)
    wait_for_status(page, "answered in")
    assert questions_of(page) == ["the newest"]
    assert tab.errors == []


def test_the_newest_question_is_kept_however_large_it_is(opened):
    page = opened().page
    lengths = page.evaluate(
        """async () => {
          const { readHistory, saveHistory } = await import("/assets/session_history.js");
          const ofLength = (length) => JSON.stringify({ question: "x".repeat(length), runs: [] });
          const kept = (...lengths) => {
            saveHistory(lengths.map(ofLength));
            return readHistory().map(({ question }) => question.length);
          };
          const outcomes = [kept(4_500_000, 10), kept(10, 3_900_000, 200_000, 20), kept(9_000_000)];
          sessionStorage.clear();
          return outcomes;
        }"""
    )
    # One that no storage can hold leaves the history as it is.
    assert lengths == [[4_500_000], [10, 3_900_000], [10, 3_900_000]]


def test_a_question_that_did_not_change_is_not_made_text_again(opened):
    page = opened().page
    ask(page, "the first", "baseline")
    wait_for_status(page, "answered in")
    page.evaluate(RECORD_JSON)
    ask(page, "the second", "baseline")
    wait_for_status(page, "answered in")
    assert set(page.evaluate("window.questionsMadeText")) == {"the second"}
    reload(page)
    assert questions_of(page) == ["the second", "the first"]


def test_a_history_that_this_page_did_not_write_is_left_out(opened):
    tab = opened()
    page = tab.page
    for saved in ("null", "[null]", "{", '{"version": 0, "questions": [{}]}'):
        page.evaluate("(saved) => sessionStorage.setItem('opencoder-history', saved)", saved)
        reload(page)
        assert (questions_of(page), tab.errors) == ([], [])


def test_what_cannot_be_shown_of_a_history_says_so_and_the_rest_is_shown(opened):
    page = opened().page
    ask(page, "How do I sort a dict?", "baseline")
    wait_for_status(page, "answered in")
    page.evaluate(BREAK_HISTORY)
    reload(page)
    assert questions_of(page) == ["How do I sort a dict?"]
    for _ in range(2):
        page.locator(".run").nth(1).wait_for()
        assert page.locator(".run").count() == 2
        assert page.locator(".run .failure p").all_inner_texts() == [
            "The page cannot show this run:"
        ]
        wait_for_status(page, "failed")
        wait_for_status(page, "answered in", run=1)
        # A change of the question saves all its runs once.
        ask_beside(page, "baseline")
        wait_for_status(page, "answered in", run=2)
        page.evaluate(DROP_LAST_RUN)
        reload(page)
    page.get_by_role("button", name="Ask again").click()
    wait_for_status(page, "answered in")


def test_a_page_that_is_not_left_after_all_saves_its_questions(opened):
    page = opened().page
    page.route("**/download", lambda route: route.fulfill(status=204))
    with page.expect_request("**/download"):
        page.evaluate("location.href = '/download'")
    ask(page, "How do I sort a dict?", "baseline")
    wait_for_status(page, "answered in")
    wait_until(
        lambda: page.evaluate(
            "(sessionStorage.getItem('opencoder-history') || '').includes('answered')"
        )
    )
    reload(page)
    wait_for_status(page, "answered in")


def test_the_page_works_where_the_browser_forbids_its_storage(tab, opened):
    with PageServer(seconds=0, token=TOKEN) as server:
        tab = opened(f"{server.url}#token={TOKEN}", before=FORBID_STORAGE)
        assert tab.page.url == server.url
        ask(tab.page, "why?", "baseline")
        wait_for_status(tab.page, "answered in")
        assert tab.errors == []


def test_a_token_can_come_to_an_open_tab(tab):
    with PageServer(seconds=0, token=TOKEN) as server:
        page = tab().page
        # An address whose end a terminal left out: no header can hold its token.
        page.goto(f"{server.url}#token=a-token\u2026")
        page.get_by_text("the token is missing or wrong").wait_for()
        page.evaluate(f"location.hash = 'token={TOKEN}'")
        ask(page, "why?", "baseline")
        wait_for_status(page, "answered in")
        assert page.url == server.url
        assert not page.locator("#problem").is_visible()


def test_a_token_in_an_open_tab_ends_no_answer(opened, server):
    page = opened().page
    with server.engine.held() as release:
        ask(page, "How do I sort a dict?", "baseline")
        page.locator(".live pre").wait_for()
        page.evaluate(f"location.hash = 'token={TOKEN}'")
        page.wait_for_url(server.url)
        release()
        wait_for_status(page, "answered in")


def test_esc_stops_only_if_nothing_else_takes_it(opened, server):
    page = opened().page
    press = page.keyboard.press
    with server.engine.held() as release:
        ask(page, "How do I sort a dict?", "baseline")
        page.locator(".live pre").wait_for()
        page.locator("#config").focus()
        press("Escape")
        page.evaluate(
            """() => document.getElementById("question").addEventListener(
              "keydown", (event) => event.preventDefault(), { once: true })"""
        )
        page.locator("#question").focus()
        press("Escape")
        release()
        wait_for_status(page, "answered in")
        ask(page, "Another one", "baseline")
        page.locator(".question[open] .live pre").wait_for()
        press("Escape")
        wait_for_status(page, "stopped")
