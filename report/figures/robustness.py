"""Average precision over the level of a degradation."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

from matplotlib.axes import Axes

from evaluation.rows import Degraded
from report.figures.panels import Panel, Panels
from report.figures.style import chance
from util.drawing import MODELS

LEVELS = {"blur": "sigma (pixels)", "jpeg": "quality", "rescale": "factor"}
FALLING = ("jpeg", "rescale")  # where the smaller level is the stronger degradation


def robustness_panels(degraded: Sequence[Degraded], degradation: str) -> Panels:
    """Return average precision in per cent over the level of a degradation ("blur", "jpeg" or
    "rescale"), with its 95 % interval as a band: a panel per test set. Stronger degradation is to
    the right.
    """
    testsets: dict[str, list[Degraded]] = {}
    for its in degraded:
        if its.degradation == degradation:
            testsets.setdefault(its.testset, []).append(its)
    # The same axis for every degradation, so that their figures can be laid side by side.
    lowest = (100 * end for its in degraded for end in its.metrics["ap"][:2])
    bottom = min((5 * math.floor(v / 5) for v in lowest if math.isfinite(v)), default=40)
    falls = degradation in FALLING
    panels = [
        Panel((name,), functools.partial(_draw, levels=its, bottom=min(bottom, 40), falls=falls))
        for name, its in testsets.items()
    ]
    labels = (f"{degradation}: {LEVELS.get(degradation, 'level')}", "average precision (%)")
    return Panels(panels, labels, shared="y", height=1.6, alone=1.9)


def _draw(axes: Axes, *, levels: Sequence[Degraded], bottom: float, falls: bool) -> None:
    points = sorted(levels, key=lambda its: float(its.level))
    places = [float(its.level) for its in points]
    middle, low, high = ([100 * its.metrics["ap"][end] for its in points] for end in range(3))
    axes.axhline(50, **chance())
    axes.fill_between(places, low, high, color=MODELS[0], alpha=0.25, linewidth=0)
    axes.plot(places, middle, color=MODELS[0], marker="o", markersize=3, linewidth=1.2)
    axes.set_ylim(bottom, 102)
    axes.margins(x=0.06)
    if falls:
        axes.invert_xaxis()
