"""From scores to rows: one per test set, then the mean; and two models side by side."""

from __future__ import annotations

import math
import os
import zlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from evaluation.bootstrap import Resamples, bootstrap, interval
from evaluation.metrics import Labels, accuracy, measure
from evaluation.predictions import Scores
from evaluation.thresholds import Calibration, few_shot_accuracy

Row = dict[str, Any]  # testset, num_real, num_fake, then a fraction per figure (NaN = undefined)
MEAN = "mean"


class Measured(NamedTuple):
    """One test set's figures, and the resamples that its intervals come from."""

    row: Row
    resamples: dict[str, Resamples]  # "ap", "auroc", "accuracy"; empty where undefined


def measure_testset(
    name: str,
    scores: Scores,
    resamples: int,
    few_shot: Sequence[int],
    calibration: Calibration | None,
    num_unreadable: int,
    published: Mapping[str, Mapping[str, float]],
) -> Measured:
    """Every figure of one test set.

    `few_shot` are the numbers k of images per label that a threshold is learned from; `published`
    (test set -> figure -> fraction; may be empty) adds columns "published_...".
    """
    labels, logits = scores.labels, scores.logits
    row: Row = {"testset": name, **counts(labels), **measure(labels, logits)}
    drawn = bootstrap(labels, logits, resamples, seed_of(name))
    row |= intervals(drawn) if resamples else {}
    row |= {f"few_shot_{k}_accuracy": few_shot_accuracy(labels, logits, k) for k in few_shot}
    if calibration:
        row["calibrated_accuracy"] = accuracy(labels, logits, calibration.threshold)
        for rate, label in (("tpr", 1), ("fpr", 0)):
            above = logits[labels == label] > calibration.threshold
            row[f"calibrated_{rate}"] = float(np.mean(above)) if above.size else math.nan
    row["num_unreadable"] = num_unreadable
    theirs = published.get(name, {})
    for figure in dict.fromkeys(figure for figures in published.values() for figure in figures):
        row[f"published_{figure}"] = theirs.get(figure, math.nan)
    return Measured(row, drawn)


def with_mean(measured: Sequence[Measured], mean_over: Collection[str]) -> list[Row]:
    """The rows, and last the unweighted mean over the sets in `mean_over` that were scored (over
    all, where none of them was), and for each figure over the sets that have it.

    The mean's interval comes from the means of resamples: test sets are drawn independently.
    """
    chosen = [m for m in measured if m.row["testset"] in mean_over] or list(measured)
    no_mean = ("num_real", "num_fake", "num_unreadable")
    mean: Row = {"testset": MEAN}
    for figure in list(measured[0].row)[1:]:
        values = [m.row[figure] for m in chosen if not math.isnan(m.row[figure])]
        mean[figure] = float(np.mean(values)) if values and figure not in no_mean else math.nan
    if any(m.resamples for m in chosen):
        mean |= intervals(mean_resamples(chosen))
    return [*(m.row for m in measured), mean]


def mean_resamples(measured: Sequence[Measured]) -> dict[str, Resamples]:
    """For each figure, resample by resample, its mean over the sets that have it."""
    figures = dict.fromkeys(figure for m in measured for figure in m.resamples)
    return {
        figure: np.mean([m.resamples[figure] for m in measured if figure in m.resamples], axis=0)
        for figure in figures
    }


def compare(
    first: Mapping[str, tuple[Scores, Measured]],
    second: Mapping[str, tuple[Scores, Measured]],
    mean_over: Collection[str],
) -> list[Row]:
    """AP of two models on the test sets whose images both scored, their difference, and its paired
    bootstrap interval; last the mean. Empty where they share none.
    """
    shared = [
        name
        for name, (scores, _) in first.items()
        if name in second and scores.paths == second[name][0].paths
    ]
    rows = [_difference(name, [first[name][1]], [second[name][1]]) for name in shared]
    ranked = [row["testset"] for row in rows if not math.isnan(row["difference"])]
    chosen = [name for name in ranked if name in mean_over] or ranked
    if chosen:
        both = ([model[name][1] for name in chosen] for model in (first, second))
        rows.append(_difference(MEAN, *both))
    return rows


def _difference(name: str, first: Sequence[Measured], second: Sequence[Measured]) -> Row:
    ours, theirs = (float(np.mean([m.row["ap"] for m in model])) for model in (first, second))
    drawn = [mean_resamples(model).get("ap") for model in (first, second)]
    low = high = math.nan
    if drawn[0] is not None and drawn[1] is not None:
        low, high = interval(drawn[0] - drawn[1])
    return {
        "testset": name,
        "ap_first": ours,
        "ap_second": theirs,
        "difference": ours - theirs,
        "difference_low": low,
        "difference_high": high,
    }


def counts(labels: Labels) -> Row:
    """How many images of each label."""
    num_fake = int(np.sum(labels == 1))
    return {"num_real": len(labels) - num_fake, "num_fake": num_fake}


def intervals(
    drawn: Mapping[str, Resamples], figures: Sequence[str] = ("ap", "auroc", "accuracy")
) -> Row:
    """The ends of each figure's interval; NaN where it has no resamples."""
    row: Row = {}
    for figure in figures:
        ends = interval(drawn[figure]) if figure in drawn else (math.nan, math.nan)
        row[f"{figure}_low"], row[f"{figure}_high"] = ends
    return row


def seed_of(testset: str) -> int:
    """By name, so that test sets are drawn independently, and two models on one alike."""
    return zlib.crc32(os.fsencode(testset))
