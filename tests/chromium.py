"""A Chromium for the tests of pages; where there is none they are skipped, but never in CI."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator

import pytest
from playwright import sync_api

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = (
    "no Chromium found: install it (Debian: apt-get install chromium) to run the browser tests"
)
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]


@contextlib.contextmanager
def chromium() -> Iterator[sync_api.Browser]:
    """Yield the browser."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        (pytest.fail if os.environ.get("REQUIRE_BROWSER") else pytest.skip)(MISSING)
    with sync_api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield launched
        launched.close()


class Watched:
    """What a page did that no page of ours may do: errors, dialogs, requests to elsewhere."""

    def __init__(self, tab: sync_api.Page, *allowed: str) -> None:
        self.allowed = ("data:", *allowed)  # beginnings of addresses
        self.offences: list[str] = []
        tab.on("dialog", self._dismiss)
        tab.on("pageerror", lambda error: self.offences.append(str(error)))
        tab.on("console", lambda said: self.offences.append(f"{said.type}: {said.text}"))
        tab.on("request", self._note)

    def _dismiss(self, dialog: sync_api.Dialog) -> None:
        self.offences.append(dialog.message)
        dialog.dismiss()

    def _note(self, request: sync_api.Request) -> None:
        if not request.url.startswith(self.allowed):
            self.offences.append(f"request of {request.url}")
