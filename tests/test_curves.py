"""Curves have the shape, the area and the number that independent code gives."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from sklearn.metrics import auc, average_precision_score, roc_auc_score

from evaluation.predictions import Scores
from report.figures.curves import (
    low_rate_curves,
    overlay,
    overlay_planes,
    precision_recall_curves,
    roc_curves,
)
from report.figures.panels import Panels, figure_of, picture_of
from tests.drawn import NAMES, curve_of, panels, rendered, scores, words
from tests.tolerances import near
from util.drawing import MODELS

CURVES = [roc_curves, precision_recall_curves, low_rate_curves]


def axes_of(its: Panels) -> Axes:
    """The first panel of the figure."""
    return figure_of(its).axes[0]


@pytest.mark.parametrize("distance", [0.0, 0.7, 3.0])
def test_a_drawn_roc_curve_is_thin_and_has_the_area_it_should(distance: float) -> None:
    scored = scores(20_000, distance=distance)
    curve = curve_of(axes_of(roc_curves({"model": {"crn": scored}})))
    x, y = curve.get_xdata(), curve.get_ydata()
    assert len(x) <= 1000
    assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)
    assert auc(x, y) == near(
        roc_auc_score(scored.labels, scored.logits), 1e-3, "a curve of at most 1000 points"
    )


@pytest.mark.parametrize("distance", [0.0, 0.7, 3.0])
def test_a_drawn_precision_recall_curve_has_the_area_it_should(distance: float) -> None:
    scored = scores(20_000, distance=distance)
    curve = curve_of(axes_of(precision_recall_curves({"model": {"crn": scored}})))
    recall, precision = curve.get_xdata(), curve.get_ydata()
    assert len(recall) <= 1000
    assert (recall[0], recall[-1]) == (1, 0)
    area = -np.sum(np.diff(recall) * precision[:-1])
    expected = average_precision_score(scored.labels, scored.logits)
    assert area == near(expected, 3e-3, "a curve of at most 1000 points")


@pytest.mark.parametrize("curves", CURVES)
def test_the_pdf_of_many_images_stays_small(curves: Callable[..., Panels]) -> None:
    figure = figure_of(curves({"a": {"crn": scores(20_000)}, "b": {"crn": scores(20_000, 1)}}))
    assert len(rendered(figure, "pdf")) < 100_000


@pytest.mark.parametrize("curves", CURVES)
def test_what_has_no_curve_is_said_in_words(curves: Callable[..., Panels]) -> None:
    whole = scores(20)
    one_label = Scores(whole.paths, np.ones(20, np.uint8), whole.logits)
    constant = whole._replace(logits=np.full(20, 0.25))
    sets = {"whole": whole, "fakes": one_label, "flat": constant}
    by_title = panels(figure_of(curves({"model": sets})))
    assert list(by_title) == list(sets)
    assert "one label only" in words(by_title["fakes"])
    assert "all scores equal" in words(by_title["flat"])
    assert not by_title["fakes"].lines and not by_title["flat"].lines
    assert len(by_title["whole"].lines) == 2  # the curve and chance
    both = panels(figure_of(curves({"model": sets, "other": {"flat": whole}})))
    assert "model:\nall scores equal" in words(both["flat"])
    assert len(both["flat"].lines) == 2


def test_long_words_in_a_panel_do_not_squeeze_it() -> None:
    models = {name: dict.fromkeys(NAMES[:5], scores(40)) for name in ("W" * 30, "M" * 30)}
    models["M" * 30][NAMES[0]] = scores(40)._replace(logits=np.zeros(40))
    figure = figure_of(roc_curves(models))
    rendered(figure)
    widths = [axes.get_window_extent().width for axes in figure.axes]
    assert widths == near([widths[0]] * 5, 0.02 * widths[0], "whole pixels")
    assert sum(widths) > 0.8 * figure.bbox.width


def test_chance_in_the_precision_recall_plane_is_the_share_of_fakes() -> None:
    scored = scores(100)
    few = Scores(
        scored.paths[:80], np.repeat([0, 1], [60, 20]).astype(np.uint8), scored.logits[:80]
    )
    axes = axes_of(precision_recall_curves({"model": {"crn": few}}))
    assert [list(line.get_ydata()) for line in axes.lines if len(line.get_xdata()) == 2] == [
        [0.25] * 2
    ]


@pytest.mark.parametrize(
    ("curves", "name", "metric"),
    [
        (roc_curves, "AUROC", roc_auc_score),
        (precision_recall_curves, "AP", average_precision_score),
    ],
)
def test_the_number_stands_in_the_panel(
    curves: Callable[..., Panels], name: str, metric: Callable[..., float]
) -> None:
    one, two = scores(200, 1), scores(200, 2, distance=2)
    values = [f"{100 * metric(its.labels, its.logits):.1f}" for its in (one, two)]
    alone = curves({"model": {"crn": one, "san": two}})
    for panel, value in zip(alone.panels, values, strict=True):
        assert f"{name} {value}" in words(picture_of(alone, panel)).split("\n")
        assert panel.words == f"{name} {value}"
    both = curves({"first": {"crn": one}, "second": {"crn": two}})
    legend = axes_of(both).get_legend()
    assert legend.get_title().get_text() == name
    shown = [text.get_text() for text in legend.get_texts()]
    assert shown == [f"first {values[0]}", f"second {values[1]}"]
    assert [to_hex(its.get_color()).upper() for its in legend.get_lines()] == [*MODELS[:2]]
    assert both.panels[0].words == f"{name}: first {values[0]}, second {values[1]}"


def test_a_model_keeps_its_colour_where_another_has_no_scores() -> None:
    models = {"first": {"crn": scores()}, "second": {"crn": scores(), "san": scores()}}
    by_title = panels(figure_of(roc_curves(models)))
    assert to_hex(curve_of(by_title["san"]).get_color()).upper() == MODELS[1]


@pytest.mark.parametrize("ties", [False, True])
def test_the_curve_at_few_false_alarms_is_that_of_a_slow_loop(ties: bool) -> None:
    scored = scores(240, 5)
    logits = np.round(scored.logits * 2) if ties else scored.logits
    scored = scored._replace(logits=logits)
    curve = curve_of(axes_of(low_rate_curves({"model": {"crn": scored}})))
    reals, fakes = logits[scored.labels == 0], logits[scored.labels == 1]
    expected = {}
    for allowed in range(1, len(reals) + 1):
        found = 0.0
        for threshold in [-math.inf, *logits]:
            if np.sum(reals > threshold) <= allowed:
                found = max(found, float(np.mean(fakes > threshold)))
        expected[allowed / len(reals)] = found
    drawn = dict(zip(curve.get_xdata(), curve.get_ydata(), strict=True))
    assert drawn == pytest.approx(expected)
    assert curve.get_drawstyle() == "steps-post"


def test_the_axis_of_few_false_alarms_ends_where_the_reals_tell_nothing() -> None:
    large, small = scores(2000), scores(100)  # of 1,000 and of 50 reals
    fakes = Scores(["a"] * 9000, np.ones(9000, np.uint8), np.arange(9000.0))
    its = low_rate_curves({"model": {"crn": large, "san": small, "own": fakes}})
    by_title = panels(figure_of(its))
    for axes in by_title.values():
        assert axes.get_xlim() == pytest.approx((1e-3, 1))
        assert axes.get_xscale() == "log"
    starts = [np.min(curve_of(by_title[name]).get_xdata()) for name in ("crn", "san")]
    assert starts == pytest.approx([1 / 1000, 1 / 50])
    numbers = (f"{100 * slow_rate(large):.1f}", *["undefined"] * 2)  # 1 % of 50 reals is none
    assert [panel.words for panel in its.panels] == [f"TPR at FPR 1 % {n}" for n in numbers]


def slow_rate(scored: Scores) -> float:
    """The share of fakes above the highest threshold that 1 % of the reals lie above."""
    reals = np.sort(scored.logits[scored.labels == 0])[::-1]
    return float(np.mean(scored.logits[scored.labels == 1] > reals[len(reals) // 100]))


def test_an_overlay_has_every_set_that_ranks_the_best_first() -> None:
    sets = {name: scores(200, i, distance=i / 3) for i, name in enumerate(NAMES)}
    sets["flat"] = scores(200)._replace(logits=np.zeros(200))
    planes = overlay_planes(sets)
    figure = overlay(sets, planes)
    looks = set()
    for axes, metric in zip(
        figure.axes, (roc_auc_score, average_precision_score, None), strict=True
    ):
        shown = [text.get_text().rpartition(" ") for text in axes.get_legend().get_texts()]
        assert {name for name, _, _ in shown} == set(NAMES)
        values = [float(value) for _, _, value in shown]
        assert values == sorted(values, reverse=True)
        looks |= {
            (line.get_color(), line.get_linestyle()) for line in axes.get_legend().get_lines()
        }
        if metric:
            for name, _, value in shown:
                assert value == f"{100 * metric(sets[name].labels, sets[name].logits):.1f}"
    assert len(looks) == len(NAMES)  # a set looks the same in each, and unlike others
    assert len(overlay(sets, planes[:1]).axes) == 1
    assert rendered(overlay({}, planes))
