"""What a tab of the ask page keeps: its questions, also those without an answer yet, and its token."""

from tests.fakes.page_servers import PageServer
from tests.fakes.page_tabs import ask, reload, wait_for_status

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
    assert note == (
        "Interrupted: the page was left before the last step: this is the answer so far."
    )
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
        ask(first.page, "the first")
        first.page.locator(".live pre").wait_for()
        ask(second.page, "the second", "baseline")
        wait_for_status(second.page, "is the next one")
        reload(second.page)
        wait_for_status(second.page, "interrupted")
        assert second.page.locator(".answer").inner_text() == (
            "Interrupted: the page was left before there was an answer."
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
        page.goto(server.url)
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
