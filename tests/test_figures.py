"""The figures draw what was measured. Figures are read back through matplotlib's own objects."""

from __future__ import annotations

import itertools
import math
import pathlib
from collections.abc import Callable

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch

from report.figures.bars import performance_bars
from report.figures.curves import roc_curves
from report.figures.panels import figure_of, picture_of
from report.figures.reliability import reliability_diagrams
from report.figures.robustness import robustness_panels
from report.figures.scores import score_histograms
from tests.drawn import NAMES, bars_of, degraded, line, panels, rendered, scores, words
from tests.tolerances import near
from util.drawing import FAKE, MODELS, REAL, STYLE, save_figure


def test_a_bar_is_as_long_as_the_ap_and_its_interval_as_long() -> None:
    rows = [
        line("progan", 0.9, 0.85, 0.92),
        line("crn", 0.6, 0.5, 0.7),
        line("mean", 0.75, 0.7, 0.8),
    ]
    axes = performance_bars({"model": rows}).axes[0]
    bars = bars_of(axes)
    assert [bar.get_width() for bar in bars] == pytest.approx([90, 60, 75])
    ends = {}
    for container in axes.containers:
        if isinstance(container, ErrorbarContainer):
            (low, y), (high, _) = container.lines[2][0].get_segments()[0]
            ends[y] = [low, high]
    expected = [[85, 92], [50, 70], [70, 80]]
    for bar, interval in zip(bars, expected, strict=True):
        assert ends.pop(bar.get_y() + bar.get_height() / 2) == pytest.approx(interval)
    assert not ends
    gaps = np.diff([bar.get_y() for bar in bars])
    assert gaps[1] > gaps[0]  # the mean stands apart


def test_an_undefined_ap_is_a_name_and_a_word_but_no_bar() -> None:
    rows = [line("progan", 0.9), line("crn", math.nan), line("mean", 0.9)]
    axes = performance_bars({"model": rows}).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["progan", "crn", "mean"]
    assert len(axes.patches) == 2
    assert words(axes).count("undefined") == 1
    assert not [
        c for c in axes.containers if isinstance(c, ErrorbarContainer)
    ]  # NaN is no interval


def test_published_figures_are_marked_and_explained_only_where_known() -> None:
    rows = [line("progan", 0.9)._replace(published={"ap": 0.97}), line("own", 0.5)]
    rows.append(line("mean", 0.7)._replace(published={"ap": math.nan}))
    figure = performance_bars({"model": rows})
    markers = [line for line in figure.axes[0].lines if line.get_marker() == "D"]
    assert [float(line.get_xdata()[0]) for line in markers] == pytest.approx([97])
    assert "published" in words(figure)
    assert "published" not in words(performance_bars({"model": rows[1:]}))


def test_models_stand_side_by_side_in_their_colours() -> None:
    first, second = [line("crn", 0.9), line("mean", 0.9)], [line("crn", 0.8), line("mean", 0.8)]
    figure = performance_bars({"one": first, "two": second})
    bars = bars_of(figure.axes[0])
    assert [bar.get_width() for bar in bars] == pytest.approx([90, 80, 90, 80])
    colours = [to_hex(bar.get_facecolor()).upper() for bar in bars]
    assert colours == [*MODELS[:2], *MODELS[:2]]
    assert all(a.get_y() + a.get_height() <= b.get_y() for a, b in itertools.pairwise(bars))
    assert {"one", "two"} <= set(words(figure).split("\n"))
    assert "one" not in words(performance_bars({"one": first})).split("\n")


def test_a_histogram_has_area_one_for_each_label_and_shows_the_threshold() -> None:
    scored = scores(400, distance=2)
    figure = figure_of(score_histograms({"model": {"crn": scored}}, 0.75))
    axes = figure.axes[0]
    filled = {
        to_hex(p.get_facecolor()).upper(): p
        for p in axes.patches
        if isinstance(p, StepPatch) and p.get_fill()
    }
    assert set(filled) == {REAL, FAKE}
    means = {}
    for colour, patch in filled.items():
        values, edges, _ = patch.get_data()
        assert np.sum(values * np.diff(edges)) == pytest.approx(1)
        means[colour] = np.sum(values * np.diff(edges) * (edges[:-1] + edges[1:]) / 2)
    assert means[FAKE] - means[REAL] == near(2, 0.4, "of 400 images, in bins")
    assert [list(line.get_xdata()) for line in axes.lines] == [[0.75, 0.75]]
    assert words(figure).split("\n").count("logit") == 1


def test_histograms_of_several_models_stand_side_by_side_with_their_names() -> None:
    its = score_histograms({"one": {"crn": scores()}, "two": {"crn": scores(), "san": scores()}}, 0)
    titles = ["crn\none", "crn\ntwo", "san\ntwo"]
    assert [axes.get_title() for axes in figure_of(its).axes] == titles
    assert [picture_of(its, panel).axes[0].get_title() for panel in its.panels] == titles


@pytest.mark.parametrize(
    ("degradation", "levels", "inverted"),
    [
        ("blur", [0, 1, 2, 3], False),
        ("jpeg", [30, 65, 90, 100], True),
        ("rescale", [1, 0.25], True),
    ],
)
def test_degradation_grows_to_the_right(
    degradation: str, levels: list[float], inverted: bool
) -> None:
    rows = [
        degraded("crn", degradation, level, 0.5 + i / 10, 0.4 + i / 10, 0.6 + i / 10)
        for i, level in enumerate(levels)
    ]
    other = degraded("crn", "other", 7.0, 0.1)
    figure = figure_of(robustness_panels([*rows[::-1], other], degradation))
    axes = panels(figure)["crn"]
    assert axes.xaxis_inverted() == inverted
    drawn_line = next(line for line in axes.lines if line.get_marker() == "o")
    drawn = dict(zip(drawn_line.get_xdata(), drawn_line.get_ydata(), strict=True))
    assert drawn == pytest.approx({level: 50 + 10 * i for i, level in enumerate(levels)})
    band = axes.collections[0].get_paths()[0].get_extents()
    assert (band.y0, band.y1) == pytest.approx((40, 60 + 10 * (len(levels) - 1)))
    assert list(next(x for x in axes.lines if x is not drawn_line).get_ydata()) == [50, 50]
    label = {"blur": "sigma (pixels)", "jpeg": "quality", "rescale": "factor"}[degradation]
    assert label in words(figure)


def test_a_level_without_an_interval_or_ap_is_drawn_without(tmp_path: pathlib.Path) -> None:
    rows = [degraded("crn", "blur", float(i), ap) for i, ap in enumerate((0.9, math.nan, 0.7))]
    lines = figure_of(robustness_panels(rows, "blur")).axes[0].lines
    curve = next(x for x in lines if x.get_marker() == "o")
    assert np.isnan(curve.get_ydata()).tolist() == [False, True, False]
    save_figure(str(tmp_path), "figure", lambda: figure_of(robustness_panels(rows, "blur")))


def test_names_are_shown_as_they_are(tmp_path: pathlib.Path) -> None:
    """Dollars are no mathematics, and bytes without a character do not stop the drawing."""
    names = ["$x^2$ set", "_hidden", "bad\udcffbyte", r"$\frac$", "line\nbreak"]
    models = {name: dict.fromkeys(names, scores(30)) for name in ("$\\alpha$", "_model")}
    bars = {model: [line(name, 0.9) for name in [*names, "mean"]] for model in models}
    levels = [degraded(name, "jpeg", 90.0, 0.9) for name in names]
    drawings: list[Callable[[], Figure]] = [
        lambda: performance_bars(bars),
        lambda: figure_of(roc_curves(models)),
        lambda: figure_of(score_histograms(models, 0.0)),
        lambda: figure_of(robustness_panels(levels, "jpeg")),
    ]
    for number, draw in enumerate(drawings):
        save_figure(str(tmp_path), "figure", draw)
        with matplotlib.rc_context({"svg.fonttype": "none"}):  # text stays text
            written = rendered(draw(), "svg").decode()
        shown = [*names[:2], "bad\ufffdbyte", names[3], "line\ufffdbreak"]
        for name in shown + (list(models) if number < 3 else []):
            assert f">{name}</text>" in written, name
        if number == 1:  # of the legend in a panel
            assert all(f">{name} " in written for name in models)


def assert_nothing_overlaps(figure: Figure) -> None:
    """Nothing lies outside the paper, and no panel or legend over another."""
    rendered(figure)
    boxes = [axes.get_tightbbox() for axes in figure.axes]
    paper = figure.bbox.padded(2)
    for i, box in enumerate(boxes):
        assert paper.containsx(box.x0) and paper.containsx(box.x1)
        assert paper.containsy(box.y0) and paper.containsy(box.y1)
        assert not any(box.padded(-1).overlaps(other.padded(-1)) for other in boxes[:i])
    for legend in figure.legends:
        box = legend.get_window_extent()
        assert paper.containsx(box.x0) and paper.containsx(box.x1)
        assert not any(box.padded(-1).overlaps(other.padded(-1)) for other in boxes)


@pytest.mark.parametrize("count", [1, 3, 13])
@pytest.mark.parametrize("number", [1, 3])
def test_nothing_lies_outside_the_paper_or_over_another_panel(count: int, number: int) -> None:
    names = [f"{name}_{'long_' * 8}" for name in NAMES[:count]]
    models = {f"model {i} {'long ' * 6}": dict.fromkeys(names, scores(40)) for i in range(number)}
    bars = {model: [line(name, 0.9) for name in [*names, "mean"]] for model in models}
    for figure in (
        performance_bars(bars),
        figure_of(roc_curves(models)),
        figure_of(score_histograms(models, 0.0)),
    ):
        assert_nothing_overlaps(figure)


@pytest.mark.parametrize("number", [1, 3])
def test_a_panel_on_its_own_is_whole_and_as_large_as_the_others(number: int) -> None:
    names = [f"{name}_{'long_' * 8}" for name in NAMES[:2]]
    models = {f"model {i} {'long ' * 6}": dict.fromkeys(names, scores(40)) for i in range(number)}
    levels = [degraded(name, "jpeg", 90.0, 0.9) for name in names]
    for its in (
        roc_curves(models),
        reliability_diagrams(models),
        score_histograms(models, 0.0),
        robustness_panels(levels, "jpeg"),
    ):
        sizes = set()
        for panel in its.panels:
            with matplotlib.rc_context(STYLE):  # sizes are for its letters
                figure = picture_of(its, panel)
                assert_nothing_overlaps(figure)
            sizes.add(tuple(figure.get_size_inches()))
            assert its.labels[0] in words(figure) and its.labels[1] in words(figure)
        assert len(sizes) == 1


def test_nothing_scored_is_an_empty_figure() -> None:
    for figure in (
        performance_bars({}),
        performance_bars({"model": []}),
        figure_of(roc_curves({})),
        figure_of(score_histograms({}, 0.0)),
        figure_of(robustness_panels([], "blur")),
    ):
        assert rendered(figure)
