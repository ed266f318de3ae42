"""The figures draw what was measured. Figures are read back through matplotlib's own objects."""

from __future__ import annotations

import io
import itertools
import math
import pathlib
from collections.abc import Callable

import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle, StepPatch
from matplotlib.text import Text
from sklearn.metrics import auc, average_precision_score, roc_auc_score

from evaluation.measure import Estimate, Measured
from evaluation.predictions import Scores
from evaluation.rows import Degraded
from report.figures import (
    performance_bars,
    precision_recall_curves,
    robustness_panels,
    roc_curves,
    score_histograms,
)
from tests.tolerances import near
from util.drawing import FAKE, MODELS, REAL, save_drawing

NAMES = [f"generator{i}" for i in range(13)]


def scores(count: int = 200, seed: int = 0, distance: float = 1.0) -> Scores:
    rng = np.random.default_rng(seed)
    labels = (np.arange(count) % 2).astype(np.uint8)
    return Scores(
        [f"{i}.png" for i in range(count)], labels, rng.normal(size=count) + distance * labels
    )


def line(testset: str, ap: float, low: float = math.nan, high: float = math.nan) -> Measured:
    return Measured(testset, {"ap": Estimate(ap, low, high)})


def degraded(testset: str, degradation: str, level: float, *ap: float) -> Degraded:
    return Degraded(testset, degradation, str(level), 1, 1, {"ap": Estimate(*ap)})


def words(figure: Figure | Axes) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(Text))


def bars_of(axes: Axes) -> list[Rectangle]:
    """From left to right."""
    bars = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    return sorted(bars, key=Rectangle.get_x)


def panels(figure: Figure) -> dict[str, Axes]:
    return {axes.get_title(): axes for axes in figure.axes}


def longest_line(axes: Axes) -> Line2D:
    return max(axes.lines, key=lambda line: len(line.get_xdata()))


def rendered(figure: Figure, kind: str = "png") -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind)
    return buffer.getvalue()


def test_a_bar_is_as_high_as_the_ap_and_its_interval_as_long() -> None:
    rows = [
        line("progan", 0.9, 0.85, 0.92),
        line("crn", 0.6, 0.5, 0.7),
        line("mean", 0.75, 0.7, 0.8),
    ]
    axes = performance_bars({"model": rows}).axes[0]
    bars = bars_of(axes)
    assert [bar.get_height() for bar in bars] == pytest.approx([90, 60, 75])
    ends = {}
    for container in axes.containers:
        if isinstance(container, ErrorbarContainer):
            (x, low), (_, high) = container.lines[2][0].get_segments()[0]
            ends[x] = [low, high]
    expected = [[85, 92], [50, 70], [70, 80]]
    for bar, interval in zip(bars, expected, strict=True):
        assert ends.pop(bar.get_x() + bar.get_width() / 2) == pytest.approx(interval)
    assert not ends
    gaps = np.diff([bar.get_x() for bar in bars])
    assert gaps[1] > gaps[0]  # the mean stands apart


def test_an_undefined_ap_is_a_name_and_a_word_but_no_bar() -> None:
    rows = [line("progan", 0.9), line("crn", math.nan), line("mean", 0.9)]
    axes = performance_bars({"model": rows}).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["progan", "crn", "mean"]
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
    assert [float(line.get_ydata()[0]) for line in markers] == pytest.approx([97])
    assert "published" in words(figure)
    assert "published" not in words(performance_bars({"model": rows[1:]}))


def test_models_stand_side_by_side_in_their_colours() -> None:
    first, second = [line("crn", 0.9), line("mean", 0.9)], [line("crn", 0.8), line("mean", 0.8)]
    figure = performance_bars({"one": first, "two": second})
    bars = bars_of(figure.axes[0])
    assert [bar.get_height() for bar in bars] == pytest.approx([90, 80, 90, 80])
    colours = [to_hex(bar.get_facecolor()).upper() for bar in bars]
    assert colours == [*MODELS[:2], *MODELS[:2]]
    assert all(a.get_x() + a.get_width() <= b.get_x() for a, b in itertools.pairwise(bars))
    assert {"one", "two"} <= set(words(figure).split("\n"))
    assert "one" not in words(performance_bars({"one": first})).split("\n")


@pytest.mark.parametrize("distance", [0.0, 0.7, 3.0])
def test_a_drawn_roc_curve_is_thin_and_has_the_area_it_should(distance: float) -> None:
    scored = scores(20_000, distance=distance)
    curve = longest_line(roc_curves({"model": {"crn": scored}}).axes[0])
    x, y = curve.get_xdata(), curve.get_ydata()
    assert len(x) <= 1000
    assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)
    assert auc(x, y) == near(
        roc_auc_score(scored.labels, scored.logits), 1e-3, "a curve of at most 1000 points"
    )


@pytest.mark.parametrize("distance", [0.0, 0.7, 3.0])
def test_a_drawn_precision_recall_curve_has_the_area_it_should(distance: float) -> None:
    scored = scores(20_000, distance=distance)
    curve = longest_line(precision_recall_curves({"model": {"crn": scored}}).axes[0])
    recall, precision = curve.get_xdata(), curve.get_ydata()
    assert len(recall) <= 1000
    assert (recall[0], recall[-1]) == (1, 0)
    area = -np.sum(np.diff(recall) * precision[:-1])
    expected = average_precision_score(scored.labels, scored.logits)
    assert area == near(expected, 3e-3, "a curve of at most 1000 points")


@pytest.mark.parametrize("curves", [roc_curves, precision_recall_curves])
def test_the_pdf_of_many_images_stays_small(curves: Callable[..., Figure]) -> None:
    figure = curves({"a": {"crn": scores(20_000)}, "b": {"crn": scores(20_000, 1)}})
    assert len(rendered(figure, "pdf")) < 100_000


@pytest.mark.parametrize("curves", [roc_curves, precision_recall_curves])
def test_what_has_no_curve_is_said_in_words(curves: Callable[..., Figure]) -> None:
    whole = scores(20)
    one_label = Scores(whole.paths, np.ones(20, np.uint8), whole.logits)
    constant = whole._replace(logits=np.full(20, 0.25))
    sets = {"whole": whole, "fakes": one_label, "flat": constant}
    by_title = panels(curves({"model": sets}))
    assert list(by_title) == list(sets)
    assert "one label only" in words(by_title["fakes"])
    assert "all scores equal" in words(by_title["flat"])
    assert not by_title["fakes"].lines and not by_title["flat"].lines
    assert len(by_title["whole"].lines) == 2  # the curve and chance
    both = panels(curves({"model": sets, "other": {"flat": whole}}))
    assert "model:\nall scores equal" in words(both["flat"])
    assert len(both["flat"].lines) == 2


def test_long_words_in_a_panel_do_not_squeeze_it() -> None:
    models = {name: dict.fromkeys(NAMES[:5], scores(40)) for name in ("W" * 30, "M" * 30)}
    models["M" * 30][NAMES[0]] = scores(40)._replace(logits=np.zeros(40))
    figure = roc_curves(models)
    rendered(figure)
    widths = [axes.get_window_extent().width for axes in figure.axes]
    assert widths == near([widths[0]] * 5, 0.02 * widths[0], "whole pixels")
    assert sum(widths) > 0.8 * figure.bbox.width


def test_chance_in_the_precision_recall_plane_is_the_share_of_fakes() -> None:
    scored = scores(100)
    few = Scores(
        scored.paths[:80], np.repeat([0, 1], [60, 20]).astype(np.uint8), scored.logits[:80]
    )
    axes = precision_recall_curves({"model": {"crn": few}}).axes[0]
    assert [list(line.get_ydata()) for line in axes.lines if len(line.get_xdata()) == 2] == [
        [0.25] * 2
    ]


def test_a_histogram_has_area_one_for_each_label_and_shows_the_threshold() -> None:
    scored = scores(400, distance=2)
    figure = score_histograms({"model": {"crn": scored}}, 0.75)
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


def test_histograms_of_several_models_are_in_groups_with_their_names() -> None:
    figure = score_histograms(
        {"one": {"crn": scores()}, "two": {"crn": scores(), "san": scores()}}, 0
    )
    assert [axes.get_title() for axes in figure.axes] == ["crn", "crn", "san"]
    assert {"one", "two"} <= set(words(figure).split("\n"))


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
    figure = robustness_panels([*rows[::-1], other], degradation)
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
    lines = robustness_panels(rows, "blur").axes[0].lines
    curve = next(x for x in lines if x.get_marker() == "o")
    assert np.isnan(curve.get_ydata()).tolist() == [False, True, False]
    save_drawing(
        str(tmp_path), "figure", title="title", draw=lambda: robustness_panels(rows, "blur")
    )


def test_names_are_shown_as_they_are(tmp_path: pathlib.Path) -> None:
    """Dollars are no mathematics, and bytes without a character do not stop the drawing."""
    names = ["$x^2$ set", "_hidden", "bad\udcffbyte", r"$\frac$", "line\nbreak"]
    models = {name: dict.fromkeys(names, scores(30)) for name in ("$\\alpha$", "_model")}
    bars = {model: [line(name, 0.9) for name in [*names, "mean"]] for model in models}
    levels = [degraded(name, "jpeg", 90.0, 0.9) for name in names]
    drawings: list[Callable[[], Figure]] = [
        lambda: performance_bars(bars),
        lambda: roc_curves(models),
        lambda: score_histograms(models, 0.0),
        lambda: robustness_panels(levels, "jpeg"),
    ]
    for number, draw in enumerate(drawings):
        save_drawing(str(tmp_path), "figure", title="title", draw=draw)
        with matplotlib.rc_context({"svg.fonttype": "none"}):  # text stays text
            written = rendered(draw(), "svg").decode()
        shown = [*names[:2], "bad\ufffdbyte", names[3], "line\ufffdbreak"]
        for name in shown + (list(models) if number < 3 else []):
            assert f">{name}</text>" in written, name


@pytest.mark.parametrize("count", [1, 3, 13])
@pytest.mark.parametrize("number", [1, 3])
def test_nothing_lies_outside_the_paper_or_over_another_panel(count: int, number: int) -> None:
    names = [f"{name}_{'long_' * 8}" for name in NAMES[:count]]
    models = {f"model {i} {'long ' * 6}": dict.fromkeys(names, scores(40)) for i in range(number)}
    bars = {model: [line(name, 0.9) for name in [*names, "mean"]] for model in models}
    for figure in (performance_bars(bars), roc_curves(models), score_histograms(models, 0.0)):
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


def test_nothing_scored_is_an_empty_figure() -> None:
    for figure in (
        performance_bars({}),
        performance_bars({"model": []}),
        roc_curves({}),
        score_histograms({}, 0.0),
        robustness_panels([], "blur"),
    ):
        assert rendered(figure)
