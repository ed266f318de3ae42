"""Average precision as bars, by generator."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from evaluation.measure import UNDEFINED, Estimate, Measured
from report.figures.style import add_legend, colour, shown


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
    row = max(0.21, 0.13 * len(models))  # inches
    height = 0.75 + row * (len(names) + 0.5) + 0.16 * (len(models) if len(models) > 1 else 0)
    figure = Figure(figsize=(4.2, height), layout="constrained")
    axes = figure.add_subplot()
    axes.set_axisbelow(True)
    axes.grid(axis="x", linewidth=0.5)
    published = False
    for number, model in enumerate(models):
        shift = (number - (len(models) - 1) / 2) * width
        for name, place in zip(names, places, strict=True):
            line = by_name[model].get(name)
            ap = line.metrics["ap"] if line else UNDEFINED
            _bar(axes, place=place + shift, width=width, ap=ap, colour=colour(number))
            known = line.published.get("ap", math.nan) if line else math.nan
            if math.isfinite(known):
                published = True
                # Below the middle, where the interval is drawn.
                axes.plot(100 * known, place + shift + 0.28 * width, **_published_marker())
    axes.set(xlim=(0, 104), xlabel="average precision (%)")
    axes.set_yticks(places, [shown(name) for name in names])
    axes.set_ylim((places[-1] if places else 0) + 0.6, -0.6)  # the first on top
    axes.tick_params(axis="y", length=0)
    handles: list[Any] = []
    if len(models) > 1:
        handles += [Patch(color=colour(i), label=shown(m)) for i, m in enumerate(models)]
    if published:
        handles.append(Line2D([], [], label="published", **_published_marker()))
    add_legend(figure, handles)
    return figure


def _bar(axes: Axes, *, place: float, width: float, ap: Estimate, colour: str) -> None:
    """Draw a bar with its interval, or the word for its absence."""
    length, low, high = (100 * fraction for fraction in ap)
    if not math.isfinite(length):
        axes.text(1, place, "undefined", ha="left", va="center", fontsize="small")
        return
    axes.barh(place, length, width * 0.94, color=colour)
    if math.isfinite(low) and math.isfinite(high):
        # A bootstrap interval need not hold the estimate itself.
        ends = [[max(length - low, 0)], [max(high - length, 0)]]
        ink = rcParams["text.color"]
        axes.errorbar(length, place, xerr=ends, ecolor=ink, elinewidth=0.9, capsize=1.5, fmt="none")


def _published_marker() -> dict[str, Any]:
    paper, ink = rcParams["axes.facecolor"], rcParams["text.color"]
    return {"marker": "D", "markersize": 4, "mfc": paper, "mec": ink, "linestyle": "", "zorder": 4}
