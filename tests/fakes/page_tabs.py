"""What a reader does on the ask page, in a tab of Playwright."""


def ask(page, question, config="semantic"):
    page.fill("#question", question)
    page.select_option("#config", config)
    page.click("#ask")


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
