"""Metrics of a test set whose images were degraded: one result per degradation and level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from data.samples import count_labels
from evaluation.bootstrap import bootstrap
from evaluation.degrade import level_text, variant_name
from evaluation.measure import estimate, seed_of
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
    for name, (_, labels, logits) in scores.items():
        drawn = bootstrap(labels, logits, resamples=resamples, seed=seed_of(testset))
        metrics = {m: estimate(METRICS[m](labels, logits), drawn.get(m)) for m in MEASURED}
        by_variant[name] = (*count_labels(labels), metrics)
    found = []
    for degradation, its in levels.items():
        for level in its:
            measured = by_variant[variant_name(degradation, level)]
            found.append(Degraded(testset, degradation, level_text(level), *measured))
    return found
