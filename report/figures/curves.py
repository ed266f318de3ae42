"""Curves of models: a panel per test set, or all test sets of one model in one panel."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullLocator

from evaluation.metrics import is_ranked
from evaluation.predictions import Scores
from report.figures.panels import Panel, Panels
from report.figures.planes import PRECISION_RECALL, ROC, Plane, low_rates
from report.figures.style import colour, in_words, model_handles, say_numbers, shown
from report.tables import per_cent
from util.drawing import MODELS

Models = Mapping[str, Mapping[str, Scores]]  # model -> test set -> scores

UNDEFINED = "\N{EN DASH}"  # where a number would stand
DASHES = ("-", "--", ":", "-.")  # of lines that must share a colour


def roc_curves(models: Models) -> Panels:
    """Return true over false positive rate, fake being positive, with AUROC."""
    return _panels(models, ROC)


def precision_recall_curves(models: Models) -> Panels:
    """Return precision over recall, fake being positive, with AP. Chance is the share of fakes."""
    return _panels(models, PRECISION_RECALL)


def low_rate_curves(models: Models) -> Panels:
    """Return ROC curves where false alarms are few, with the share of fakes found at 1 %."""
    plane = low_rates(scores for testsets in models.values() for scores in testsets.values())
    return _panels(models, plane)


def overlay_planes(testsets: Mapping[str, Scores]) -> tuple[Plane, ...]:
    """Return the planes of `overlay`."""
    return ROC, PRECISION_RECALL, low_rates(testsets.values())


def overlay(testsets: Mapping[str, Scores], planes: Sequence[Plane]) -> Figure:
    """Draw the curves of all test sets of one model in one panel, for each plane, the best first in
    the legend.
    """
    lines = -(-len(testsets) // 2)  # of the legend
    size = (2.69 * len(planes), 2.6 + 0.155 * (lines + 1))
    figure = Figure(figsize=size, layout="constrained")
    styles = {
        name: {"color": colour(i), "linestyle": DASHES[i // len(MODELS) % len(DASHES)]}
        for i, name in enumerate(testsets)
    }
    ranked = {name: s for name, s in testsets.items() if is_ranked(s.labels, s.logits)}
    for axes, plane in zip(figure.subplots(1, len(planes), squeeze=False)[0], planes, strict=True):
        values = {name: plane.metric(s.labels, s.logits) for name, s in ranked.items()}
        drawn = {}
        for name in sorted(ranked, key=lambda name: -np.nan_to_num(values[name])):
            label = f"{shown(name, 17)} {per_cent(values[name], 1) or UNDEFINED}"
            drawn[label] = _curve(axes, plane, ranked[name], **styles[name])
        _frame(axes, plane)
        axes.set(xlabel=plane.labels[0], ylabel=plane.labels[1])
        below: dict[str, Any] = {"bbox_to_anchor": (0.45, -0.18), "ncols": 2, "handlelength": 2.2}
        say_numbers(axes, plane.metric_name, "upper center", lines=drawn, **below)
    return figure


def _panels(models: Models, plane: Plane) -> Panels:
    names = dict.fromkeys(name for testsets in models.values() for name in testsets)
    panels = []
    for name in names:
        scored = {model: its[name] for model, its in models.items() if name in its}
        values = {m: plane.metric(s.labels, s.logits) for m, s in scored.items()}
        draw = functools.partial(
            _draw, plane=plane, models=list(models), scored=scored, values=values
        )
        panels.append(Panel((name,), draw, in_words(plane.metric_name, values)))
    legend = functools.partial(model_handles, models)
    return Panels(panels, plane.labels, shared="xy", legend=legend)


def _draw(
    axes: Axes,
    *,
    plane: Plane,
    models: Sequence[str],
    scored: Mapping[str, Scores],
    values: Mapping[str, float],
) -> None:
    """Draw a curve per model, or say why it has none."""
    missing, drawn = {}, {}
    for model, scores in scored.items():
        if reason := _why_no_curve(scores):
            missing[model] = reason
            continue
        name = f"{shown(model, 12)} " if len(models) > 1 else ""
        label = f"{name}{per_cent(values[model], 1) or UNDEFINED}"
        drawn[label] = _curve(axes, plane, scores, color=colour(models.index(model)))
    lines_of_text = [f"{shown(model, 18)}:\n{why}" for model, why in missing.items()]
    if drawn:
        plane.draw_chance(axes, next(iter(scored.values())))
        say_numbers(axes, plane.metric_name, plane.corner, lines=drawn, alone=len(models) == 1)
    else:
        lines_of_text = sorted(set(missing.values()))
    centred: dict[str, Any] = {"ha": "center", "va": "center", "transform": axes.transAxes}
    words = axes.text(0.5, 0.5, "\n".join(lines_of_text), zorder=4, **centred)
    words.set_in_layout(False)  # long ones may run over the edge, but not squeeze the panel
    _frame(axes, plane)


def _curve(axes: Axes, plane: Plane, scores: Scores, **style: str) -> Line2D:
    x, y = plane.curve(scores)
    look: dict[str, Any] = {"drawstyle": plane.drawstyle, "linewidth": 1.1, "zorder": 3}
    (line,) = axes.plot(x, y, **look | style)
    return line


def _frame(axes: Axes, plane: Plane) -> None:
    axes.set(ylim=(-0.02, 1.02), yticks=(0, 0.5, 1), box_aspect=1)
    if not plane.lowest:
        axes.set(xlim=(-0.02, 1.02), xticks=(0, 0.5, 1))
        return
    axes.set_xscale("log")
    axes.set_xlim(plane.lowest, 1)
    axes.set_xticks([rate for rate in (1e-4, 1e-3, 1e-2, 1e-1, 1) if rate >= plane.lowest])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda rate, _: f"{rate:g}"))


def _why_no_curve(scores: Scores) -> str:
    if len(set(scores.labels.tolist())) < 2:
        return "one label only"
    return "" if is_ranked(scores.labels, scores.logits) else "all scores equal"
