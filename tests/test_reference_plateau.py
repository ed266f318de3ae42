"""--schedule reference_plateau against a loop that spells out the reference's early stopping."""

from __future__ import annotations

import pathlib

import numpy as np
import pytest
import torch

from tests.toy_runs import assert_same_run, load, run_training
from training import schedule


def optimizer(rate: float) -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate)


def rates(accuracies: list[float], patience: int) -> list[float]:
    """The rate of each epoch until training ends; taken up anew from its state at every epoch."""
    sgd = optimizer(1e-4)
    rule = schedule.ReferencePlateau(sgd, patience)
    result = []
    for accuracy in accuracies:
        result.append(sgd.param_groups[0]["lr"])
        rule.step(accuracy)
        again = schedule.ReferencePlateau(sgd, patience)
        again.load_state_dict(rule.state_dict())
        rule = again
        if schedule.plateau_ended(sgd):
            break
    return result


def slow_rates(accuracies: list[float], patience: int) -> list[float]:
    """Wang et al.'s released loop: an early stopper per rate, which asks for 0.001 more than its
    best at the first rate and for 0.002 at all others, and has no best when it begins.
    """
    rest, result = list(accuracies), []
    for rate, gain in ((1e-4, 0.001), (1e-5, 0.002), (1e-6, 0.002)):
        best, waited = None, 0
        while rest and waited < patience:
            accuracy = rest.pop(0)
            result.append(rate)
            if best is None or not accuracy < best + gain:
                best, waited = accuracy, 0
            else:
                waited += 1
    return result


@pytest.mark.parametrize("patience", [1, 3, 5])
@pytest.mark.parametrize("seed", range(6))
def test_the_rule_is_that_of_the_slow_loop(patience: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    steps = rng.normal(size=80) * 0.004
    accuracies = np.round(0.9 + 0.5 * np.cumsum(steps), 3).tolist()  # many gains of 1 or 2 in 1000
    assert rates(accuracies, patience) == pytest.approx(slow_rates(accuracies, patience))


def test_a_gain_of_a_thousandth_counts_and_a_new_phase_forgets_its_best() -> None:
    accuracies = [0.5, 0.501, 0.502, 0.502, 0.3, 0.301, 0.303, 0.303, 0.303]
    expected = [1e-4] * 5 + [1e-5] * 2
    # At 1e-4 two gains of 0.001 count; 0.502 again and 0.3 are bad. At 1e-5 the best is 0.301, as
    # nothing is known of 0.502; 0.303 is 0.002 more and counts.
    assert rates(accuracies, 2)[:7] == pytest.approx(expected)
    assert rates(accuracies, 2) == pytest.approx(slow_rates(accuracies, 2))


def test_a_run_with_it_resumes_to_the_bit(toy: pathlib.Path, tmp_path: pathlib.Path) -> None:
    flags = ("--schedule", "reference_plateau", "--earlystop_epoch", 1)
    whole = run_training(toy, tmp_path / "whole", *flags, "--niter", 4)
    for niter in (1, 2, 3, 4):
        parts = run_training(toy, tmp_path / "parts", *flags, "--niter", niter, "--continue_train")
    assert_same_run(whole, parts)
    assert load(whole)["optimizer"]["param_groups"][0]["lr"] < 1e-4
