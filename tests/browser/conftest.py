"""Browser tests drive Debian's Chromium with Playwright; without one of the two they are skipped."""

from pathlib import Path

import pytest

from evaluation.report.report_file import write_report
from tests.fakes.chromium import CHROMIUM, FLAGS
from tests.fakes.page_servers import PageServer
from tests.fakes.page_tabs import wait_until_ready
from tests.fakes.sample_runs import make_runs
from tests.fakes.waiting import FAR


def pytest_collection_modifyitems(items):
    for item in items:
        if "browser" in item.path.parts:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def browser():
    api = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    if not Path(CHROMIUM).exists():
        pytest.skip("there is no /usr/bin/chromium: apt-get install chromium")
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


class Tab:
    """A tab that records the requests, dialogs and errors of its page."""

    def __init__(self, browser, **options):
        self.context = browser.new_context(**options)
        self.context.set_default_timeout(1_000 * FAR)
        self.page = self.context.new_page()
        self.requests, self.dialogs, self.errors = [], [], []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on(
            "console",
            lambda message: self.errors.append(message.text) if message.type == "error" else None,
        )
        self.page.on("dialog", self._dismiss)

    def _dismiss(self, dialog):
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def open(self, path, fragment=""):
        self.page.goto(path.resolve().as_uri() + fragment)
        self.page.wait_for_selector("html[data-ready]", state="attached")
        return self.page

    def foreign_requests(self):
        """Return the requests for anything but the file and its embedded images."""
        return [url for url in self.requests if not url.startswith(("file:", "data:"))]


@pytest.fixture
def tab(browser):
    """Open tabs, and close them when the test ends."""
    tabs = []

    def start(**options):
        tabs.append(Tab(browser, **options))
        return tabs[-1]

    yield start
    for tab in tabs:
        tab.context.close()


@pytest.fixture(scope="session")
def report(browser, tmp_path_factory):
    """The report of four runs of 60 questions."""
    folder = tmp_path_factory.mktemp("runs")
    write_report(make_runs(folder, 60), folder / "report.html")
    return folder / "report.html"


@pytest.fixture(scope="session")
def server():
    """The server of the ask page."""
    with PageServer(seconds=0.1) as server:
        yield server


@pytest.fixture
def opened(tab, server):
    """Open the ask page in a new tab."""

    def start(url=server.url, before="", **options):
        opened = tab(**options)
        if before:
            opened.page.add_init_script(before)
        opened.page.goto(url)
        wait_until_ready(opened.page)
        return opened

    return start
