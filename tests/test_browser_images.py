"""The report in a real Chromium: every prediction, mistakes, disagreements, one image enlarged."""

from __future__ import annotations

import csv
import io
import pathlib

import numpy as np
import pytest
from playwright import sync_api

from evaluation.predictions import Scores
from report.page import Page, Picture
from tests.explored import (
    OTHER,
    OWN,
    PAGE,
    SETS,
    TWO,
    Row,
    all_rows,
    as_shown,
    is_wrong,
    page_of,
    wrong_by,
)
from tests.in_browser import Open, Opened
from tests.test_html import image, make_page, marks

ROWS = all_rows(SETS)


def shows(page: Opened, wanted: list[Row], threshold: float | dict[str, float] = 0.0) -> bool:
    """Whether the table begins with these rows, and says how many there are."""
    cells = [row[1:7] for row in page.rows("predictions-table")]
    all_of_them = len(wanted) == len(ROWS)
    count = "all 330 images" if all_of_them else f"{len(wanted)} of 330 images"
    return (
        len(cells) >= min(len(wanted), 10)
        and cells == as_shown(wanted[: len(cells)], threshold)
        and page.tab.locator("#row-count").inner_text() == count
    )


def most_wrong(rows: list[Row], threshold: float | dict[str, float] = 0.0) -> list[Row]:
    return sorted(rows, key=lambda row: -wrong_by(row, threshold))


def test_the_most_wrong_come_first_wherever_the_threshold_is(open_page: Open) -> None:
    page = open_page(PAGE)
    assert shows(page, most_wrong(ROWS))
    page.tab.locator("#threshold-number").fill("1.25")
    assert shows(page, most_wrong(ROWS, 1.25), 1.25)
    page.press("own")
    assert shows(page, most_wrong(ROWS, OWN), OWN)
    page.tab.get_by_label("Order").select_option("unsure")
    assert shows(page, sorted(ROWS, key=lambda row: abs(wrong_by(row, OWN))), OWN)


def test_the_rows_sort_by_every_column_both_ways(open_page: Open) -> None:
    page = open_page(PAGE)
    keys = [lambda r: r[0], lambda r: r[1], lambda r: r[2], lambda r: r[3], lambda r: r[3]]
    keys.append(lambda r: -wrong_by(r))
    buttons = page.tab.locator("#predictions-table thead button")
    states = "cells => cells.map(cell => cell.getAttribute('aria-sort'))"
    for column, key in enumerate(keys):
        for reverse in (False, True):
            buttons.nth(column).press("Enter")
            assert shows(page, sorted(ROWS, key=key, reverse=reverse))
            falls = reverse != (column == 5)  # the most wrong first is the verdict falling
            wanted: list[str | None] = [None] * 7
            wanted[column + 1] = "descending" if falls else "ascending"
            if column in (3, 4):  # a probability sorts as its logit
                wanted[4] = wanted[5] = wanted[column + 1]
            assert page.tab.locator("#predictions-table thead th").evaluate_all(states) == wanted


def test_the_rows_are_filtered(open_page: Open) -> None:
    page = open_page(PAGE)
    tab = page.tab
    tab.get_by_label("Order").select_option("path")
    rows = sorted(ROWS, key=lambda row: row[1])
    tab.get_by_label("Path contains").fill("Y/iMaGe_1")
    some = [r for r in rows if "y/image_1" in r[1].lower()]
    assert 0 < len(some) < 50 and shows(page, some)
    tab.get_by_label("Path contains").fill("")
    tab.get_by_label("Test set", exact=True).select_option("crn")
    crn = [r for r in rows if r[0] == "crn"]
    assert shows(page, crn)
    tab.get_by_label("Label").select_option("real")
    assert shows(page, [r for r in crn if r[2] == 0])
    tab.get_by_label("Verdict").select_option("wrong")
    assert shows(page, [r for r in crn if r[2] == 0 and r[3] > 0])
    tab.locator("#threshold-number").fill("1")
    assert shows(page, [r for r in crn if r[2] == 0 and r[3] > 1], 1)
    tab.get_by_label("Verdict").select_option("right")
    assert shows(page, [r for r in crn if r[2] == 0 and r[3] <= 1], 1)
    tab.get_by_label("Path contains").fill("no such path")
    assert shows(page, [])


def test_only_rows_in_sight_are_in_the_page(open_page: Open) -> None:
    page = open_page(PAGE, "#&order=path")
    rows = as_shown(sorted(ROWS, key=lambda row: row[1]))
    box = page.tab.locator("#predictions-box")
    for place in (0, 100, 319):
        box.evaluate("(box, place) => { box.scrollTop = place * 56; }", place)
        page.settle()
        lines = page.tab.locator("#predictions-table .rows tr")
        first = int(lines.first.get_attribute("aria-rowindex") or 0) - 2
        assert first <= place < first + lines.count() <= 330
        assert lines.count() < 40
        cells = [row[1:7] for row in page.rows("predictions-table")]
        assert cells == rows[first : first + len(cells)]
    assert page.tab.locator("#predictions-table").get_attribute("aria-rowcount") == "331"


def test_the_focus_walks_through_the_rows(open_page: Open) -> None:
    page = open_page(PAGE, "#&order=path")
    paths = sorted(row[1] for row in ROWS)
    page.tab.locator("#predictions-table .open").first.focus()
    for path in paths[:40]:
        words = page.tab.evaluate("document.activeElement.getAttribute('aria-label')")
        assert words == f"Enlarge {path}"
        page.tab.keyboard.press("Tab")
        page.settle()


def test_several_models_stand_side_by_side_with_gaps_last(open_page: Open) -> None:
    page = open_page(TWO)
    tab = page.tab
    tab.get_by_label("Test set", exact=True).select_option("late")
    tab.get_by_label("Order").select_option("path")
    shown = page.rows("predictions-table")
    assert [row[4:7] for row in shown] == [["", "", ""]] * 10
    late = sorted(all_rows({"late": OTHER["late"]}), key=lambda row: row[1])
    assert [row[1:4] + row[7:] for row in shown] == as_shown(late)
    tab.get_by_label("Test set", exact=True).select_option("all")
    ordered = sorted(OTHER["zoo"].logits.tolist() + OTHER["late"].logits.tolist())
    box = tab.locator("#predictions-box")
    for direction in (1, -1):
        tab.get_by_role("button", name="logit of other model").click()
        column = [row[7] for row in page.rows("predictions-table")]
        assert column == [f"{v:.4f}" for v in ordered[::direction]][: len(column)]
        box.evaluate("box => { box.scrollTop = box.scrollHeight; }")
        assert {row[7] for row in page.rows("predictions-table")} == {""}


def test_what_is_filtered_can_be_downloaded(open_page: Open) -> None:
    odd = ['a,"b".png', "line\nbreak.png", "plain.png", "=1+1.png"]
    labels = np.array([0, 1, 1, 0], np.uint8)
    own = Scores(odd, labels, np.array([1.23456789, -2.0, 3.0, -1.0]))
    page = open_page(page_of({"m": {"a,b": own, "other": SETS["crn"]}}))
    page.tab.get_by_label("Test set", exact=True).select_option("a,b")
    page.tab.get_by_label("Verdict").select_option("wrong")
    page.settle()
    with page.tab.expect_download() as waiting:
        page.tab.get_by_role("button", name="Download as CSV").click()
    assert waiting.value.suggested_filename == "predictions-filtered.csv"
    text = pathlib.Path(waiting.value.path()).read_bytes().decode()
    lines = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [list(line.values()) for line in lines] == [
        ["a,b", "line\nbreak.png", "1", "-2", "0.119202922"],
        ["a,b", 'a,"b".png', "0", "1.2346", f"{1 / (1 + np.exp(-1.2346)):.9g}"],
    ]
    assert list(lines[0]) == ["testset", "path", "label", "logit", "probability"]


def pictured_page(number: int = 40) -> Page:
    """Of a set of many mistakes, the most wrong have pictures."""
    labels = np.repeat((0, 1), 40).astype(np.uint8)
    logits = np.concatenate((np.linspace(-1, 3, 40), np.linspace(-3, 1, 40)))
    names = [f"{('0_real', '1_fake')[label]}/{i % 40:02}.png" for i, label in enumerate(labels)]
    own = Scores(names, labels, logits)
    wrong = np.argsort(np.where(labels == 0, -logits, logits), kind="stable")[:number]
    pictures = {"s": {names[i]: Picture(image(), 640, 480, {"m": image("blue")}) for i in wrong}}
    models = {"m": {"s": own}}
    return make_page(models=models, marks=marks(models, high=2.0, low=-9.0), pictures=pictures)


def heading_counts(tab: sync_api.Page, part: str) -> list[str]:
    return tab.locator(f"{part} .kind .of").all_inner_texts()


def test_mistakes_follow_the_threshold_among_those_with_pictures(open_page: Open) -> None:
    page = open_page(pictured_page())
    logits = np.linspace(-1, 3, 40)
    above = {cut: int((logits > cut).sum()) for cut in (0.0, 2.0, -9.0)}
    assert heading_counts(page.tab, "#set-s") == [f"12 of {above[0.0]}", "12 of 30"]
    page.press("high")
    assert heading_counts(page.tab, "#set-s") == [f"{above[2.0]} of {above[2.0]}", "12 of 40"]
    assert page.tab.locator("#set-s .counts").inner_text() == (
        f"{above[2.0]} real called fake, 40 fake called real"
    )
    shown = page.tab.locator("#set-s .kind").first.locator(".score").all_inner_texts()
    assert shown == [f"{v:.2f}" for v in sorted(logits)[: -above[2.0] - 1 : -1]]
    page.press("low")
    assert heading_counts(page.tab, "#set-s") == ["12 of 40", "0 of 0"]
    page.tab.locator("#set-s").get_by_role("button", name="Show more").first.click()
    assert heading_counts(page.tab, "#set-s")[0] == "20 of 40"  # of 40 pictures, 20 are of reals
    page.tab.get_by_role("button", name="All 40 in the table").first.click()
    page.settle()
    assert page.tab.locator("#row-count").inner_text() == "40 of 80 images"
    assert page.tab.url.endswith("#predictions&t=low&set=s&label=real&verdict=wrong")


def test_small_pictures_are_enlarged_by_whole_pixels(open_page: Open) -> None:
    pictures = open_page(pictured_page()).tab.locator("#set-s .cards img")
    assert pictures.first.evaluate("i => [i.naturalWidth, i.clientWidth]") == [8, 128]
    assert pictures.first.evaluate("i => getComputedStyle(i).imageRendering") == "pixelated"


def test_an_image_is_enlarged_with_all_that_is_known_of_it(open_page: Open) -> None:
    page = open_page(pictured_page())
    dialog = page.tab.locator("dialog")
    assert not dialog.is_visible()
    page.tab.locator("#set-s .card").first.press("Enter")
    assert dialog.locator("h2").inner_text() == "0_real/39.png"
    text = dialog.inner_text()
    assert "logit 3.0000, probability 0.9526: called fake, wrong" in text
    assert "640 \N{MULTIPLICATION SIGN} 480 pixels" in text
    assert "1_fake/39.png: logit 1.0000, probability 0.7311: called fake, right" in text
    assert "Grad-CAM: evidence for “fake”" in text
    assert "1 of 20" in text
    assert dialog.locator("img").count() == 2  # the partner has no picture
    page.tab.keyboard.press("ArrowRight")
    assert dialog.locator("h2").inner_text() == "0_real/38.png"
    page.tab.keyboard.press("ArrowLeft")
    page.tab.keyboard.press("ArrowLeft")
    assert dialog.locator("h2").inner_text() == "0_real/39.png"
    page.tab.keyboard.press("Escape")
    assert not dialog.is_visible()
    focused = "document.activeElement.getAttribute('aria-label')"
    assert page.tab.evaluate(focused) == "Enlarge 0_real/39.png, logit 3.00"


def test_rows_are_enlarged_in_the_order_of_the_table(open_page: Open) -> None:
    page = open_page(page_of({"model": SETS}, pictured=2), "#&order=path")
    paths = sorted(row[1] for row in ROWS)
    page.tab.locator("#predictions-table .open").nth(3).click()
    assert page.tab.locator("#enlarged-title").inner_text() == paths[3]
    page.tab.get_by_role("button", name="Next").click()
    assert page.tab.locator("#enlarged-title").inner_text() == paths[4]
    assert page.tab.get_by_text("5 of 330").is_visible()
    assert page.tab.get_by_text("There is no picture of this image").is_visible()


def disputed(threshold: float = 0.0) -> list[tuple[Row, Row]]:
    """What both of TWO scored and call differently."""
    theirs = {row[:2]: row for row in all_rows({"zoo": OTHER["zoo"]})}
    ours = [row for row in ROWS if row[:2] in theirs]
    pairs = [(row, theirs[row[:2]]) for row in ours]
    return [(a, b) for a, b in pairs if (a[3] > threshold) != (b[3] > threshold)]


@pytest.mark.parametrize("threshold", [0.0, 1.5])
def test_disagreements_are_those_where_one_is_right(open_page: Open, threshold: float) -> None:
    page = open_page(TWO, f"#&t={threshold}")
    pairs = disputed(threshold)
    only_first = [a for a, b in pairs if not is_wrong(a, threshold)]
    told = page.tab.locator("#disagreements-sum").inner_text()
    assert told.startswith(f"model and other model disagree about {len(pairs)} of the 180 images")
    counts = heading_counts(page.tab, "#disagreements")
    numbers = [int(words.rpartition(" ")[2]) for words in counts]
    assert numbers == [len(only_first), len(pairs) - len(only_first)]
    page.tab.locator("#first-model").select_option("other model")
    page.settle()
    swapped = [int(c.rpartition(" ")[2]) for c in heading_counts(page.tab, "#disagreements")]
    assert swapped == numbers[::-1]
    assert page.tab.locator("#second-model").input_value() == "0"
    page.tab.get_by_label("Verdict").select_option("disputed")
    page.settle()
    assert page.tab.locator("#row-count").inner_text() == f"{len(pairs)} of 340 images"


def test_disagreements_show_the_pictures_of_those_furthest_apart_first(open_page: Open) -> None:
    page = open_page(page_of({"model": SETS, "other model": OTHER}, pictured=180))
    pairs = [(a, b) for a, b in disputed() if not is_wrong(a)]
    pairs.sort(key=lambda pair: -abs(pair[0][3] - pair[1][3]))
    shown = page.tab.locator("#disagreements .kind").first.locator(".score").all_inner_texts()
    assert shown == [f"{a[3]:.2f} / {b[3]:.2f}" for a, b in pairs[:12]]


def test_pictures_beside_the_page_are_loaded(open_page: Open, tmp_path: pathlib.Path) -> None:
    (tmp_path / "thumbnails").mkdir()
    (tmp_path / "thumbnails/000001.png").write_bytes(image("green"))
    name = SETS["crn"].paths[0]
    pictures = {"crn": {name: Picture("thumbnails/000001.png", 8, 8)}}
    page = open_page(PAGE._replace(pictures=pictures), f"#predictions&q={name}")
    shown = page.tab.locator("#predictions-table .open img")
    sync_api.expect(shown).to_have_count(1)
    shown.evaluate("image => image.decode()")
    assert shown.evaluate("image => image.naturalWidth") == 8
