"""The figures of the report. Colours of text and paper come from rcParams, so that each can be
drawn in a light and a dark style; names of test sets and models are shown as they are, never as
mathematics.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from sklearn.metrics import precision_recall_curve, roc_curve

from evaluation.measure import UNDEFINED, Estimate, Measured
from evaluation.predictions import Scores
from evaluation.rows import Degraded
from util.drawing import FAKE, MODELS, REAL

Curve = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]

COLUMNS = 5  # of small multiples at most: a panel stays legible on a printed page
POINTS = 500  # of a drawn curve: more cannot be seen, and make a PDF of megabytes
LONGEST = 32  # letters of a name; the rest is in the tables
LEVELS = {"blur": "sigma (pixels)", "jpeg": "quality", "rescale": "factor"}
FALLING = ("jpeg", "rescale")  # where the smaller level is the stronger degradation


def performance_bars(models: Mapping[str, Sequence[Measured]]) -> Figure:
    """Draw average precision by generator in per cent, with its 95 % interval and, where there is
    one, the published value.

    `models` holds the lines of the table, the last of them the mean. Where AP is undefined, or a
    model has not scored the test set, the name stays, without a bar.
    """
    by_name = {model: {line.name: line for line in lines} for model, lines in models.items()}
    names = list(dict.fromkeys(line.name for lines in models.values() for line in lines[:-1]))
    means = list(dict.fromkeys(lines[-1].name for lines in models.values() if lines))
    places = [*map(float, range(len(names))), *(len(names) + 0.5 + i for i in range(len(means)))]
    names += means
    width = 0.8 / max(len(models), 1)
    inches = max(4.6, 1 + len(names) * max(0.5, 0.17 * len(models)))
    longest = max((len(_shown(name)) for name in names), default=0)
    height = 2.5 + 0.045 * longest + 0.1 * len(models)  # names lie at a slant below the bars
    figure = Figure(figsize=(inches, height), layout="constrained")
    axes = figure.add_subplot()
    axes.set_axisbelow(True)
    axes.grid(axis="y", linewidth=0.5)
    published = False
    for number, model in enumerate(models):
        shift = (number - (len(models) - 1) / 2) * width
        for name, place in zip(names, places, strict=True):
            line = by_name[model].get(name)
            ap = line.metrics["ap"] if line else UNDEFINED
            _bar(axes, place=place + shift, width=width, ap=ap, colour=_colour(number))
            known = line.published.get("ap", math.nan) if line else math.nan
            if math.isfinite(known):
                published = True
                # Right of the middle, where the interval is drawn.
                axes.plot(place + shift + 0.28 * width, 100 * known, **_published_marker())
    axes.set(ylim=(0, 104), ylabel="average precision (%)")
    axes.set_xticks(places, [_shown(name) for name in names], rotation=40, ha="right")
    for label in axes.get_xticklabels():
        label.set_rotation_mode("anchor")
    axes.tick_params(axis="x", length=0)
    handles: list[Any] = []
    if len(models) > 1:
        handles += [Patch(color=_colour(i), label=_shown(m)) for i, m in enumerate(models)]
    if published:
        handles.append(Line2D([], [], label="published", **_published_marker()))
    _legend(figure, handles, inches)
    return figure


def roc_curves(models: Mapping[str, Mapping[str, Scores]]) -> Figure:
    """Draw true over false positive rate, fake being positive: a panel per test set."""

    def curve(scores: Scores) -> Curve:
        false_positive, true_positive, _ = roc_curve(scores.labels, scores.logits)
        return false_positive, true_positive

    def chance(axes: Axes, _: Scores) -> None:
        axes.plot([0, 1], [0, 1], **_chance())

    return _curves(
        models,
        curve,
        chance=chance,
        labels=("false positive rate", "true positive rate"),
        drawstyle="default",
    )


def precision_recall_curves(models: Mapping[str, Mapping[str, Scores]]) -> Figure:
    """Draw precision over recall, fake being positive: a panel per test set. Chance is the share of
    fakes.
    """

    def curve(scores: Scores) -> Curve:
        precision, recall, _ = precision_recall_curve(scores.labels, scores.logits)
        return recall, precision

    def chance(axes: Axes, scores: Scores) -> None:
        axes.axhline(float(scores.labels.mean()), **_chance())

    return _curves(
        models, curve, chance=chance, labels=("recall", "precision"), drawstyle="steps-post"
    )


def score_histograms(models: Mapping[str, Mapping[str, Scores]], threshold: float) -> Figure:
    """Draw the logits of real and of fake images, each label's area 1, and the threshold (a logit):
    a panel per test set, a group of rows per model.
    """
    most = max((len(testsets) for testsets in models.values()), default=0)
    columns, lines = _grid(most)
    inches = max(3.6, 1.75 * columns)
    height = 0.7 + len(models) * (1.45 * lines + (0.3 if len(models) > 1 else 0))
    figure = Figure(figsize=(inches, height), layout="constrained")
    line: dict[str, Any] = {"color": rcParams["text.color"], "linewidth": 0.8, "linestyle": "--"}
    parts = figure.subfigures(max(len(models), 1), 1, squeeze=False)[:, 0]
    for part, (model, testsets) in zip(parts, models.items(), strict=False):
        if len(models) > 1:
            part.suptitle(_shown(model), fontsize="large")
        for axes, testset in zip(_panels(part, testsets), testsets, strict=True):
            _histogram(axes, testsets[testset])
            if math.isfinite(threshold):
                axes.axvline(threshold, **line)
    figure.supxlabel("logit", fontsize="medium")
    handles: list[Any] = [Patch(color=REAL, alpha=0.6, label="real")]
    handles.append(Patch(color=FAKE, alpha=0.6, label="fake"))
    handles.append(Line2D([], [], label="threshold", **line))
    _legend(figure, handles, inches)
    return figure


def robustness_panels(degraded: Sequence[Degraded], degradation: str) -> Figure:
    """Draw average precision in per cent over the level of a degradation ("blur", "jpeg" or
    "rescale"), with its 95 % interval as a band: a panel per test set. Stronger degradation is to
    the right.
    """
    testsets: dict[str, list[Degraded]] = {}
    for its in degraded:
        if its.degradation == degradation:
            testsets.setdefault(its.testset, []).append(its)
    columns, lines = _grid(len(testsets))
    figure = Figure(figsize=(max(3.6, 1.75 * columns), 0.4 + 1.6 * lines), layout="constrained")
    # The same axis for every degradation, so that their figures can be laid side by side.
    lowest = (100 * end for its in degraded for end in its.metrics["ap"][:2])
    bottom = min((5 * math.floor(v / 5) for v in lowest if math.isfinite(v)), default=40)
    for number, (axes, name) in enumerate(zip(_panels(figure, testsets), testsets, strict=True)):
        points = sorted(testsets[name], key=lambda its: float(its.level))
        levels = [float(its.level) for its in points]
        middle, low, high = ([100 * its.metrics["ap"][end] for its in points] for end in range(3))
        axes.axhline(50, **_chance())
        axes.fill_between(levels, low, high, color=MODELS[0], alpha=0.25, linewidth=0)
        axes.plot(levels, middle, color=MODELS[0], marker="o", markersize=3, linewidth=1.2)
        axes.set_ylim(min(bottom, 40), 102)
        axes.margins(x=0.06)
        if degradation in FALLING:
            axes.invert_xaxis()
        axes.tick_params(labelleft=number % columns == 0)
    figure.supxlabel(f"{degradation}: {LEVELS.get(degradation, 'level')}", fontsize="medium")
    figure.supylabel("average precision (%)", fontsize="medium")
    return figure


def _bar(axes: Axes, *, place: float, width: float, ap: Estimate, colour: str) -> None:
    """Draw a bar with its interval, or the word for its absence."""
    height, low, high = (100 * fraction for fraction in ap)
    if not math.isfinite(height):
        axes.text(place, 2, "undefined", rotation=90, ha="center", va="bottom", fontsize="small")
        return
    axes.bar(place, height, width * 0.94, color=colour)
    if math.isfinite(low) and math.isfinite(high):
        # A bootstrap interval need not hold the estimate itself.
        ends = [[max(height - low, 0)], [max(high - height, 0)]]
        ink = rcParams["text.color"]
        axes.errorbar(place, height, ends, ecolor=ink, elinewidth=0.9, capsize=1.5, fmt="none")


def _curves(
    models: Mapping[str, Mapping[str, Scores]],
    curve: Callable[[Scores], Curve],
    *,
    chance: Callable[[Axes, Scores], None],
    labels: tuple[str, str],
    drawstyle: Literal["default", "steps-post"],
) -> Figure:
    testsets = list(next(iter(models.values()), {}))
    columns, lines = _grid(len(testsets))
    inches = max(3.6, 1.75 * columns)
    size = (inches, 0.6 + (3.0 if len(testsets) == 1 else 1.8 * lines))
    figure = Figure(figsize=size, layout="constrained")
    for number, (axes, testset) in enumerate(zip(_panels(figure, testsets), testsets, strict=True)):
        missing = {}
        for colour, (model, scored) in enumerate(models.items()):
            if testset not in scored:
                continue
            reason = _why_no_curve(scored[testset])
            if reason:
                missing[model] = reason
                continue
            x, y = _thinned(*curve(scored[testset]))
            style: dict[str, Any] = {
                "color": _colour(colour),
                "drawstyle": drawstyle,
                "label": _shown(model),
            }
            axes.plot(x, y, linewidth=1.1, zorder=3, **style)
        if axes.lines:
            chance(axes, models[next(iter(models))][testset])
            lines_of_text = [f"{_shown(model, 18)}:\n{why}" for model, why in missing.items()]
        else:
            lines_of_text = sorted(set(missing.values()))
        words = axes.text(0.5, 0.5, "\n".join(lines_of_text), ha="center", va="center", zorder=4)
        words.set_in_layout(False)  # long ones may run over the edge, but not squeeze the panel
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), box_aspect=1)
        axes.set(xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
        below = number + columns < len(testsets)
        axes.tick_params(labelleft=number % columns == 0, labelbottom=not below)
    figure.supxlabel(labels[0], fontsize="medium")
    figure.supylabel(labels[1], fontsize="medium")
    if len(models) > 1:
        handles = [Line2D([], [], color=_colour(i), label=_shown(m)) for i, m in enumerate(models)]
        _legend(figure, handles, inches)
    return figure


def _why_no_curve(scores: Scores) -> str:
    if len(np.unique(scores.labels)) < 2:
        return "one label only"
    return "all scores equal" if np.ptp(scores.logits) == 0 else ""


def _thinned(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> Curve:
    """Return at most about POINTS points, evenly along the curve, both ends among them."""
    if len(x) <= POINTS:
        return x, y
    length = np.concatenate(([0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))))
    kept = np.searchsorted(length, np.linspace(0, length[-1], POINTS))
    kept = np.unique(np.concatenate(([0], kept.clip(0, len(x) - 1), [len(x) - 1])))
    return x[kept], y[kept]


def _histogram(axes: Axes, scores: Scores) -> None:
    bins = int(np.clip(1.2 * np.sqrt(len(scores.logits)), 10, 40))
    edges = np.histogram_bin_edges(scores.logits, bins)
    for label, colour in ((0, REAL), (1, FAKE)):
        logits = scores.logits[scores.labels == label]
        if len(logits):
            density = np.histogram(logits, edges, density=True)[0]
            axes.stairs(density, edges, fill=True, color=colour, alpha=0.5)
            axes.stairs(density, edges, color=colour, linewidth=0.8)
    axes.set_yticks([])  # areas are compared, not heights
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(4))


def _grid(count: int) -> tuple[int, int]:
    """Return columns and rows for `count` panels, the last row as full as can be."""
    lines = max(1, math.ceil(count / COLUMNS))
    return max(1, math.ceil(count / lines)), lines


def _panels(figure: FigureBase, names: Sequence[str] | Mapping[str, object]) -> list[Axes]:
    """Add a panel per name to a grid of the figure (or part of one), titled by the name."""
    columns, lines = _grid(len(names))
    grid = figure.add_gridspec(lines, columns)
    panels = [figure.add_subplot(grid[i // columns, i % columns]) for i in range(len(names))]
    longest = LONGEST if columns < 3 else 19
    for axes, name in zip(panels, names, strict=True):
        axes.set_title(_shown(name, longest), fontsize="medium")
    return panels


def _legend(figure: Figure, handles: list[Any], inches: float) -> None:
    if handles:
        longest = max(len(handle.get_label()) for handle in handles)
        columns = max(1, min(len(handles), int(inches / (0.5 + 0.075 * longest))))
        figure.legend(handles=handles, loc="outside upper center", ncols=columns, frameon=False)


def _colour(number: int) -> str:
    return MODELS[number % len(MODELS)]


def _chance() -> dict[str, Any]:
    return {"color": rcParams["axes.edgecolor"], "linewidth": 0.7, "linestyle": (0, (4, 3))}


def _published_marker() -> dict[str, Any]:
    paper, ink = rcParams["axes.facecolor"], rcParams["text.color"]
    return {"marker": "D", "markersize": 4, "mfc": paper, "mec": ink, "linestyle": "", "zorder": 4}


def _shown(name: str, longest: int = LONGEST) -> str:
    """Return the name as matplotlib prints it unchanged: no mathematics, no odd bytes."""
    name = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name)
    if len(name) > longest:
        half = (longest - 1) // 2
        name = f"{name[:half]}…{name[-half:]}"
    return name.replace("$", r"\$")
