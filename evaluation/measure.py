"""From the scores of a test set to its metrics, their mean, and two models side by side."""

from __future__ import annotations

import math
import os
import zlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from data.samples import count_labels
from evaluation.bootstrap import Resamples, bootstrap, interval
from evaluation.clusters import Clusters
from evaluation.metrics import accuracy, measure
from evaluation.predictions import Scores
from evaluation.thresholds import Calibration, few_shot_accuracy

MEAN = "mean"  # the row of the mean, which no test set may be called
RESAMPLED = ("ap", "auroc", "accuracy")  # the metrics that have an interval


class Estimate(NamedTuple):
    """A metric as a fraction, and the ends of its 95 % interval; NaN where undefined."""

    value: float
    low: float = math.nan
    high: float = math.nan


UNDEFINED = Estimate(math.nan)


class Measuring(NamedTuple):
    """How scores are measured."""

    bootstrap: int = 1000  # resamples for the intervals; 0: none
    few_shot: tuple[int, ...] = ()  # images of each label that a threshold is learned from
    calibration: Calibration | None = None  # a threshold that was learned elsewhere
    published: Mapping[str, Mapping[str, float]] = {}  # test set -> metric -> fraction
    clusters: Clusters = Clusters()  # which images are drawn together for the intervals

    def published_metrics(self) -> list[str]:
        """Return the metrics that any test set has a published value of."""
        return list(dict.fromkeys(name for its in self.published.values() for name in its))


class Measured(NamedTuple):
    """What was measured of one test set, or the mean over several."""

    name: str
    metrics: dict[str, Estimate]  # in the order of the table
    num_real: int | None = None  # None: of a mean
    num_fake: int | None = None
    num_unreadable: int | None = None
    published: Mapping[str, float] = {}  # by metric; NaN where nothing was published
    resamples: Mapping[str, Resamples] = {}  # by metric; empty where undefined or not asked for
    num_clusters: int | None = None  # None: images were drawn, one by one; or of a mean


def measure_testset(
    name: str, scores: Scores, measuring: Measuring, *, num_unreadable: int = 0
) -> Measured:
    """Return every metric of one test set."""
    labels, logits = scores.labels, scores.logits
    drawn = resampled(name, scores, measuring.bootstrap)
    metrics = {
        metric: estimate(value, drawn.get(metric))
        for metric, value in measure(labels, logits).items()
    }
    for k in measuring.few_shot:
        metrics[f"few_shot_{k}_accuracy"] = Estimate(few_shot_accuracy(labels, logits, k))
    if measuring.calibration:
        threshold = measuring.calibration.threshold
        metrics["calibrated_accuracy"] = Estimate(accuracy(labels, logits, threshold))
        for rate, label in (("tpr", 1), ("fpr", 0)):
            above = logits[labels == label] > threshold
            share = float(np.mean(above)) if above.size else math.nan
            metrics[f"calibrated_{rate}"] = Estimate(share)
    num_real, num_fake = count_labels(labels)
    theirs = measuring.published.get(name, {})
    published = {metric: theirs.get(metric, math.nan) for metric in measuring.published_metrics()}
    return Measured(
        name,
        metrics,
        num_real,
        num_fake,
        num_unreadable,
        published,
        drawn,
        num_clusters=len(set(_names(name, scores))) if scores.clusters else None,
    )


def resampled(name: str, scores: Scores, resamples: int) -> dict[str, Resamples]:
    """Return the resamples of a test set by metric: of its clusters, where it has any."""
    return bootstrap(
        scores.labels,
        scores.logits,
        resamples=resamples,
        seed=seed_of(name),
        clusters=_names(name, scores),
    )


def _names(testset: str, scores: Scores) -> list[str]:
    """Return the cluster of each image; one of its own, and of no other set, where it has none."""
    return (
        [
            cluster or f"{testset}\0{path}"
            for path, cluster in zip(scores.paths, scores.clusters, strict=True)
        ]
        if scores.clusters
        else []
    )


def mean_of(measured: Sequence[Measured]) -> Measured:
    """Return the unweighted mean of each metric over the test sets that have it.

    Its interval comes from the means of resamples: test sets are drawn independently, but a cluster
    is drawn alike for all that have it.
    """
    drawn = mean_resamples(measured)
    return Measured(
        MEAN,
        {
            metric: estimate(_mean([m.metrics[metric].value for m in measured]), drawn.get(metric))
            for metric in measured[0].metrics
        },
        published={
            metric: _mean([m.published[metric] for m in measured])
            for metric in measured[0].published
        },
        resamples=drawn,
    )


def mean_resamples(
    measured: Sequence[Measured], metrics: Sequence[str] = RESAMPLED
) -> dict[str, Resamples]:
    """Return for each metric, resample by resample, its mean over the test sets that have it;
    nothing for a metric that none has.
    """
    drawn = {name: [m.resamples[name] for m in measured if name in m.resamples] for name in metrics}
    return {name: np.mean(values, axis=0) for name, values in drawn.items() if values}


class Lead(NamedTuple):
    """A metric of two models on the same images, and how far the first is ahead."""

    first: float
    second: float
    difference: Estimate  # first minus second; its interval is that of the paired bootstrap


class Difference(NamedTuple):
    """Two models on the same images of a test set, or in the mean over several."""

    testset: str
    leads: Mapping[str, Lead]  # by metric, those of RESAMPLED


def lead_of(metric: str, first: Sequence[Measured], second: Sequence[Measured]) -> Lead:
    """Return a metric's mean over test sets of one model, and of another over the same sets.

    Both models were measured on the same resamples, so that the difference of these is a resample
    of the difference.
    """
    ours, theirs = (_mean([m.metrics[metric].value for m in model]) for model in (first, second))
    drawn = [mean_resamples(model, [metric]).get(metric) for model in (first, second)]
    paired = None if drawn[0] is None or drawn[1] is None else drawn[0] - drawn[1]
    return Lead(ours, theirs, estimate(ours - theirs, paired))


def change_of(as_is: Measured, aligned: Measured) -> Estimate:
    """Return by how much AP changes where the same images are all re-encoded."""
    return lead_of("ap", [aligned], [as_is]).difference


def estimate(value: float, drawn: Resamples | None) -> Estimate:
    """Return `value` with the interval of its resamples, where it has any."""
    return Estimate(value) if drawn is None else Estimate(value, *interval(drawn))


def seed_of(testset: str) -> int:
    """Return a seed by name: test sets are drawn independently, and two models on one alike."""
    return zlib.crc32(os.fsencode(testset))


def _mean(values: Sequence[float]) -> float:
    defined = [value for value in values if not math.isnan(value)]
    return float(np.mean(defined)) if defined else math.nan
