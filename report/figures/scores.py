"""Histograms of the scores of real and of fake images."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from evaluation.predictions import Scores
from report.figures.panels import Panel, Panels
from report.figures.style import at_threshold
from util.drawing import FAKE, REAL


def score_histograms(models: Mapping[str, Mapping[str, Scores]], threshold: float) -> Panels:
    """Return the logits of real and of fake images, each label's area 1, and the threshold (a
    logit): a panel per test set and model.
    """
    names = dict.fromkeys(name for testsets in models.values() for name in testsets)
    panels = [
        Panel(
            (name, model) if len(models) > 1 else (name,),
            functools.partial(_draw, scores=testsets[name], threshold=threshold),
        )
        for name in names
        for model, testsets in models.items()
        if name in testsets
    ]
    return Panels(panels, ("logit", ""), height=1.45, alone=1.6, legend=_handles)


def _handles() -> list[Any]:
    return [
        Patch(color=REAL, alpha=0.6, label="real"),
        Patch(color=FAKE, alpha=0.6, label="fake"),
        Line2D([], [], label="threshold", **at_threshold()),
    ]


def _draw(axes: Axes, *, scores: Scores, threshold: float) -> None:
    bins = int(np.clip(1.2 * np.sqrt(len(scores.logits)), 10, 40))
    edges = np.histogram_bin_edges(scores.logits, bins)
    for label, colour in ((0, REAL), (1, FAKE)):
        logits = scores.logits[scores.labels == label]
        if len(logits):
            density = np.histogram(logits, edges, density=True)[0]
            axes.stairs(density, edges, fill=True, color=colour, alpha=0.5)
            axes.stairs(density, edges, color=colour, linewidth=0.8)
    if math.isfinite(threshold):
        axes.axvline(threshold, **at_threshold())
    axes.set_yticks([])  # areas are compared, not heights
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(4))
