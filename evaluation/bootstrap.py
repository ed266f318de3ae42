"""Bootstrap intervals: figures of a test set, drawn again from its own images (Efron 1979).

Stratified: each resample holds as many real and as many fake images as the set. What is drawn
depends on the labels and the seed alone, so two models' figures on the same images are resampled
together, and the difference of their resamples is the paired bootstrap of the difference.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from evaluation.metrics import is_ranked
from evaluation.predictions import Labels, Logits

Resamples = npt.NDArray[np.float64]  # (resamples,), one value of a figure for each
Counts = npt.NDArray[np.float64]  # (resamples, N), how often each image was drawn

CONFIDENCE = 0.95
_AT_ONCE = 1 << 20  # counts held in memory at a time


def bootstrap(
    labels: Labels, logits: Logits, *, resamples: int, seed: int = 0
) -> dict[str, Resamples]:
    """Return accuracy (at logit 0) and, where there is something to rank, AP and AUROC of each
    resample; nothing where `resamples` is 0.
    """
    if not resamples:
        return {}
    order = np.argsort(-logits, kind="stable")
    falling = logits[order]
    last = np.append(np.flatnonzero(np.diff(falling)), len(falling) - 1)  # of each tied group
    fake = labels[order] == 1
    right = (falling > 0) == fake
    ranked = is_ranked(labels, logits)
    parts: dict[str, list[Resamples]] = {}
    for drawn in _draws(labels, resamples, seed):
        counts = drawn[:, order]
        parts.setdefault("accuracy", []).append(counts @ right / len(labels))
        if ranked:
            found = np.cumsum(counts * fake, axis=1)[:, last]  # fakes at or above each threshold
            called = np.cumsum(counts, axis=1)[:, last]  # images at or above it
            parts.setdefault("ap", []).append(_ap(found, called))
            parts.setdefault("auroc", []).append(_auroc(found, called))
    return {figure: np.concatenate(values) for figure, values in parts.items()}


def interval(values: Resamples) -> tuple[float, float]:
    """Return the percentile interval that holds 95 % of the resamples."""
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(values, (tail, 1 - tail))
    return float(low), float(high)


def _draws(labels: Labels, resamples: int, seed: int) -> Iterator[Counts]:
    """Yield blocks of resamples, each a count per image."""
    rng = np.random.default_rng(seed)
    size = max(1, _AT_ONCE // len(labels))
    for start in range(0, resamples, size):
        rows = min(size, resamples - start)
        counts = np.empty((rows, len(labels)))
        for label in (0, 1):
            (images,) = np.nonzero(labels == label)
            if not len(images):
                continue
            drawn = rng.integers(len(images), size=(rows, len(images)))
            drawn += len(images) * np.arange(rows)[:, np.newaxis]  # a range of numbers per row
            per_image = np.bincount(drawn.ravel(), minlength=rows * len(images))
            counts[:, images] = per_image.reshape(rows, len(images))
        yield counts


def _ap(found: Counts, called: Counts) -> Resamples:
    """Return the sum over thresholds of precision times the recall gained there."""
    precision = np.divide(found, called, out=np.zeros_like(found), where=called > 0)
    gained = np.diff(found, axis=1, prepend=0)
    return np.asarray((precision * gained).sum(axis=1) / found[:, -1])


def _auroc(found: Counts, called: Counts) -> Resamples:
    """Return the area under the straight lines between the points of the ROC curve."""
    false = called - found
    mean_height = found - np.diff(found, axis=1, prepend=0) / 2
    area = (np.diff(false, axis=1, prepend=0) * mean_height).sum(axis=1)
    return np.asarray(area / (found[:, -1] * false[:, -1]))
