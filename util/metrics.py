"""Figures of merit: pure functions of labels and logits. A new metric is one entry of METRICS."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import sklearn.metrics

Labels = npt.NDArray[np.integer]  # (N,), 0 = real, 1 = fake
Logits = npt.NDArray[np.floating]  # (N,), above 0 = called fake


def average_precision(labels: Labels, logits: Logits) -> float:
    """Of the fakes, ranked by logit (a float32 probability ties at 1); NaN without both labels."""
    if not _has_both(labels):
        return math.nan
    return float(sklearn.metrics.average_precision_score(labels, logits))


def auroc(labels: Labels, logits: Logits) -> float:
    """Chance that a fake outranks a real image; NaN without both labels."""
    return float(sklearn.metrics.roc_auc_score(labels, logits)) if _has_both(labels) else math.nan


def accuracy(labels: Labels, logits: Logits) -> float:
    """Share of images on the right side of probability 0.5, that is, of logit 0; NaN if empty."""
    return float(np.mean((logits > 0) == (labels == 1))) if labels.size else math.nan


def real_accuracy(labels: Labels, logits: Logits) -> float:
    """Accuracy over the real images alone; NaN if there are none."""
    return accuracy(labels[labels == 0], logits[labels == 0])


def fake_accuracy(labels: Labels, logits: Logits) -> float:
    """Accuracy over the fake images alone; NaN if there are none."""
    return accuracy(labels[labels == 1], logits[labels == 1])


# In the order of the report's columns.
METRICS: dict[str, Callable[[Labels, Logits], float]] = {
    "ap": average_precision,
    "accuracy": accuracy,
    "real_accuracy": real_accuracy,
    "fake_accuracy": fake_accuracy,
    "auroc": auroc,
}


def measure(labels: Labels, logits: Logits) -> dict[str, float]:
    """Every metric as a fraction in [0, 1], NaN where it is undefined."""
    return {name: metric(labels, logits) for name, metric in METRICS.items()}


def _has_both(labels: Labels) -> bool:
    return bool(np.any(labels == 0) and np.any(labels == 1))
