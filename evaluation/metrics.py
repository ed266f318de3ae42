"""Figures of merit: pure functions of labels and logits. A new metric is one entry of METRICS."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import sklearn.metrics
from scipy.special import expit

from evaluation.predictions import Labels, Logits
from evaluation.thresholds import best_threshold

ECE_BINS = 15  # Guo et al. 2017, "On calibration of modern neural networks"


def average_precision(labels: Labels, logits: Logits) -> float:
    """Return the AP of the fakes, ranked by logit (a float32 probability ties at 1).

    NaN without a ranking.
    """
    if not is_ranked(labels, logits):
        return math.nan
    return float(sklearn.metrics.average_precision_score(labels, logits))


def auroc(labels: Labels, logits: Logits) -> float:
    """Return the chance that a fake outranks a real image; NaN without a ranking."""
    if not is_ranked(labels, logits):
        return math.nan
    return float(sklearn.metrics.roc_auc_score(labels, logits))


def accuracy(labels: Labels, logits: Logits, threshold: float = 0.0) -> float:
    """Return the share of images on the right side of `threshold` (a logit); NaN if empty."""
    return float(np.mean((logits > threshold) == (labels == 1))) if labels.size else math.nan


def real_accuracy(labels: Labels, logits: Logits) -> float:
    """Return accuracy over the real images alone; NaN if there are none."""
    return accuracy(labels[labels == 0], logits[labels == 0])


def fake_accuracy(labels: Labels, logits: Logits) -> float:
    """Return accuracy over the fake images alone; NaN if there are none."""
    return accuracy(labels[labels == 1], logits[labels == 1])


def balanced_accuracy(labels: Labels, logits: Logits) -> float:
    """Return the mean of real and fake accuracy; NaN without both labels."""
    return (real_accuracy(labels, logits) + fake_accuracy(labels, logits)) / 2


def tpr_at_fpr(labels: Labels, logits: Logits, budget: float) -> float:
    """Return the highest share of fakes found where at most `budget` of the reals is called fake.

    The false positive rate moves in steps of 1/num_real, so the budget is seldom met exactly; it is
    never exceeded. NaN without a ranking.
    """
    if not is_ranked(labels, logits):
        return math.nan
    fpr, tpr, _ = sklearn.metrics.roc_curve(labels, logits, drop_intermediate=False)
    return float(tpr[fpr <= budget].max())


def equal_error_rate(labels: Labels, logits: Logits) -> float:
    """Return where the false positive and the false negative rate are equal, on the ROC curve with
    straight lines between its points; NaN without a ranking.
    """
    if not is_ranked(labels, logits):
        return math.nan
    fpr, tpr, _ = sklearn.metrics.roc_curve(labels, logits, drop_intermediate=False)
    return float(np.interp(0.0, fpr - (1 - tpr), fpr))


def oracle_accuracy(labels: Labels, logits: Logits) -> float:
    """Accuracy at the threshold that is best on these very images: an upper bound, which no
    detector that must choose beforehand reaches. NaN without a ranking.
    """
    if not is_ranked(labels, logits):
        return math.nan
    return accuracy(labels, logits, best_threshold(labels, logits))


def brier(labels: Labels, logits: Logits) -> float:
    """Return the mean squared difference of probability and label; NaN if empty."""
    return float(np.mean((expit(logits) - labels) ** 2)) if labels.size else math.nan


class Reliability(NamedTuple):
    """Images by their probability of "fake", in ECE_BINS bins of equal width from 0 to 1."""

    images: npt.NDArray[np.int64]  # (ECE_BINS,), their number
    probability: npt.NDArray[np.float64]  # (ECE_BINS,), their mean probability; NaN without images
    fake: npt.NDArray[np.float64]  # (ECE_BINS,), the share of fakes among them; NaN without images


def reliability(labels: Labels, logits: Logits) -> Reliability:
    """Return what a reliability diagram shows (Guo et al. 2017), of the probability of "fake"."""
    probabilities = expit(logits)
    bins = np.minimum((probabilities * ECE_BINS).astype(int), ECE_BINS - 1)
    images = np.bincount(bins, minlength=ECE_BINS)
    sums = (np.bincount(bins, values, ECE_BINS) for values in (probabilities, labels))
    shares = (np.divide(s, images, out=np.full(ECE_BINS, np.nan), where=images > 0) for s in sums)
    return Reliability(images, *shares)


def expected_calibration_error(labels: Labels, logits: Logits) -> float:
    """Mean distance between the probability of "fake" and the share of fakes, over 15 bins of
    equal width in probability, weighted by their images (Naeini et al. 2015); NaN if empty.
    """
    if not labels.size:
        return math.nan
    images, probability, fake = reliability(labels, logits)
    return float(np.nansum(images * np.abs(probability - fake)) / labels.size)


# In the order of the report's columns.
METRICS: dict[str, Callable[[Labels, Logits], float]] = {
    "ap": average_precision,
    "accuracy": accuracy,
    "real_accuracy": real_accuracy,
    "fake_accuracy": fake_accuracy,
    "auroc": auroc,
    "balanced_accuracy": balanced_accuracy,
    "tpr_at_fpr_1": functools.partial(tpr_at_fpr, budget=0.01),
    "tpr_at_fpr_5": functools.partial(tpr_at_fpr, budget=0.05),
    "tpr_at_fpr_10": functools.partial(tpr_at_fpr, budget=0.10),
    "equal_error_rate": equal_error_rate,
    "brier": brier,
    "expected_calibration_error": expected_calibration_error,
    "oracle_accuracy": oracle_accuracy,
}


def measure(labels: Labels, logits: Logits) -> dict[str, float]:
    """Return every metric as a fraction in [0, 1], NaN where it is undefined."""
    return {name: metric(labels, logits) for name, metric in METRICS.items()}


def is_ranked(labels: Labels, logits: Logits) -> bool:
    """Return whether there is anything to rank: both labels, and scores that differ."""
    return not unranked(labels, logits)


def unranked(labels: Labels, logits: Logits) -> str:
    """Return why nothing can be ranked, in words; empty where it can."""
    if not np.any(labels == 1):
        return "holds real images only"
    if not np.any(labels == 0):
        return "holds fake images only"
    return "gives every image the same score" if np.all(logits == logits[0]) else ""
