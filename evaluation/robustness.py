"""Metrics of a test set whose images were degraded: one result per degradation and level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from data.samples import count_labels
from evaluation.degrade import level_text, variant_name
from evaluation.measure import estimate, resampled
from evaluation.metrics import METRICS
from evaluation.predictions import Scores
from evaluation.rows import Degraded

MEASURED = ("ap", "accuracy")


def measure_degraded(
    testset: str,
    *,
    levels: Mapping[str, Sequence[float]],
    scores: Mapping[str, Scores],
    resamples: int,
) -> list[Degraded]:
    """Return AP and accuracy with their intervals at each level of each degradation.

    `scores` are by variant name (evaluation/degrade.py). All are drawn with the same seed: the same
    images at each level, so that a curve does not jump by the draw.
    """
    by_variant = {}
    for name, its in scores.items():
        labels, logits = its.labels, its.logits
        drawn = resampled(testset, its, resamples)
        metrics = {m: estimate(METRICS[m](labels, logits), drawn.get(m)) for m in MEASURED}
        by_variant[name] = (*count_labels(labels), metrics)
    found = []
    for degradation, strengths in levels.items():
        for level in strengths:
            measured = by_variant[variant_name(degradation, level)]
            found.append(Degraded(testset, degradation, level_text(level), *measured))
    return found
