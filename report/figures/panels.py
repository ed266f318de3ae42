"""Small multiples: panels of one kind, all in one figure, or each as a picture of its own."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from report.figures.style import LONGEST, add_legend, shown

COLUMNS = 5  # at most: a panel stays legible on a printed page
SHORT = 19  # letters of a title above a narrow panel
LINE = 0.15  # inches, of a title
LEFT, RIGHT, BELOW, ABOVE = 0.5, 0.08, 0.42, 0.08  # inches around a panel that stands alone


class Panel(NamedTuple):
    """What one panel shows."""

    title: tuple[str, ...]  # of a test set, a model: a line each
    draw: Callable[[Axes], None]
    words: str = ""  # its numbers, for those who cannot see it


class Panels(NamedTuple):
    """Panels of one kind."""

    panels: Sequence[Panel]
    labels: tuple[str, str]  # of the axes
    shared: str = ""  # the axes that are the same in all: "", "y" or "xy"
    height: float = 1.8  # inches of a panel among others, with its title
    alone: float = 2.2  # inches of a panel on its own, with title and labels
    legend: Callable[[], list[Any]] = list  # handles; for the figure alone, in the style it is in


def figure_of(its: Panels) -> Figure:
    """Return all panels in one figure, with a legend."""
    count = len(its.panels)
    columns, lines = _grid(count)
    handles = its.legend()
    height = 0.6 + (3.0 if count == 1 else its.height * lines)
    height += LINE * lines * max((len(panel.title) - 1 for panel in its.panels), default=0)
    figure = Figure(figsize=(max(3.6, 1.75 * columns), height), layout="constrained")
    grid = figure.add_gridspec(lines, columns)
    for number, panel in enumerate(its.panels):
        axes = figure.add_subplot(grid[number // columns, number % columns])
        panel.draw(axes)
        axes.set_title(_title(panel, LONGEST if columns < 3 else SHORT), fontsize="medium")
        if "y" in its.shared:
            axes.tick_params(labelleft=number % columns == 0)
        if "x" in its.shared:
            axes.tick_params(labelbottom=number + columns >= count)
    figure.supxlabel(its.labels[0], fontsize="medium")
    figure.supylabel(its.labels[1], fontsize="medium")
    add_legend(figure, handles)
    return figure


def picture_of(its: Panels, panel: Panel) -> Figure:
    """Return one of the panels as a figure, its axes where those of the others are in theirs."""
    width, height = 2.1, its.alone + LINE * (len(panel.title) - 1)
    figure = Figure(figsize=(width, height))
    above = ABOVE + LINE * len(panel.title)
    inner = (width - LEFT - RIGHT, height - BELOW - above)
    box = (LEFT / width, BELOW / height, inner[0] / width, inner[1] / height)
    axes = figure.add_axes(box)
    panel.draw(axes)
    axes.set_title(_title(panel, SHORT), fontsize="medium")
    axes.set(xlabel=its.labels[0], ylabel=its.labels[1])
    return figure


def _title(panel: Panel, longest: int) -> str:
    return "\n".join(shown(name, longest) for name in panel.title)


def _grid(count: int) -> tuple[int, int]:
    """Return columns and rows for `count` panels, the last row as full as can be."""
    lines = max(1, math.ceil(count / COLUMNS))
    return max(1, math.ceil(count / lines)), lines
