"""Two evaluations side by side: who leads, by how much, and on which images they agree."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from evaluation.evaluation import Evaluation
from evaluation.measure import MEAN, RESAMPLED, Difference, lead_of
from evaluation.predictions import Scores


def compare(first: Evaluation, second: Evaluation) -> list[Difference]:
    """Return the leads on the test sets whose images both scored, and last those of their means:
    for each metric over the sets of the benchmark in which both models have it.

    Empty where they share none.
    """
    models = [first.measured, second.measured]
    lines = []
    for name, scores in first.scores.items():
        theirs = second.scores.get(name)
        if theirs and (scores.paths, scores.clusters) == (theirs.paths, theirs.clusters):
            one, other = ([its[name]] for its in models)
            lines.append(Difference(name, {m: lead_of(m, one, other) for m in RESAMPLED}))
    means = {}
    for metric in RESAMPLED:
        has = [its.testset for its in lines if not math.isnan(its.leads[metric].difference.value)]
        if chosen := first.benchmark.chosen(has):
            means[metric] = lead_of(metric, *([its[name] for name in chosen] for its in models))
    return [*lines, Difference(MEAN, means)] if means else lines


class Agreement(NamedTuple):
    """The images that two models scored."""

    labels: npt.NDArray[np.uint8]  # (N,)
    first: npt.NDArray[np.float64]  # (N,), logits
    second: npt.NDArray[np.float64]

    def right(self, threshold: float) -> dict[tuple[bool, bool], int]:
        """Return the number of images by whether each of the two is right at `threshold`."""
        fake = self.labels == 1
        one, other = ((logits > threshold) == fake for logits in (self.first, self.second))
        return {
            (a, b): int(np.sum((one == a) & (other == b)))
            for a in (True, False)
            for b in (True, False)
        }


def agreement(first: Evaluation, second: Evaluation) -> Agreement:
    """Return the images of all test sets that both scored; an image is known by its path."""
    parts = [
        _shared(scores, second.scores[name])
        for name, scores in first.scores.items()
        if name in second.scores
    ]
    labels, ours, theirs = (
        np.concatenate([np.asarray(part[i], kind) for part in parts] or [np.empty(0, kind)])
        for i, kind in enumerate((np.uint8, np.float64, np.float64))
    )
    return Agreement(labels, ours, theirs)


def _shared(first: Scores, second: Scores) -> Agreement:
    if first.paths == second.paths:
        return Agreement(first.labels, first.logits, second.logits)
    place = {path: number for number, path in enumerate(second.paths)}
    both = [(i, place[path]) for i, path in enumerate(first.paths) if path in place]
    ours, theirs = np.array(both, int).reshape(-1, 2).T
    return Agreement(first.labels[ours], first.logits[ours], second.logits[theirs])
