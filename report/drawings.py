"""Which figures a report has: their names, titles and order."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

from matplotlib.figure import Figure

from evaluation.evaluation import Evaluation
from report.figures import (
    performance_bars,
    precision_recall_curves,
    robustness_panels,
    roc_curves,
    score_histograms,
)
from util.drawing import Drawing, save_drawing
from util.progress import progress


def drawings(folder: str, evaluations: Sequence[Evaluation], threshold: float) -> list[Drawing]:
    """Save every figure of evaluations, side by side where they are several, into `folder`; return
    them in the order of the page. `threshold` is a logit.
    """
    lines = {each.name: each.lines() for each in evaluations}
    scores = {each.name: each.scores for each in evaluations}
    wanted: list[tuple[str, str, Callable[[], Figure]]] = [
        (
            "performance",
            "Average precision by generator, with 95 % intervals",
            lambda: performance_bars(lines),
        ),
        ("roc", "ROC curves", lambda: roc_curves(scores)),
        ("precision_recall", "Precision-recall curves", lambda: precision_recall_curves(scores)),
        (
            "scores",
            "Scores of real and fake images; the line is the threshold",
            lambda: score_histograms(scores, threshold),
        ),
    ]
    for each in evaluations:
        several = len(evaluations) > 1
        whose, file = (f" of {each.name}", f"_{each.name}") if several else ("", "")
        for degradation in dict.fromkeys(its.degradation for its in each.degraded):
            draw = functools.partial(robustness_panels, each.degraded, degradation)
            title = f"Average precision{whose} under {degradation}, with 95 % intervals"
            wanted.append((f"robustness_{degradation}{file}", title, draw))
    bar = progress(wanted, "figures", unit="figure", delay=1)
    return [save_drawing(folder, name, title=title, draw=draw) for name, title, draw in bar]
