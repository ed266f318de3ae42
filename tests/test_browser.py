"""The report in a real Chromium: what a reader clicks, types and prints."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pytest
from playwright import sync_api

from evaluation.predictions import Scores
from report.html import write_html
from report.page import Mistake, Page
from tests.chromium import Watched, chromium
from tests.test_html import HOSTILE, image, make_page
from tests.tolerances import near


class Opened(NamedTuple):
    """A page in the browser, and what it did that no report may do."""

    tab: sync_api.Page
    offences: list[str]

    def rows(self, table: str) -> list[list[str]]:
        """The text of every cell of a table's body."""
        read = "rows => rows.map(r => [...r.cells].map(c => c.textContent))"
        return self.tab.locator(f"#{table} tbody tr").evaluate_all(read)


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

    def open_it(page: Page, **settings: object) -> Opened:
        path = tmp_path / "report.html"
        write_html(str(path), page)
        contexts.append(browser.new_context(**settings))
        tab = contexts[-1].new_page()
        watched.append(Watched(tab, path.as_uri()))
        tab.goto(path.as_uri())
        return Opened(tab, watched[-1].offences)

    yield open_it
    for context in contexts:
        context.close()
    assert not [offence for each in watched for offence in each.offences]


def scores(count: int, seed: int, labels: tuple[int, ...] = (0, 1)) -> Scores:
    rng = np.random.default_rng(seed)
    chosen = rng.choice(labels, count).astype(np.uint8)
    paths = sorted(f"{'xyz'[i % 3]}/Image_{rng.integers(10**6)}.png" for i in range(count))
    return Scores(paths, chosen, np.round(rng.normal(size=count) * 3 + chosen, 4))


SETS = {"zoo": scores(180, 1), "crn": scores(120, 2), "fakes only": scores(30, 3, (1,))}
OTHER = {"zoo": scores(180, 1)._replace(logits=scores(180, 9).logits), "late": scores(10, 4)}
PAGE = make_page(models={"model": SETS}, thresholds={"equal error": 0.33333}, mistakes=[])
TWO = PAGE._replace(models={"model": SETS, "other model": OTHER})


def expected(sets: dict[str, Scores], threshold: float) -> list[list[str]]:
    """The table of the threshold section, by numpy."""
    rows = []
    for name, (_, labels, logits, _) in sets.items():
        fake, called = labels == 1, logits > threshold
        figures = [
            np.mean(which) if len(which) else None
            for which in (called == fake, called[fake], called[~fake])
        ]
        rows.append([name, int((~fake).sum()), int(fake.sum()), *figures])
    means = [np.mean([row[i] for row in rows if row[i] is not None]) for i in (3, 4, 5)]
    rows.append(["mean", "", "", *means])
    return [
        [*map(str, r[:3]), *("" if f is None else f"{100 * f:.2f}" for f in r[3:])] for r in rows
    ]


def close(shown: list[list[str]], wanted: list[list[str]]) -> bool:
    """Equal but for the last digit, where two languages may round a half apart."""

    def same(a: str, b: str) -> bool:
        if re.fullmatch(r"\d+\.\d\d", a) and re.fullmatch(r"\d+\.\d\d", b):
            return bool(float(a) == near(float(b), 0.011, "two languages round a half apart"))
        return a == b

    return [len(r) for r in shown] == [len(r) for r in wanted] and all(
        same(a, b) for r, s in zip(shown, wanted, strict=True) for a, b in zip(r, s, strict=True)
    )


def test_the_threshold_table_follows_the_slider_the_field_and_the_buttons(open_page: Open) -> None:
    page = open_page(PAGE)
    assert close(page.rows("threshold-table"), expected(SETS, 0))
    assert page.rows("threshold-table")[2][5] == ""  # no real image, no FPR
    for value in (-1.5, 0.07, 2.25, -50):
        page.tab.locator("#threshold-number").fill(str(value))
        assert close(page.rows("threshold-table"), expected(SETS, value))
    page.tab.get_by_role("button", name="equal error").click()
    assert close(page.rows("threshold-table"), expected(SETS, 0.33333))
    assert float(page.tab.locator("#threshold-number").input_value()) == 0.33333
    page.tab.locator("#threshold-range").fill("1.2")
    assert close(page.rows("threshold-table"), expected(SETS, 1.2))
    assert float(page.tab.locator("#threshold-number").input_value()) == 1.2
    assert page.tab.locator("#threshold-probability").inner_text() == "0.769"
    page.tab.get_by_role("button", name="0.5").click()
    assert close(page.rows("threshold-table"), expected(SETS, 0))
    assert float(page.tab.locator("#threshold-range").input_value()) == 0


def test_called_fake_is_above_the_threshold_not_at_it(open_page: Open) -> None:
    tied = Scores(list("abcd"), np.array([0, 0, 1, 1], np.uint8), np.array([0.5, 0.5, 0.5, 0.51]))
    page = open_page(PAGE._replace(models={"m": {"s": tied}}, threshold=0.5))
    assert page.rows("threshold-table")[0][3:] == ["75.00", "50.00", "0.00"]
    assert [row[5] for row in page.rows("predictions-table")] == [
        "right",
        "right",
        "wrong",
        "right",
    ]


def test_the_arrow_keys_move_the_slider(open_page: Open) -> None:
    page = open_page(PAGE)
    slider = page.tab.get_by_label("Threshold (logit)", exact=True)
    slider.focus()
    before = float(slider.input_value())
    for _ in range(40):
        page.tab.keyboard.press("ArrowRight")
    after = float(slider.input_value())
    assert after == pytest.approx(before + 40 * 0.01)
    assert close(page.rows("threshold-table"), expected(SETS, after))


def test_the_model_is_chosen_where_there_are_several(open_page: Open) -> None:
    one, two = open_page(PAGE), open_page(TWO)
    assert not one.tab.locator("#threshold-model").is_visible()
    two.tab.locator("#threshold-model").select_option("other model")
    assert close(two.rows("threshold-table"), expected(OTHER, 0))


def all_rows(sets: dict[str, Scores]) -> list[tuple[str, str, int, float]]:
    return [
        (name, path, int(label), float(logit))
        for name, scored in sets.items()
        for path, label, logit in zip(*scored[:3], strict=True)
    ]


def as_shown(rows: list[tuple[str, str, int, float]]) -> list[list[str]]:
    return [
        [name, path, ("real", "fake")[label], f"{logit:.4f}", f"{1 / (1 + np.exp(-logit)):.4f}"]
        + [("right", "wrong")[(logit > 0) != bool(label)]]
        for name, path, label, logit in rows
    ]


def test_the_rows_sort_by_every_column_both_ways(open_page: Open) -> None:
    page = open_page(PAGE)
    rows = all_rows(SETS)
    assert page.rows("predictions-table") == as_shown(rows[:50])
    keys = [lambda r: r[0], lambda r: r[1], lambda r: r[2], lambda r: r[3], lambda r: r[3]]
    keys.append(lambda r: (r[3] > 0) != bool(r[2]))
    buttons = page.tab.locator("#predictions-table thead button")
    states = "cells => cells.map(cell => cell.getAttribute('aria-sort'))"
    for column, key in enumerate(keys):
        for reverse in (False, True):
            buttons.nth(column).press("Enter")
            assert page.rows("predictions-table") == as_shown(
                sorted(rows, key=key, reverse=reverse)[:50]
            )
            wanted: list[str | None] = [None] * 6
            wanted[column] = "descending" if reverse else "ascending"
            assert page.tab.locator("#predictions-table thead th").evaluate_all(states) == wanted


def test_the_rows_are_filtered(open_page: Open) -> None:
    page = open_page(PAGE)
    rows = all_rows(SETS)
    tab = page.tab
    tab.locator("#page-size").select_option("500")

    def shows(wanted: list[tuple[str, str, int, float]]) -> bool:
        count = f"rows 1 to {len(wanted)} of {len(wanted)}" if wanted else "no rows"
        return (
            page.rows("predictions-table") == as_shown(wanted)
            and tab.locator("#row-count").inner_text() == count
        )

    tab.get_by_label("Path contains").fill("Y/iMaGe_1")
    some = [r for r in rows if "y/image_1" in r[1].lower()]
    assert 0 < len(some) < 50 and shows(some)
    tab.get_by_label("Path contains").fill("")
    tab.get_by_label("Test set").select_option("crn")
    assert shows([r for r in rows if r[0] == "crn"])
    tab.get_by_label("Label").select_option("real")
    assert shows([r for r in rows if r[0] == "crn" and r[2] == 0])
    tab.get_by_label("Verdict").select_option("wrong")
    assert shows([r for r in rows if r[0] == "crn" and r[2] == 0 and r[3] > 0])
    tab.locator("#predictions-table thead button").nth(3).click()  # a sort keeps the filter
    assert shows(
        sorted((r for r in rows if r[0] == "crn" and r[2] == 0 and r[3] > 0), key=lambda r: r[3])
    )
    tab.get_by_label("Path contains").fill("no such path")
    assert shows([])


def test_the_rows_are_paged(open_page: Open) -> None:
    page = open_page(PAGE)
    rows = as_shown(all_rows(SETS))
    tab = page.tab

    def at(first: int, last: int) -> bool:
        return page.rows("predictions-table") == rows[first - 1 : last] and (
            tab.locator("#row-count").inner_text() == f"rows {first} to {last} of 330"
        )

    def disabled() -> list[str]:
        return tab.locator(".pager button:disabled").all_inner_texts()

    assert at(1, 50) and disabled() == ["First", "Previous"]
    tab.get_by_role("button", name="Next").press("Enter")
    assert at(51, 100) and disabled() == []
    tab.get_by_role("button", name="Last").click()
    assert at(301, 330) and disabled() == ["Next", "Last"]
    tab.get_by_role("button", name="Previous").click()
    assert at(251, 300)
    tab.get_by_role("button", name="First").click()
    assert at(1, 50)
    tab.get_by_label("Rows a page").select_option("100")
    assert at(1, 100)


def test_several_models_stand_side_by_side_with_gaps_last(open_page: Open) -> None:
    page = open_page(TWO)
    tab = page.tab
    tab.get_by_label("Test set").select_option("late")
    shown = page.rows("predictions-table")
    assert [row[3:6] for row in shown] == [["", "", ""]] * 10
    assert [row[:3] + row[6:] for row in shown] == as_shown(all_rows({"late": OTHER["late"]}))
    tab.get_by_label("Test set").select_option("all")
    tab.locator("#page-size").select_option("500")
    ordered = sorted(OTHER["zoo"].logits.tolist() + OTHER["late"].logits.tolist())
    for direction in (1, -1):
        tab.get_by_role("button", name="logit of other model").click()
        column = [row[6] for row in page.rows("predictions-table")]
        assert column == [f"{v:.4f}" for v in ordered[::direction]] + [""] * 150
    tab.get_by_label("of model", exact=True).select_option("other model")
    tab.get_by_label("Verdict").select_option("wrong")
    wrong = sum(int(((s.logits > 0) != (s.labels == 1)).sum()) for s in OTHER.values())
    assert tab.locator("#row-count").inner_text().endswith(f" of {wrong}")


def test_the_gallery_shows_thumbnails_and_placeholders(open_page: Open) -> None:
    mistakes = [
        Mistake("model", "zoo", "x/1.png", 0, 1.5, image(), image("blue")),
        Mistake("model", "zoo", "x/2.png", 1, -1.5, None),
    ]
    tab = open_page(PAGE._replace(mistakes=mistakes)).tab
    pictures = tab.locator(".gallery img")
    assert pictures.evaluate_all("all => all.map(i => [i.naturalWidth, i.clientWidth])") == [
        [8, 160],
        [8, 160],
    ]
    assert pictures.first.evaluate("i => getComputedStyle(i).imageRendering") == "pixelated"
    assert tab.get_by_text("image not at hand").is_visible()


def test_hostile_names_do_nothing_but_show(open_page: Open) -> None:
    paths = sorted([*HOSTILE, "undecodable \udcff.png"])
    scored = Scores(paths, np.zeros(len(paths), np.uint8), np.ones(len(paths)))
    mistakes = [Mistake(path, path, path, 0, 1.0, image()) for path in paths]
    models = {name: {name: scored} for name in HOSTILE}
    page = open_page(make_page(title=paths[0], models=models, mistakes=mistakes))
    shown = [row[1] for row in page.rows("predictions-table")]
    assert shown[: len(paths)] == [p.encode("utf-8", "backslashreplace").decode() for p in paths]
    for name in HOSTILE:
        page.tab.locator("#threshold-model").select_option(name)
        assert page.rows("threshold-table")[0][0] == name
    assert page.tab.locator("[onerror], b").count() == 0


def test_an_injected_script_would_not_run(open_page: Open) -> None:
    page = open_page(PAGE)
    page.tab.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "document.title = 'injected'";
            document.body.append(script);
        }"""
    )
    assert page.tab.title() == "A title"
    assert len(page.offences) == 1 and "Content Security Policy" in page.offences.pop()


def background(tab: sync_api.Page) -> str:
    return tab.evaluate("getComputedStyle(document.body).backgroundColor")


def wait_until(tab: sync_api.Page, expression: str) -> None:
    """Ask again and again from outside: the page allows no code but its own."""
    for _ in range(200):
        if tab.evaluate(expression):
            return
        tab.wait_for_timeout(50)
    pytest.fail(f"never came: {expression}")


def test_dark_mode_has_a_dark_page_and_dark_figures(open_page: Open) -> None:
    tab = open_page(PAGE, color_scheme="light").tab
    source = "document.querySelector('figure img').currentSrc === document.querySelector('%s').%s"
    assert background(tab) == "rgb(255, 255, 255)"
    assert tab.evaluate(source % ("figure img", "src"))
    tab.emulate_media(color_scheme="dark")
    assert background(tab) == "rgb(22, 24, 29)"
    wait_until(tab, source % ("figure source", "srcset"))
    tab.emulate_media(color_scheme="dark", media="print")
    assert background(tab) == "rgb(255, 255, 255)"
    wait_until(tab, source % ("figure img", "src"))


def test_print_leaves_the_controls_out_and_says_what_it_leaves_out(open_page: Open) -> None:
    tab = open_page(PAGE).tab
    controls = tab.locator("nav, input, select, button:not(thead button)")
    notice = tab.get_by_text("Printed are only the rows of the page")
    assert controls.locator("visible=true").count() > 10
    assert not notice.is_visible()
    tab.emulate_media(media="print")
    assert controls.locator("visible=true").count() == 0
    assert notice.is_visible()
    assert tab.get_by_text("rows 1 to 50 of 330").is_visible()
    assert len(tab.pdf()) > 10_000


def test_a_narrow_screen_does_not_scroll_sideways(open_page: Open) -> None:
    tab = open_page(TWO, viewport={"width": 400, "height": 800}).tab
    assert tab.evaluate("document.documentElement.scrollWidth") <= 400


def test_everything_is_reached_by_the_keyboard(open_page: Open) -> None:
    tab = open_page(PAGE).tab
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.textContent") == "Skip to the content"
    assert tab.locator(".skip").bounding_box()["x"] >= 0
    tab.keyboard.press("Enter")
    reached = set()
    for _ in range(60):
        tab.keyboard.press("Tab")
        reached.add(tab.evaluate("document.activeElement.id || document.activeElement.textContent"))
    wanted = {"threshold-range", "threshold-number", "0.5", "filter-path", "page-size", "page-next"}
    assert {*wanted, "path", "verdict"} <= reached


def test_without_javascript_the_rest_still_shows(open_page: Open) -> None:
    mistakes = [Mistake("model", "zoo", "x/1.png", 0, 1.5, image())]
    tab = open_page(PAGE._replace(mistakes=mistakes), java_script_enabled=False).tab
    assert tab.locator(".noscript").filter(visible=True).count() == 2
    assert tab.get_by_text("table one").is_visible()
    assert tab.locator(".gallery img").is_visible()
    assert not tab.locator("#threshold-range").is_visible()


def test_the_papers_benchmark_loads_sorts_and_filters(open_page: Open) -> None:
    rng = np.random.default_rng(0)
    count = 90_329
    labels = rng.integers(0, 2, count).astype(np.uint8)
    logits = np.round(rng.normal(size=count) * 4, 4)
    paths = [f"category_name/0_real/image_{i:013d}.png" for i in range(count)]
    sets = {"all": Scores(paths, labels, logits)}
    page = open_page(PAGE._replace(models={"one": sets, "two": sets}))
    assert page.tab.locator("#row-count").inner_text() == "rows 1 to 50 of 90,329"
    page.tab.get_by_role("button", name="logit of one").click()
    first = [f"{value:.4f}" for value in np.sort(logits)[:50]]
    assert [row[3] for row in page.rows("predictions-table")] == first
    page.tab.get_by_role("button", name="path").dblclick()
    assert [row[1] for row in page.rows("predictions-table")] == paths[:-51:-1]
    page.tab.locator("#filter-path").fill("00077.")
    assert page.tab.locator("#row-count").inner_text() == "rows 1 to 1 of 1"
    page.tab.locator("#threshold-number").fill("1.5")
    wanted = f"{100 * np.mean((logits > 1.5) == labels):.2f}"
    assert page.rows("threshold-table")[0][3] == wanted
