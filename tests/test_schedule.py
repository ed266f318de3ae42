"""The plateau against a loop written from the paper's words, the cycle against its shape."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from training.schedule import one_cycle, plateau, plateau_ended


def optimizer(rate: float) -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate)


def rates(accuracies: list[float], patience: int, start: float = 1e-4) -> list[float]:
    """The rate of each epoch until training ends."""
    sgd = optimizer(start)
    schedule = plateau(sgd, patience)
    result = []
    for accuracy in accuracies:
        result.append(sgd.param_groups[0]["lr"])
        schedule.step(accuracy)
        if plateau_ended(sgd):
            break
    return result


def slow_rates(accuracies: list[float], patience: int) -> list[float]:
    best, bad, drops, result = -1.0, 0, 0, []
    for accuracy in accuracies:
        result.append(1e-4 / 10**drops)
        if accuracy > best + 0.001:
            best, bad = accuracy, 0
        else:
            bad += 1
        if bad == patience:
            drops, bad = drops + 1, 0
        if drops == 3:  # 1e-4, 1e-5, 1e-6 were trained at
            break
    return result


@pytest.mark.parametrize("patience", [1, 3, 5])
@pytest.mark.parametrize("seed", range(5))
def test_plateau_follows_the_papers_words(patience: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    accuracies = np.round(0.9 + 0.05 * np.cumsum(rng.normal(size=60) * 0.05), 4).tolist()
    assert rates(accuracies, patience) == pytest.approx(slow_rates(accuracies, patience))


def test_plateau_ends_after_three_rates_without_progress() -> None:
    seen = rates([0.9] * 100, patience=5)
    assert len(seen) == 1 + 3 * 5
    assert sorted({round(rate, 9) for rate in seen}) == [1e-6, 1e-5, 1e-4]


def test_progress_below_a_thousandth_counts_as_none_and_the_best_outlives_a_drop() -> None:
    seen = rates([0.9, 0.9009, 0.9009, 0.9005, 0.9012, 0.9], patience=2)
    assert seen == pytest.approx([1e-4, 1e-4, 1e-4, 1e-5, 1e-5, 1e-5])


def test_one_cycle_rises_to_the_peak_and_falls_to_nothing() -> None:
    sgd = optimizer(0.05)
    sgd.step()
    schedule = one_cycle(sgd, total_steps=100)
    seen = []
    for _ in range(100):
        seen.append(sgd.param_groups[0]["lr"])
        sgd.step()
        schedule.step() if len(seen) < 100 else None
    assert max(seen) == pytest.approx(0.05)
    assert 25 <= seen.index(max(seen)) <= 32
    assert seen[0] < 0.003
    assert seen[-1] < 1e-5
