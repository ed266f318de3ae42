"""Each metric against a slow, obvious version of it."""

from __future__ import annotations

import fractions
import itertools
import math

import numpy as np
import pytest
import scipy.optimize
import sklearn.metrics

from evaluation.metrics import METRICS, measure, tpr_at_fpr, unranked
from tests.tolerances import near


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


def thresholds(logits: np.ndarray) -> list[float]:
    """Every way to split the scores: between two neighbours, and outside all."""
    values = sorted(set(logits.tolist()))
    return [values[0] - 1, *((a + b) / 2 for a, b in itertools.pairwise(values)), values[-1] + 1]


def slow_tpr_at_fpr(labels: np.ndarray, logits: np.ndarray, budget: float) -> float:
    rates = [
        (np.mean(logits[labels == 0] > t), np.mean(logits[labels == 1] > t))
        for t in thresholds(logits)
    ]
    return max(tpr for fpr, tpr in rates if fpr <= budget)


def slow_equal_error_rate(labels: np.ndarray, logits: np.ndarray) -> float:
    """The root of FPR - FNR along the straight pieces of scikit-learn's ROC curve."""
    fpr, tpr, _ = sklearn.metrics.roc_curve(labels, logits)
    position = np.arange(len(fpr))

    def difference(at: float) -> float:
        return float(np.interp(at, position, fpr) - (1 - np.interp(at, position, tpr)))

    return float(np.interp(scipy.optimize.brentq(difference, 0, len(fpr) - 1), position, fpr))


def slow_calibration_error(labels: np.ndarray, logits: np.ndarray) -> float:
    probabilities = 1 / (1 + np.exp(-logits))
    error = 0.0
    for number in range(15):
        edges = (number / 15, (number + 1) / 15 if number < 14 else 1.1)
        inside = (probabilities >= edges[0]) & (probabilities < edges[1])
        if inside.any():
            gap = abs(probabilities[inside].mean() - labels[inside].mean())
            error += inside.mean() * gap
    return error


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(10))
def test_metrics_equal_their_slow_versions(seed: int, ties: bool) -> None:
    labels, logits = random_scores(seed, ties)
    best = max(sklearn.metrics.accuracy_score(labels, logits > t) for t in thresholds(logits))
    expected = {
        "ap": slow_average_precision(labels, logits),
        "accuracy": slow_accuracy(labels, logits, {0, 1}),
        "real_accuracy": slow_accuracy(labels, logits, {0}),
        "fake_accuracy": slow_accuracy(labels, logits, {1}),
        "auroc": slow_auroc(labels, logits),
        "balanced_accuracy": sklearn.metrics.balanced_accuracy_score(labels, logits > 0),
        "tpr_at_fpr_1": slow_tpr_at_fpr(labels, logits, 0.01),
        "tpr_at_fpr_5": slow_tpr_at_fpr(labels, logits, 0.05),
        "tpr_at_fpr_10": slow_tpr_at_fpr(labels, logits, 0.10),
        "equal_error_rate": slow_equal_error_rate(labels, logits),
        "brier": sklearn.metrics.brier_score_loss(labels, 1 / (1 + np.exp(-logits))),
        "expected_calibration_error": slow_calibration_error(labels, logits),
        "oracle_accuracy": best,
    }
    assert measure(labels, logits) == near(expected, 1e-10, "another order of doubles")


@pytest.mark.parametrize("num_real", [10, 20, 99, 100, 300])
@pytest.mark.parametrize("budget", [0.01, 0.05, 0.1])
def test_the_false_positive_budget_is_used_up_but_never_exceeded(
    num_real: int, budget: float
) -> None:
    """Reals score 0, 1, 2, ...; a fake lies just above each, so that TPR tells FPR."""
    logits = np.concatenate((np.arange(num_real), np.arange(num_real) + 0.5))
    labels = np.repeat((0, 1), num_real).astype(np.uint8)
    allowed = math.floor(fractions.Fraction(str(budget)) * num_real)  # false positives
    expected = (allowed + 1) / num_real  # the fakes above the highest real that must not be called
    assert tpr_at_fpr(labels, logits, budget) == pytest.approx(expected)


def test_accuracy_is_scikit_learns() -> None:
    labels, logits = random_scores(0, ties=False)
    expected = sklearn.metrics.accuracy_score(labels, logits > 0)
    assert METRICS["accuracy"](labels, logits) == expected


def test_a_probability_of_one_is_in_the_last_bin() -> None:
    labels, logits = np.array([1, 1, 0, 0]), np.array([40.0, 3.5, 3.5, -40.0])
    expected = slow_calibration_error(labels, logits)
    assert METRICS["expected_calibration_error"](labels, logits) == pytest.approx(expected)


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
    of_one = {"fake_accuracy"} if label else {"real_accuracy"}
    assert defined == {"accuracy", "brier", "expected_calibration_error"} | of_one
    assert unranked(np.full(3, label), np.arange(3.0)) == (
        "holds fake images only" if label else "holds real images only"
    )


def test_equal_scores_rank_nothing() -> None:
    """Scikit-learn would answer the share of fakes (AP) and 0.5 (AUROC)."""
    labels, logits = np.array([0, 1, 1], np.uint8), np.full(3, 0.7)
    figures = measure(labels, logits)
    undefined = {name for name, value in figures.items() if math.isnan(value)}
    ranking = {name for name in METRICS if name.startswith("tpr")}
    assert undefined == ranking | {"ap", "auroc", "equal_error_rate", "oracle_accuracy"}
    assert figures["accuracy"] == pytest.approx(2 / 3)
    assert "same score" in unranked(labels, logits)
    assert unranked(labels, np.array([0.0, 0.0, 1.0])) == ""


def test_a_logit_of_zero_is_called_real() -> None:
    assert METRICS["accuracy"](np.array([0, 1], np.uint8), np.zeros(2)) == 0.5
    assert METRICS["real_accuracy"](np.array([0, 1], np.uint8), np.zeros(2)) == 1.0
