"""What a reader does on the ask page, in a tab of Playwright."""


def ask(page, question, config="semantic"):
    page.fill("#question", question)
    page.select_option("#config", config)
    page.click("#ask")


def ask_one_behind_another(first, second):
    """Ask a question that is being answered, and one that waits for it."""
    ask(first, "the first")
    first.locator(".live pre").wait_for()
    ask(second, "the second", "baseline")
    wait_for_status(second, "is the next one")


def ask_beside(page, config):
    page.get_by_label("Ask another config").select_option(config)
    page.get_by_role("button", name="Ask beside").click()


def wait_for_status(page, text, run=0):
    page.locator(".question[open] .run").nth(run).locator(".status").filter(
        has_text=text
    ).wait_for()


def reload(page):
    page.reload()
    wait_until_ready(page)


def wait_until_ready(page):
    page.wait_for_selector("html[data-ready]", state="attached")
