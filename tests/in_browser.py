"""The report opened in a real Chromium."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
from playwright import sync_api

from report.html import write_html
from report.page import Page
from tests.chromium import Watched, chromium


class Opened(NamedTuple):
    """A page in the browser, and what it did that no report may do."""

    tab: sync_api.Page
    offences: list[str]

    def rows(self, table: str) -> list[list[str]]:
        """The text of every cell of a table's body."""
        self.settle()
        read = "rows => rows.map(r => [...r.cells].map(c => c.textContent))"
        return self.tab.locator(f"#{table} tbody:not(.space) tr").evaluate_all(read)

    def settle(self) -> None:
        """Wait until the page has followed: it does so in the next frame."""
        frame = "new Promise(done => requestAnimationFrame(() => setTimeout(done)))"
        self.tab.evaluate(f"{frame}.then(() => {frame})")

    def press(self, name: str) -> None:
        """Press the button of this name, and wait."""
        self.tab.get_by_role("button", name=name, exact=True).click()
        self.settle()


Open = Callable[..., Opened]


@pytest.fixture(scope="module")
def browser() -> Iterator[sync_api.Browser]:
    with chromium() as launched:
        yield launched


@pytest.fixture
def open_page(browser: sync_api.Browser, tmp_path: pathlib.Path) -> Iterator[Open]:
    """Open a report; at the end of the test, nothing may have gone wrong in it."""
    contexts: list[sync_api.BrowserContext] = []
    watched: list[Watched] = []

    def open_it(page: Page, at: str = "", **settings: object) -> Opened:
        path = tmp_path / "report.html"
        write_html(str(path), page)
        contexts.append(browser.new_context(**settings))
        tab = contexts[-1].new_page()
        watched.append(Watched(tab, tmp_path.as_uri()))
        tab.goto(path.as_uri() + at)
        return Opened(tab, watched[-1].offences)

    yield open_it
    for context in contexts:
        context.close()
    assert not [offence for each in watched for offence in each.offences]
