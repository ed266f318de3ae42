"""The report in a real Chromium: one threshold, the address, the keyboard, screen and paper."""

from __future__ import annotations

import os

import axe_playwright_python
import numpy as np
import pytest
from playwright import sync_api

from evaluation.predictions import Scores
from report.page import Page, Picture
from tests.explored import OTHER, OWN, PAGE, SETS, TWO, as_shown, close, expected, page_of
from tests.in_browser import Open
from tests.test_html import HOSTILE, drawing, image, make_page
from tests.test_html import page_of as page_full_of


def test_the_threshold_table_follows_the_slider_the_field_and_the_buttons(open_page: Open) -> None:
    page = open_page(PAGE)
    assert close(page.rows("threshold-table"), expected(SETS, 0))
    assert page.rows("threshold-table")[2][6] == ""  # no real image, no FPR
    for value in (-1.5, 0.07, 2.25, -50):
        page.tab.locator("#threshold-number").fill(str(value))
        assert close(page.rows("threshold-table"), expected(SETS, value))
    page.press("learned")
    assert close(page.rows("threshold-table"), expected(SETS, 0.33333))
    assert float(page.tab.locator("#threshold-number").input_value()) == 0.33333
    page.tab.locator("#threshold-range").fill("1.2")
    assert close(page.rows("threshold-table"), expected(SETS, 1.2))
    assert float(page.tab.locator("#threshold-number").input_value()) == 1.2
    assert page.tab.locator("#threshold-probability").inner_text() == "0.769"
    page.press("0.5")
    assert close(page.rows("threshold-table"), expected(SETS, 0))
    assert float(page.tab.locator("#threshold-range").input_value()) == 0


def test_a_mark_may_give_each_test_set_its_own_threshold(open_page: Open) -> None:
    page = open_page(PAGE)
    page.press("own")
    assert close(page.rows("threshold-table"), expected(SETS, OWN))
    assert page.tab.locator("#threshold-number").input_value() == ""
    assert page.tab.get_by_text("chosen on the set itself").is_visible()
    assert page.tab.locator("#threshold-probability").inner_text() == "by set"


def test_the_mean_is_over_the_sets_that_the_tables_take(open_page: Open) -> None:
    page = open_page(PAGE._replace(mean_over=["crn", "not there"]))
    rows = page.rows("threshold-table")
    assert rows[-1][4:7] == rows[1][4:7]
    assert rows[1][0] == "crn"


def test_called_fake_is_above_the_threshold_not_at_it(open_page: Open) -> None:
    tied = Scores(list("abcd"), np.array([0, 0, 1, 1], np.uint8), np.array([0.5, 0.5, 0.5, 0.51]))
    page = open_page(page_of({"m": {"s": tied}}))
    page.tab.locator("#threshold-number").fill("0.5")
    assert page.rows("threshold-table")[0][4:] == ["75.00", "50.00", "0.00", "0", "1"]
    verdicts = {row[2]: row[6] for row in page.rows("predictions-table")}
    assert verdicts == {"a": "right", "b": "right", "c": "wrong", "d": "right"}


def test_the_line_of_each_histogram_moves(open_page: Open) -> None:
    page = open_page(PAGE)
    lines = page.tab.locator("#histograms .cut")
    first = lines.evaluate_all("all => all.map(line => line.getBoundingClientRect().x)")
    page.tab.locator("#threshold-number").fill("1.5")
    page.settle()
    moved = lines.evaluate_all("all => all.map(line => line.getBoundingClientRect().x)")
    assert len(first) == len(moved) == 3
    assert all(b > a for a, b in zip(first, moved, strict=True))
    told = page.tab.locator("#histograms svg").first.get_attribute("aria-label")
    accuracy = expected(SETS, 1.5)[0]
    assert f"above logit 1.5 are {accuracy[5]} % of the fakes and {accuracy[6]} %" in str(told)


def test_the_bars_of_a_histogram_are_its_shares(open_page: Open) -> None:
    """Reals in one bin of 50, fakes spread over two: half as high."""
    labels = np.array([0] * 4 + [1] * 4, np.uint8)
    logits = np.array([-5.0] * 4 + [5.0, 5.0, 0.0, 0.0])
    page = open_page(page_of({"m": {"s": Scores(list("abcdefgh"), labels, logits)}}))
    boxes = page.tab.locator("#histograms path").evaluate_all(
        "all => all.slice(0, 2).map(path => path.getBBox()).map(box => [box.y, box.height])"
    )
    assert boxes == [[0, 110], [55, 55]]


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


def test_the_address_holds_what_was_chosen(open_page: Open) -> None:
    page = open_page(TWO)
    tab = page.tab
    page.press("own")
    tab.locator("#threshold-model").select_option("other model")
    tab.get_by_label("Test set", exact=True).select_option("fakes only")
    tab.get_by_label("Label").select_option("fake")
    tab.get_by_label("Verdict").select_option("wrong")
    tab.get_by_label("Order").select_option("-path")
    tab.get_by_label("Path contains").fill("x & y#%")
    page.settle()
    address = tab.url.partition("#")[2]
    again = open_page(TWO, f"#{address}")
    assert again.tab.url.partition("#")[2] == address
    assert again.tab.locator("#threshold-model").input_value() == "1"
    assert (
        again.tab.get_by_role("button", name="own", exact=True).get_attribute("aria-pressed")
        == "true"
    )
    chosen = [again.tab.locator(f"#{its}") for its in ("filter-set", "filter-label")]
    assert [its.input_value() for its in chosen] == ["2", "1"]
    assert again.tab.get_by_label("Path contains").input_value() == "x & y#%"
    assert again.tab.get_by_label("Order").input_value() == "-path"
    number = open_page(PAGE, "#threshold&t=-0.25")
    assert close(number.rows("threshold-table"), expected(SETS, -0.25))


def test_a_link_inside_the_page_keeps_what_was_chosen(open_page: Open) -> None:
    page = open_page(PAGE)
    page.tab.locator("#threshold-number").fill("0.75")
    page.settle()
    page.tab.locator(".jump").get_by_role("link", name="crn").click()
    page.settle()
    assert page.tab.url.endswith("#set-crn&t=0.75")
    assert page.tab.locator("#set-crn").get_attribute("open") is not None
    assert page.tab.locator("#set-crn").evaluate("part => part.getBoundingClientRect().y") < 300
    assert close(page.rows("threshold-table"), expected(SETS, 0.75))


@pytest.mark.parametrize("at", ["#&t=never&set=no&order=-x&with=q", "#%", "#no-such-part"])
def test_an_address_that_says_nothing_is_passed_over(open_page: Open, at: str) -> None:
    page = open_page(PAGE, at)
    assert close(page.rows("threshold-table"), expected(SETS, 0))


def test_hostile_names_do_nothing_but_show(open_page: Open) -> None:
    paths = sorted([*HOSTILE, "undecodable \udcff.png"])
    scored = Scores(paths, np.zeros(len(paths), np.uint8), np.ones(len(paths)))
    models = {name: {name: scored} for name in HOSTILE}
    pictures = {name: dict.fromkeys(paths, Picture(image(), 1, 1)) for name in HOSTILE}
    page = open_page(make_page(title=paths[0], models=models, pictures=pictures))
    shown = {row[2] for row in page.rows("predictions-table")}
    assert shown <= {p.encode("utf-8", "backslashreplace").decode() for p in paths}
    assert len(shown) > 1
    for name in HOSTILE:
        page.tab.locator("#threshold-model").select_option(name)
        assert page.rows("threshold-table")[0][0] == name
    page.tab.locator("#predictions-table .open").first.click()
    page.tab.keyboard.press("ArrowRight")
    assert page.tab.locator("[onerror], b").count() == 0


@pytest.mark.parametrize("name", HOSTILE)
def test_a_page_full_of_a_hostile_name_does_nothing(open_page: Open, name: str) -> None:
    page = open_page(page_full_of(name))
    assert page.tab.title() == name
    assert page.rows("predictions-table")[0][2] == name


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
    controls = tab.locator("nav, input, select, button:not(table button, .card)")
    notice = tab.get_by_text("Printed are only the rows that were on the screen")
    assert controls.locator("visible=true").count() > 10
    assert not notice.is_visible()
    tab.emulate_media(media="print")
    assert controls.locator("visible=true").count() == 0
    assert notice.is_visible()
    assert tab.get_by_text("all 330 images").is_visible()
    assert len(tab.pdf()) > 10_000


def test_folded_parts_are_printed(open_page: Open) -> None:
    page = open_page(PAGE)
    folds = page.tab.locator("main details")
    states = "all => all.map(its => its.open)"
    before = folds.evaluate_all(states)
    assert False in before
    page.tab.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert all(folds.evaluate_all(states))
    for name in SETS:
        assert page.tab.locator(f"details[id='set-{name.replace(' ', '-')}'] img").count()
    page.tab.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert folds.evaluate_all(states) == before


@pytest.mark.parametrize("width", [1400, 390])
def test_figures_of_many_panels_are_folded_where_they_have_no_room(
    open_page: Open, width: int
) -> None:
    one = drawing("ROC curves, in per cent")
    many = one._replace(pictures=[one.pictures[0]] * 5, summary="ROC curves")
    page = make_page(drawings=[many, one._replace(summary="Two alone")])
    tab = open_page(page, viewport={"width": width, "height": 800}).tab
    fold = tab.locator("#figures details")
    assert fold.count() == 1
    assert fold.locator("summary").inner_text() == "ROC curves (5 panels)"
    assert fold.locator("img").first.is_visible() == (width == 1400)
    fold.locator("summary").press("Enter")  # by keyboard
    assert fold.locator("img").first.is_visible() == (width == 390)
    assert tab.locator("#figures > figure img").first.is_visible()


@pytest.mark.parametrize("model", [PAGE, TWO], ids=["one", "two"])
def test_a_narrow_screen_does_not_scroll_sideways(open_page: Open, model: Page) -> None:
    tab = open_page(model, viewport={"width": 390, "height": 800}).tab
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390


def test_everything_is_reached_by_the_keyboard(open_page: Open) -> None:
    tab = open_page(PAGE).tab
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.textContent") == "Skip to the content"
    assert tab.locator(".skip").bounding_box()["x"] >= 0
    tab.keyboard.press("Enter")
    reached = set()
    for _ in range(120):
        tab.keyboard.press("Tab")
        reached.add(tab.evaluate("document.activeElement.id || document.activeElement.textContent"))
    wanted = {"threshold-range", "threshold-number", "0.5", "filter-path", "order", "download"}
    assert {*wanted, "path", "verdict", "predictions-box"} <= reached


def test_without_javascript_the_rest_still_shows(open_page: Open) -> None:
    tab = open_page(PAGE, java_script_enabled=False).tab
    assert tab.locator(".noscript").filter(visible=True).count() == 2
    assert tab.get_by_text("98.76").is_visible()
    assert tab.locator(".heat").is_visible()
    assert tab.locator("#mistakes img").first.is_visible()
    assert not tab.locator("#threshold-range").is_visible()
    tab.get_by_text("table one").first.click()
    assert tab.locator("#tables caption").is_visible()


AXE = os.path.join(os.path.dirname(axe_playwright_python.__file__), "axe.min.js")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_axe_finds_nothing(open_page: Open, scheme: str, width: int) -> None:
    page = open_page(TWO, viewport={"width": width, "height": 900}, color_scheme=scheme)
    with open(AXE, encoding="utf-8") as file:
        page.tab.evaluate(file.read())
    for enlarged in (False, True):
        if enlarged:
            page.tab.locator("#predictions-table .open").first.click()
        found = page.tab.evaluate("axe.run()")["violations"]
        told = [
            (its["id"], node["target"], node["html"][:200])
            for its in found
            for node in its["nodes"]
        ]
        assert not told


def test_the_papers_benchmark_loads_sorts_and_filters(open_page: Open) -> None:
    rng = np.random.default_rng(0)
    count = 90_329
    labels = rng.integers(0, 2, count).astype(np.uint8)
    logits = np.round(rng.normal(size=count) * 4, 4)
    paths = [f"category_name/0_real/image_{i:013d}.png" for i in range(count)]
    sets = {"all": Scores(paths, labels, logits)}
    page = open_page(page_of({"one": sets, "two": sets}))
    assert page.tab.locator("#row-count").inner_text() == "all 90,329 images"
    assert 10 < len(page.rows("predictions-table")) < 60
    page.tab.get_by_role("button", name="logit of one").click()
    first = [f"{value:.4f}" for value in np.sort(logits)[:10]]
    assert [row[4] for row in page.rows("predictions-table")][:10] == first
    page.tab.get_by_role("button", name="path").dblclick()
    assert [row[2] for row in page.rows("predictions-table")][:10] == paths[:-11:-1]
    box = page.tab.locator("#predictions-box")
    box.evaluate("box => { box.scrollTop = box.scrollHeight; }")
    assert page.rows("predictions-table")[-1][2] == paths[0]
    page.tab.locator("#filter-path").fill("00077.")
    assert len(page.rows("predictions-table")) == 1
    assert page.tab.locator("#row-count").inner_text() == "1 of 90,329 images"
    page.tab.locator("#threshold-number").fill("1.5")
    wanted = f"{100 * np.mean((logits > 1.5) == labels):.2f}"
    assert page.rows("threshold-table")[0][4] == wanted
    shown = as_shown([("all", paths[77], int(labels[77]), float(logits[77]))], 1.5)
    assert page.rows("predictions-table")[0][1:7] == shown[0]
