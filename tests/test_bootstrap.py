"""Intervals: each resample against scikit-learn, and whether they cover what they promise."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics

from evaluation.bootstrap import bootstrap, interval
from tests.tolerances import near


def two_gaussians(seed: int, num: int, distance: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.repeat((0, 1), num).astype(np.uint8)
    return labels, rng.normal(labels * distance)


@pytest.mark.parametrize("ties", [False, True])
def test_each_resample_has_scikit_learns_figures(ties: bool) -> None:
    """The draws are made again here from the documented order: reals, then fakes, by block."""
    labels, logits = two_gaussians(0, 30)
    labels, logits = labels[5:], np.round(logits[5:] * 2 if ties else logits[5:], 0 if ties else 9)
    figures = bootstrap(labels, logits, resamples=20, seed=3)
    rng = np.random.default_rng(3)
    chosen = {}
    for label in (0, 1):
        (images,) = np.nonzero(labels == label)
        chosen[label] = images[rng.integers(len(images), size=(20, len(images)))]
    for number in range(20):
        images = np.concatenate((chosen[0][number], chosen[1][number]))
        y, x = labels[images], logits[images]
        expected = {
            "ap": sklearn.metrics.average_precision_score(y, x),
            "auroc": sklearn.metrics.roc_auc_score(y, x),
            "accuracy": sklearn.metrics.accuracy_score(y, x > 0),
        }
        for name, value in expected.items():
            assert figures[name][number] == near(value, 1e-12, "another order of doubles"), name


def test_95_per_cent_intervals_contain_the_true_auroc_of_two_gaussians() -> None:
    true = scipy.stats.norm.cdf(1 / np.sqrt(2))
    hits = 0
    for seed in range(500):
        low, high = interval(
            bootstrap(*two_gaussians(seed, 100), resamples=1000, seed=seed)["auroc"]
        )
        hits += low <= true <= high
    assert 0.92 <= hits / 500 <= 0.98


def test_intervals_narrow_with_the_root_of_the_number_of_images() -> None:
    widths = []
    for num in (100, 1600):
        low, high = interval(bootstrap(*two_gaussians(1, num), resamples=1000)["ap"])
        widths.append(high - low)
    assert widths[0] / widths[1] == near(4, 1, "of 1000 resamples of 100 images")


def test_the_same_seed_draws_the_same_and_blocks_change_nothing_but_the_draws(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    labels, logits = two_gaussians(2, 50)
    first = bootstrap(labels, logits, resamples=100, seed=1)["ap"]
    np.testing.assert_array_equal(first, bootstrap(labels, logits, resamples=100, seed=1)["ap"])
    assert not np.array_equal(first, bootstrap(labels, logits, resamples=100, seed=2)["ap"])
    monkeypatch.setattr("evaluation.bootstrap._AT_ONCE", 1)  # one resample at a time
    small = bootstrap(labels, logits, resamples=100, seed=1)["ap"]
    assert small.shape == (100,)
    assert small.mean() == near(first.mean(), 0.02, "of 100 resamples")


def test_two_models_on_the_same_images_are_resampled_together() -> None:
    """A model that is another one shifted by a constant differs in no resample."""
    labels, logits = two_gaussians(3, 80)
    ours, theirs = (bootstrap(labels, x, resamples=200)["ap"] for x in (logits, logits + 5))
    assert ours == near(theirs, 1e-12, "another order of doubles")
    noisy = logits + np.random.default_rng(0).normal(size=160) * 0.3
    low, high = interval(ours - bootstrap(labels, noisy, resamples=200)["ap"])
    alone = interval(ours)
    assert high - low < (alone[1] - alone[0]) / 2  # what pairing is for


@pytest.mark.parametrize("logits", [np.zeros(4), np.array([-1.0, 1, 2, 3])])
def test_where_nothing_can_be_ranked_only_accuracy_is_resampled(logits: np.ndarray) -> None:
    labels = np.array([1, 1, 1, 1] if logits.any() else [0, 1, 0, 1], np.uint8)
    figures = bootstrap(labels, logits, resamples=100)
    assert list(figures) == ["accuracy"]
    if logits.any():
        assert 0.6 < figures["accuracy"].mean() < 0.9
    else:
        assert set(figures["accuracy"]) == {0.5}  # as many reals in each resample as in the set
    assert bootstrap(labels, logits, resamples=0) == {}
