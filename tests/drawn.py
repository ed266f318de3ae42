"""What the tests of the figures draw, and how they read it back: by matplotlib's own objects."""

from __future__ import annotations

import io
import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from evaluation.measure import Estimate, Measured
from evaluation.predictions import Scores
from evaluation.rows import Degraded

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
    """From top to bottom."""
    bars = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    return sorted(bars, key=Rectangle.get_y)


def panels(figure: Figure) -> dict[str, Axes]:
    return {axes.get_title(): axes for axes in figure.axes}


def curve_of(axes: Axes) -> Line2D:
    """The first curve: a line of chance comes after the curves."""
    return axes.lines[0]


def rendered(figure: Figure, kind: str = "png") -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind)
    return buffer.getvalue()
