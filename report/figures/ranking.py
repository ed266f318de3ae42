"""Average precision against accuracy at 0.5: who ranks well, and who cuts at the right place."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evaluation.measure import Measured
from report.figures.style import chance, colour, shown

APART = 0.145  # inches between two names


def ranking_against_accuracy(models: Mapping[str, Sequence[Measured]], only: str = "") -> Figure:
    """Draw a point for each test set, average precision over accuracy at probability 0.5, in per
    cent, and from it a line to the accuracy at the set's best threshold: a panel per model, or of
    one alone.

    A long line high up is a set that is ranked well, and whose threshold lies elsewhere. `models`
    holds the lines of the table; those without AP have no point, nor has the mean, the last.
    """
    names = [only] if only else list(models)
    height = max(2.7, 0.75 + APART * max(map(len, models.values()), default=0))
    figure = Figure(figsize=(3.55 * max(len(names), 1), height), layout="constrained")
    panels = figure.subplots(1, max(len(names), 1), squeeze=False)[0]
    for axes, name in zip(panels, names, strict=False):
        its_colour = colour(list(models).index(name))
        _draw(axes, models[name][:-1], colour=its_colour, names_apart=APART / (height - 0.75))
        if len(models) > 1:
            axes.set_title(shown(name), fontsize="medium")
    panels[0].set_ylabel("average precision (%)")
    return figure


def _draw(axes: Axes, lines: Sequence[Measured], *, colour: str, names_apart: float) -> None:
    """Draw the points with their names in a column beside them, each at the end of a thin line."""
    points = {}
    for line in lines:
        ap, right, best = (
            100 * line.metrics[metric].value for metric in ("ap", "accuracy", "oracle_accuracy")
        )
        if math.isfinite(ap):
            points[line.name] = (right, ap)
            axes.plot([right, best], [ap, ap], color=colour, linewidth=1.6, alpha=0.5)
            axes.plot(right, ap, color=colour, marker="o", markersize=4, linestyle="", zorder=3)
    lowest = min([45.0, *(5 * math.floor(min(its) / 5) for its in points.values())])
    axes.set(xlim=(lowest, 101.5), ylim=(lowest, 101.5), xlabel="accuracy at 0.5 (%)")
    axes.axvline(50, **chance())
    span = 101.5 - lowest
    low_first = sorted(points, key=lambda name: points[name][::-1])
    wanted = [(points[name][1] - lowest) / span for name in low_first]
    for name, height in zip(low_first, spread(wanted, names_apart), strict=True):
        axes.annotate(
            shown(name, 18),
            points[name],
            (1.06, height),
            textcoords="axes fraction",
            va="center",
            fontsize="small",
            arrowprops={
                "arrowstyle": "-",
                "linewidth": 0.4,
                "color": rcParams["axes.edgecolor"],
                "alpha": 0.5,
                "shrinkA": 1,
                "shrinkB": 2,
            },
        )


def spread(heights: Sequence[float], apart: float) -> list[float]:
    """Return rising `heights`, moved as little as a walk down and a walk up need so that they are
    `apart` or more, from 0 to 1 where there is room for that.
    """
    placed = list(heights)
    for i in range(len(placed)):
        placed[i] = max(placed[i], placed[i - 1] + apart if i else 0)
    top = max(1.0, (len(placed) - 1) * apart)
    for i in reversed(range(len(placed))):
        placed[i] = min(placed[i], placed[i + 1] - apart if i + 1 < len(placed) else top)
    return placed
