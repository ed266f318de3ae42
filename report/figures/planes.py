"""The planes that curves are drawn in: ROC, precision over recall, and ROC at few false alarms."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from sklearn.metrics import precision_recall_curve, roc_curve

from evaluation.metrics import auroc, average_precision, is_ranked, tpr_at_fpr
from evaluation.predictions import Labels, Logits, Scores
from report.figures.style import chance

Curve = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]

ONE_PER_CENT = 0.01
POINTS = 500  # of a drawn curve: more cannot be seen, and make a PDF of megabytes


class Plane(NamedTuple):
    """How scores become a curve, and the number that goes with it."""

    labels: tuple[str, str]  # of the axes
    curve: Callable[[Scores], Curve]
    metric: Callable[[Labels, Logits], float]
    metric_name: str
    draw_chance: Callable[[Axes, Scores], None]
    corner: str  # which good curves leave free
    drawstyle: Literal["default", "steps-post"]
    lowest: float = 0  # the left end of a logarithmic axis; 0: the axis is linear


def roc(scores: Scores) -> Curve:
    """Return false and true positive rates."""
    false_positive, true_positive, _ = roc_curve(scores.labels, scores.logits)
    return thinned(false_positive, true_positive, false_positive)


def precision_recall(scores: Scores) -> Curve:
    """Return recall and precision."""
    precision, recall, _ = precision_recall_curve(scores.labels, scores.logits)
    return thinned(recall, precision, recall)


def few_false_alarms(scores: Scores) -> Curve:
    """Return the false positive rates that the reals can have, from one false alarm on, and for
    each the largest share of fakes found at no more.
    """
    rates, found, _ = roc_curve(scores.labels, scores.logits, drop_intermediate=False)
    num_real = int(np.sum(scores.labels == 0))
    steps = np.arange(1, num_real + 1) / num_real
    reached = np.searchsorted(rates, steps + 0.5 / num_real) - 1
    return thinned(steps, found[reached], np.log10(steps))


def _diagonal(axes: Axes, _: Scores) -> None:
    axes.plot([0, 1], [0, 1], **chance())


def _bent_diagonal(axes: Axes, _: Scores) -> None:
    rates = np.geomspace(1e-6, 1, 100)  # on a logarithmic axis
    axes.plot(rates, rates, **chance())


def _share_of_fakes(axes: Axes, scores: Scores) -> None:
    axes.axhline(float(scores.labels.mean()), **chance())


ROC = Plane(
    ("false positive rate", "true positive rate"),
    curve=roc,
    metric=auroc,
    metric_name="AUROC",
    draw_chance=_diagonal,
    corner="lower right",
    drawstyle="default",
)
PRECISION_RECALL = Plane(
    ("recall", "precision"),
    curve=precision_recall,
    metric=average_precision,
    metric_name="AP",
    draw_chance=_share_of_fakes,
    corner="lower left",
    drawstyle="steps-post",
)


def found_at_one_per_cent(labels: Labels, logits: Logits) -> float:
    """Return the share of fakes found where at most 1 % of the reals are called fake; NaN without a
    ranking, and with fewer than 100 reals, of which 1 % is none.
    """
    enough = np.sum(labels == 0) >= 1 / ONE_PER_CENT
    return tpr_at_fpr(labels, logits, ONE_PER_CENT) if enough else math.nan


def low_rates(scores: Iterable[Scores]) -> Plane:
    """Return the plane of the ROC whose false positive rate is on a logarithmic axis, down to one
    false alarm in the largest number of reals: there is nothing to tell below it.
    """
    numbers = (np.sum(its.labels == 0) for its in scores if is_ranked(its.labels, its.logits))
    return Plane(
        ROC.labels,
        curve=few_false_alarms,
        metric=found_at_one_per_cent,
        metric_name="TPR at FPR 1 %",
        draw_chance=_bent_diagonal,
        corner="lower right",
        drawstyle="steps-post",
        lowest=1 / max(numbers, default=100),
    )


def thinned(
    x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], place: npt.NDArray[np.float64]
) -> Curve:
    """Return at most about POINTS points, evenly along the curve, both ends among them; `place` is
    where the points lie along the x axis.
    """
    if len(x) <= POINTS:
        return x, y
    run = np.abs(np.diff(place)) / np.ptp(place)
    length = np.concatenate(([0], np.cumsum(run + np.abs(np.diff(y)))))
    kept = np.searchsorted(length, np.linspace(0, length[-1], POINTS))
    kept = np.unique(np.concatenate(([0], kept.clip(0, len(x) - 1), [len(x) - 1])))
    return x[kept], y[kept]
