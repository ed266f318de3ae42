"""Average precision against accuracy, and the logits of two models against each other."""

from __future__ import annotations

import math
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Annotation

from evaluation.compare import Agreement
from evaluation.measure import Estimate, Measured
from report.figures.agreement import FAINTEST, logits_against_logits, who_is_right
from report.figures.ranking import ranking_against_accuracy, spread
from tests.drawn import NAMES, rendered, words
from util.drawing import DARK, FAKE, MODELS, REAL, STYLE, picture


def line(name: str, ap: float, accuracy: float, best: float) -> Measured:
    values = {"ap": ap, "accuracy": accuracy, "oracle_accuracy": best}
    return Measured(name, {metric: Estimate(value) for metric, value in values.items()})


LINES = [
    line("crn", 0.97, 0.55, 0.9),
    line("one label", math.nan, 0.8, math.nan),
    line("san", 0.6, 0.58, 0.6),
    line("mean", 0.8, 0.6, 0.7),
]


def test_a_point_is_at_accuracy_and_ap_and_its_line_ends_at_the_best_threshold() -> None:
    (axes,) = ranking_against_accuracy({"model": LINES}).axes
    drawn = [
        [list(map(float, its.get_xdata())), list(map(float, its.get_ydata()))]
        for its in axes.lines
        if to_hex(its.get_color()).upper() == MODELS[0]
    ]
    whiskers = [its for its in drawn if len(its[0]) == 2]
    assert np.array(whiskers) == pytest.approx(
        np.array([[[55, 90], [97, 97]], [[58, 60], [60, 60]]])
    )
    points = [[x[0], y[0]] for x, y in drawn if len(x) == 1]
    assert np.array(points) == pytest.approx(np.array([[55, 97], [58, 60]]))
    marked = {a.get_text(): a.xy for a in axes.texts if isinstance(a, Annotation)}
    assert marked == {"crn": pytest.approx((55, 97)), "san": pytest.approx((58, 60))}


def test_each_model_has_a_panel_in_its_colour_and_may_be_drawn_alone() -> None:
    models = {"one": LINES, "two": LINES}
    both = ranking_against_accuracy(models).axes
    assert [axes.get_title() for axes in both] == ["one", "two"]
    (alone,) = ranking_against_accuracy(models, "two").axes
    assert alone.get_title() == "two"
    colours = [to_hex(its.lines[0].get_color()).upper() for its in (*both, alone)]
    assert colours == [MODELS[0], MODELS[1], MODELS[1]]
    assert rendered(ranking_against_accuracy({}))


def test_an_axis_holds_a_set_below_chance() -> None:
    (axes,) = ranking_against_accuracy({"m": [line("crn", 0.31, 0.33, 0.5), LINES[-1]]}).axes
    assert axes.get_xlim()[0] <= 30 and axes.get_ylim()[0] <= 30


def test_names_do_not_lie_over_each_other_however_close_the_points() -> None:
    lines = [line(name, 0.99 + i / 5000, 0.98, 0.99) for i, name in enumerate(NAMES)]
    figure = ranking_against_accuracy({"m": [*lines, LINES[-1]]})
    rendered(figure)
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    boxes = sorted(boxes, key=lambda box: box.y0)
    assert len(boxes) == len(NAMES)
    with_arrows = [t for t in figure.axes[0].texts if isinstance(t, Annotation)]
    heights = sorted(t.xyann[1] for t in with_arrows)
    inches = figure.axes[0].get_window_extent().height / figure.dpi
    assert np.diff(heights).min() * inches > 0.12  # a line of letters of 6.7 points
    assert heights[0] >= -0.01 and heights[-1] <= 1.01


@pytest.mark.parametrize("seed", range(20))
def test_spread_moves_no_more_than_it_must(seed: int) -> None:
    rng = np.random.default_rng(seed)
    wanted = sorted(rng.random(8) ** 0.3)
    placed = spread(wanted, 0.1)
    assert np.diff(placed).min() >= 0.1 - 1e-12
    assert placed[0] >= 0 and placed[-1] <= 1
    apart = [0.05, 0.3, 0.5, 0.9]
    assert spread(apart, 0.1) == apart
    assert spread([], 0.1) == []


def pair(count: int, seed: int = 0) -> Agreement:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count).astype(np.uint8)
    return Agreement(labels, *(rng.normal(3.0 * labels - 1.5, 2.0) for _ in range(2)))


def cells_of(figure: Figure) -> np.ndarray:
    (image,) = figure.axes[0].get_images()
    return np.asarray(image.get_array())


def test_cells_are_where_images_are_in_the_colour_of_their_label() -> None:
    its = Agreement(
        np.array([0, 1, 1, 0], np.uint8), np.array([-2.0, 2, 2, 2]), np.array([-3.0, 5, 5, -3])
    )
    figure = logits_against_logits({("a", "b"): its}, 0.5)
    (axes,) = figure.axes
    cells = cells_of(figure)
    filled = np.argwhere(cells[..., 3] > 0)
    size = len(cells) - 1
    assert filled.tolist() == [[0, 0], [0, size], [size, size]]  # of rows from below, columns
    assert cells[0, 0, :3] == pytest.approx(to_rgb(REAL))
    assert cells[size, size, :3] == pytest.approx(to_rgb(FAKE))
    assert cells[0, 0, 3] == pytest.approx(FAINTEST) and cells[size, size, 3] > FAINTEST
    assert axes.get_images()[0].get_extent() == [-2, 2, -3, 5]
    lines = {(tuple(its.get_xdata()), tuple(its.get_ydata())) for its in axes.lines}
    assert lines == {((0.5, 0.5), (0, 1)), ((0, 1), (0.5, 0.5))}


def test_it_is_said_how_often_who_is_right() -> None:
    its = pair(1000)
    counts = who_is_right(("ours", "theirs"), its, 0.0)
    assert sum(counts.values()) == 1000 and min(counts.values()) > 0
    figure = logits_against_logits({("ours", "theirs"): its}, 0.0)
    for text, number in counts.items():
        assert f"{text}: {number:,} ({number / 10:.1f} %)" in words(figure)
    assert list(counts) == ["both right", "only ours", "only theirs", "none"]
    assert "logit of ours" in words(figure) and "logit of theirs" in words(figure)


@pytest.mark.parametrize("style", [{}, DARK])
def test_all_of_the_words_are_on_the_paper(style: dict[Any, Any]) -> None:
    names = ("a " * 30, "b " * 30)
    with matplotlib.rc_context({**STYLE, **style}):
        figure = logits_against_logits({names: pair(50)}, 0.0)
        figure.draw_without_rendering()
        box = figure.axes[0].get_tightbbox()
    assert box is not None
    assert figure.bbox.padded(2).containsy(box.y0) and figure.bbox.padded(2).containsy(box.y1)


def test_ninety_thousand_images_make_no_large_file() -> None:
    its = pair(90_000)
    figure = logits_against_logits({("a", "b"): its}, 0.0)
    assert len(rendered(figure, "pdf")) < 250_000
    drawn = picture("words", lambda: logits_against_logits({("a", "b"): its}, 0.0))
    assert len(drawn.light) < 80_000


def test_no_pair_and_no_shared_image_are_an_empty_figure() -> None:
    assert rendered(logits_against_logits({}, 0.0))
    nothing = Agreement(np.empty(0, np.uint8), np.empty(0), np.empty(0))
    assert "both right: 0 (0.0 %)" in words(logits_against_logits({("a", "b"): nothing}, 0.0))
