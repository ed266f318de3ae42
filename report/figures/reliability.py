"""Reliability diagrams: how often what is called fake with a probability is fake."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from evaluation.metrics import expected_calibration_error, reliability
from evaluation.predictions import Labels, Logits, Scores, pooled
from report.figures.panels import Panel, Panels
from report.figures.style import chance, colour, in_words, model_handles, say_numbers, shown
from report.tables import per_cent

Both = tuple[Labels, Logits]

LARGEST, SMALLEST = 90, 4  # points squared, of the dot that all images would make, and of any
ALL = "all images"


def reliability_diagrams(models: Mapping[str, Mapping[str, Scores]]) -> Panels:
    """Return the share of fakes over the mean probability of "fake" in each bin of ECE, with ECE
    (Guo et al. 2017): a panel per test set, and one of all images. On the diagonal probabilities
    are what they say; the area of a dot is the share of images in its bin.
    """
    names = dict.fromkeys(name for testsets in models.values() for name in testsets)
    panels = [
        _panel(name, {m: its[name][1:3] for m, its in models.items() if name in its}, list(models))
        for name in names
    ]
    if len(names) > 1:
        every = {model: pooled(its) for model, its in models.items() if its}
        panels.append(_panel(ALL, every, list(models)))
    legend = functools.partial(model_handles, models)
    return Panels(panels, ("probability of fake", "share of fakes"), shared="xy", legend=legend)


def _panel(title: str, scored: Mapping[str, Both], models: Sequence[str]) -> Panel:
    ece = {model: expected_calibration_error(*its) for model, its in scored.items()}
    draw = functools.partial(_draw, models=models, scored=scored, ece=ece)
    return Panel((title,), draw, in_words("ECE", ece))


def _draw(
    axes: Axes, *, models: Sequence[str], scored: Mapping[str, Both], ece: Mapping[str, float]
) -> None:
    axes.plot([0, 1], [0, 1], **chance())
    above, drawn = 0.0, {}  # above the diagonal
    for model, its in scored.items():
        images, probability, fake = reliability(*its)
        above += np.nansum(fake - probability)
        there = images > 0
        x, y = probability[there], fake[there]
        name = f"{shown(model, 12)} " if len(models) > 1 else ""
        style: dict[str, Any] = {"color": colour(models.index(model)), "zorder": 3}
        label = f"{name}{per_cent(ece[model], 1)}"
        (drawn[label],) = axes.plot(x, y, linewidth=0.9, alpha=0.75, **style)
        areas = np.maximum(LARGEST * images[there] / images.sum(), SMALLEST)
        axes.scatter(x, y, areas, linewidths=0, clip_on=False, **style)
    corner = "lower right" if above > 0 else "upper left"
    say_numbers(axes, "ECE", corner, lines=drawn, alone=len(models) == 1)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), box_aspect=1)
    axes.set(xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
