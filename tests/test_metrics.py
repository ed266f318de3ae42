"""Each metric against a slow, obvious version of it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sklearn.metrics

from util.metrics import METRICS, measure


def random_scores(seed: int, ties: bool) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = (rng.random(40) < rng.uniform(0.2, 0.8)).astype(np.uint8)
    labels[:2] = (0, 1)
    logits = rng.normal(labels, 1.5)
    return labels, np.round(logits) if ties else logits


def slow_average_precision(labels: np.ndarray, logits: np.ndarray) -> float:
    """Precision at each distinct threshold, weighted with the recall gained there."""
    total, recall_before = 0.0, 0.0
    for threshold in sorted(set(logits), reverse=True):
        called = logits >= threshold
        hits = sum(1 for c, label in zip(called, labels, strict=True) if c and label)
        recall = hits / sum(labels)
        total += hits / sum(called) * (recall - recall_before)
        recall_before = recall
    return total


def slow_auroc(labels: np.ndarray, logits: np.ndarray) -> float:
    """Over all pairs of a real and a fake: how often the fake is above; a tie is half."""
    pairs = [(r, f) for r in logits[labels == 0] for f in logits[labels == 1]]
    return sum(1.0 if f > r else 0.5 if f == r else 0.0 for r, f in pairs) / len(pairs)


def slow_accuracy(labels: np.ndarray, logits: np.ndarray, of: set[int]) -> float:
    hits = [
        (1 / (1 + math.exp(-logit)) > 0.5) == bool(label)
        for label, logit in zip(labels, logits, strict=True)
        if label in of
    ]
    return sum(hits) / len(hits)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(10))
def test_metrics_equal_their_slow_versions(seed: int, ties: bool) -> None:
    labels, logits = random_scores(seed, ties)
    assert measure(labels, logits) == pytest.approx(
        {
            "ap": slow_average_precision(labels, logits),
            "accuracy": slow_accuracy(labels, logits, {0, 1}),
            "real_accuracy": slow_accuracy(labels, logits, {0}),
            "fake_accuracy": slow_accuracy(labels, logits, {1}),
            "auroc": slow_auroc(labels, logits),
        },
        abs=1e-12,
    )


def test_accuracy_is_scikit_learns() -> None:
    labels, logits = random_scores(0, ties=False)
    expected = sklearn.metrics.accuracy_score(labels, logits > 0)
    assert METRICS["accuracy"](labels, logits) == expected


def test_ranking_is_by_logit_where_float32_probabilities_tie() -> None:
    labels = np.array([0, 1, 0, 1], np.uint8)
    logits = np.array([20.0, 30.0, 25.0, 40.0])
    probabilities = (1 / (1 + np.exp(-logits.astype(np.float32)))).astype(np.float32)
    assert len(set(probabilities.tolist())) == 1
    assert measure(labels, logits)["ap"] == 1.0


@pytest.mark.parametrize("label", [0, 1])
def test_what_one_label_does_not_define_is_nan(label: int) -> None:
    figures = measure(np.full(3, label, np.uint8), np.array([-1.0, 1.0, 2.0]))
    defined = {name for name, value in figures.items() if not math.isnan(value)}
    assert defined == {"accuracy", "fake_accuracy" if label else "real_accuracy"}


def test_a_logit_of_zero_is_called_real() -> None:
    assert METRICS["accuracy"](np.array([0, 1], np.uint8), np.zeros(2)) == 0.5
    assert METRICS["real_accuracy"](np.array([0, 1], np.uint8), np.zeros(2)) == 1.0
