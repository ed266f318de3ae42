"""Bootstrap intervals: figures of a test set, drawn again from its own images (Efron 1979).

Stratified: each resample holds as many real and as many fake images as the set. What is drawn
depends on the labels and the seed alone, so two models' figures on the same images are resampled
together, and the difference of their resamples is the paired bootstrap of the difference.

Of clusters (images that are not independent of each other), whole clusters are drawn, their real
and fake images together: each is in a resample as often as a Poisson number of mean 1 says, which
is what drawing as many as there are, with replacement, gives where they are many (the Poisson
bootstrap: Hanley and MacGibbon 2006). The numbers depend on the cluster's name alone. So a cluster
is drawn as often for every test set that has it, whichever other clusters these have, and the mean
over sets is one of the same draw.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from evaluation.metrics import is_ranked
from evaluation.predictions import Labels, Logits

Resamples = npt.NDArray[np.float64]
"""(resamples,), one value of a figure for each; NaN where it is undefined: of a draw of clusters
without an image, for AP and AUROC of one with images of one label alone."""
Counts = npt.NDArray[np.float64]  # (resamples, N), how often each image was drawn

CONFIDENCE = 0.95
_AT_ONCE = 1 << 20  # counts held in memory at a time


def bootstrap(
    labels: Labels,
    logits: Logits,
    *,
    resamples: int,
    seed: int = 0,
    clusters: Sequence[str] = (),
) -> dict[str, Resamples]:
    """Return accuracy (at logit 0) and, where there is something to rank, AP and AUROC of each
    resample; nothing where `resamples` is 0. `clusters` are names, one for each image; without
    them images are drawn, by `seed`.
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
    blocks = _of_clusters(clusters, resamples) if clusters else _draws(labels, resamples, seed)
    for drawn in blocks:
        counts = drawn[:, order]
        parts.setdefault("accuracy", []).append(_share(counts @ right, counts.sum(axis=1)))
        if ranked:
            found = np.cumsum(counts * fake, axis=1)[:, last]  # fakes at or above each threshold
            called = np.cumsum(counts, axis=1)[:, last]  # images at or above it
            parts.setdefault("ap", []).append(_ap(found, called))
            parts.setdefault("auroc", []).append(_auroc(found, called))
    return {figure: np.concatenate(values) for figure, values in parts.items()}


def interval(values: Resamples) -> tuple[float, float]:
    """Return the percentile interval that holds 95 % of the resamples that have a value."""
    values = values[~np.isnan(values)]
    if not len(values):
        return math.nan, math.nan
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


def _of_clusters(clusters: Sequence[str], resamples: int) -> Iterator[Counts]:
    """Yield blocks of resamples, each a count per image: that of its cluster."""
    names, cluster_of = np.unique(np.array(clusters, object), return_inverse=True)
    draws = [np.random.default_rng(_seed(name)) for name in names]
    size = max(1, _AT_ONCE // len(clusters))
    for start in range(0, resamples, size):
        rows = min(size, resamples - start)
        counts = np.array([rng.poisson(1, rows) for rng in draws], np.float64)
        yield counts.T[:, cluster_of]


def _seed(name: str) -> int:
    return int.from_bytes(hashlib.sha256(os.fsencode(name)).digest()[:16], "big")


def _share(parts: Resamples, wholes: Resamples) -> Resamples:
    """Return parts / wholes; NaN where there is no whole."""
    return np.divide(parts, wholes, out=np.full_like(wholes, np.nan), where=wholes > 0)


def _ap(found: Counts, called: Counts) -> Resamples:
    """Return the sum over thresholds of precision times the recall gained there."""
    precision = np.divide(found, called, out=np.zeros_like(found), where=called > 0)
    gained = np.diff(found, axis=1, prepend=0)
    ap = _share((precision * gained).sum(axis=1), found[:, -1])
    ap[called[:, -1] == found[:, -1]] = np.nan  # no reals: any ranking is perfect
    return ap


def _auroc(found: Counts, called: Counts) -> Resamples:
    """Return the area under the straight lines between the points of the ROC curve."""
    false = called - found
    mean_height = found - np.diff(found, axis=1, prepend=0) / 2
    area = (np.diff(false, axis=1, prepend=0) * mean_height).sum(axis=1)
    return _share(area, found[:, -1] * false[:, -1])
