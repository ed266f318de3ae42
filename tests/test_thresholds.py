from __future__ import annotations

import dataclasses
import itertools
import json
import math
import pathlib

import numpy as np
import pytest

from evaluation.thresholds import (
    Calibration,
    best_threshold,
    calibrate,
    few_shot_accuracy,
    read_calibration,
    threshold_at_fpr,
    write_calibration,
)
from tests.tolerances import near
from util.errors import UsageError


def scores(seed: int, ties: bool = False, num: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = (rng.random(num) < rng.uniform(0.2, 0.8)).astype(np.uint8)
    labels[:2] = (0, 1)
    logits = rng.normal(2 * labels, 1.5)
    return labels, np.round(logits) if ties else logits


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(10))
def test_the_best_threshold_is_as_good_as_any(seed: int, ties: bool) -> None:
    labels, logits = scores(seed, ties)
    values = [-99.0, *(logits - 1e-6), *(logits + 1e-6), *logits]
    best = max(np.mean((logits > t) == labels) for t in values)
    assert np.mean((logits > best_threshold(labels, logits)) == labels) == best


def test_the_best_threshold_lies_halfway() -> None:
    assert best_threshold(np.array([0, 1]), np.array([1.0, 4.0])) == 2.5
    assert best_threshold(np.array([0, 0, 1]), np.array([1.0, 2.0, 4.0])) == 3.0


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("budget", [0.0, 0.01, 0.05, 0.29, 1.0])
def test_the_threshold_of_a_budget_is_the_lowest_that_keeps_it(budget: float, ties: bool) -> None:
    for seed in range(10):
        labels, logits = scores(seed, ties, num=200)
        reals = logits[labels == 0]
        threshold = threshold_at_fpr(labels, logits, budget)
        assert np.mean(reals > threshold) <= budget
        assert np.mean(reals > np.nextafter(threshold, -np.inf)) > budget or budget == 1.0


def test_a_budget_that_floating_point_rounds_down_is_used_up() -> None:
    assert 0.29 * 100 < 29
    threshold = threshold_at_fpr(np.zeros(100, np.uint8), np.arange(100.0), 0.29)
    assert sum(np.arange(100) > threshold) == 29


def test_the_unsure_band_keeps_both_error_rates() -> None:
    labels, logits = scores(0, num=2000)
    for target in (None, 0.1):
        rate = target or 0.05
        found = calibrate(labels, logits, target, calibrated_on="val")
        verdicts = np.array([found.verdict(x) for x in logits])
        assert 0 < np.mean(verdicts[labels == 0] == "fake") <= rate
        assert 0 < np.mean(verdicts[labels == 1] == "real") <= rate
        assert np.mean(verdicts == "unsure") > 0.1
        assert found.unsure_from <= found.threshold <= found.unsure_to
    assert found.threshold == found.unsure_to == threshold_at_fpr(labels, logits, 0.1)
    by_accuracy = calibrate(labels, logits, None, calibrated_on="val")
    assert by_accuracy.threshold == best_threshold(labels, logits)
    assert (by_accuracy.num_real, by_accuracy.num_fake) == (435, 1565)
    assert (by_accuracy.rule, found.rule) == ("accuracy", "fpr <= 0.1")


@pytest.mark.parametrize("target", [None, 0.05])
def test_where_nothing_overlaps_nothing_is_unsure(target: float | None) -> None:
    labels = np.repeat((0, 1), 50)
    found = calibrate(labels, labels * 10 + np.linspace(0, 1, 100), target, calibrated_on="val")
    assert found.unsure_from == found.threshold == found.unsure_to
    assert {found.verdict(x) for x in (-1.0, 20.0)} == {"real", "fake"}


def test_one_label_teaches_no_threshold() -> None:
    with pytest.raises(UsageError, match=r"--calibrate_on val: .* 2 real and 0 fake"):
        calibrate(np.zeros(2, np.uint8), np.arange(2.0), None, calibrated_on="val")


def test_two_shot_calibration_is_the_mean_over_all_pairs() -> None:
    """The draws approach what all pairs give, one by one, those two images left out."""
    labels, logits = scores(4, num=30)
    accuracies = []
    for real, fake in itertools.product(np.flatnonzero(labels == 0), np.flatnonzero(labels == 1)):
        others = np.delete(np.arange(30), (real, fake))
        ends = sorted((logits[real], logits[fake]))
        middle = sum(ends) / 2
        candidates = [ends[0] - 1e-9, middle, ends[1]]
        right = [int(logits[real] <= t) + int(logits[fake] > t) for t in candidates]
        best = [t for t, r in zip(candidates, right, strict=True) if r == max(right)]
        threshold = best[len(best) // 2]
        accuracies.append(np.mean((logits[others] > threshold) == labels[others]))
    expected, spread = np.mean(accuracies), np.std(accuracies) / np.sqrt(200)
    assert few_shot_accuracy(labels, logits, 1) == near(expected, 4 * spread, "of 200 draws")
    assert few_shot_accuracy(labels, logits, 1, seed=7) != few_shot_accuracy(labels, logits, 1)


def test_the_images_shown_are_left_out() -> None:
    """Of the four pairs, the two other images are right in 1, 0, 2 and 1 cases: half of them. With
    the shown ones counted it would be 0.69.
    """
    labels, logits = np.array([0, 0, 1, 1]), np.array([0.0, 10.0, 1.0, 11.0])
    assert few_shot_accuracy(labels, logits, 1) == near(0.5, 0.08, "of 200 draws")
    assert math.isnan(few_shot_accuracy(labels, logits, 2))  # none would be left


def test_few_shots_want_images_and_scores_that_differ() -> None:
    assert math.isnan(few_shot_accuracy(np.ones(5), np.arange(5.0), 1))
    assert math.isnan(few_shot_accuracy(np.array([0, 0, 1, 1, 1]), np.arange(5.0), 2))
    assert few_shot_accuracy(np.array([0, 0, 1, 1, 1]), np.arange(5.0), 1) > 0.5
    assert math.isnan(few_shot_accuracy(np.array([0, 0, 1, 1]), np.ones(4), 1))


def test_a_calibration_is_read_back(tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "threshold.json")
    for calibration in (
        Calibration(0.1, -1.0, 2.0, "accuracy", "val", 3, 4, "ab" * 32, 224),
        Calibration(1 / 3, 1 / 3, 1 / 3, "fpr <= 0.05", "p.csv", 3, 4),
    ):
        write_calibration(path, calibration)
        assert read_calibration(path) == calibration


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ("{", "not a threshold"),
        ("[]", "not a threshold"),
        ({"threshold": None}, "not a threshold"),
        ({"threshold": math.nan}, "does not hold"),
        ({"unsure_to": -9.0}, "does not hold"),
        ({"other": 1}, "other"),
    ],
)
def test_another_json_is_no_threshold(
    tmp_path: pathlib.Path, change: str | dict[str, float], word: str
) -> None:
    path = tmp_path / "t.json"
    fields = dataclasses.asdict(Calibration(0.1, -1.0, 2.0, "accuracy", "val", 3, 4))
    path.write_text(change if isinstance(change, str) else json.dumps({**fields, **change}))
    with pytest.raises(UsageError, match=word) as error:
        read_calibration(str(path))
    assert f"--threshold {path}" in str(error.value)


def test_no_threshold_file(tmp_path: pathlib.Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        read_calibration(str(tmp_path / "none.json"))
