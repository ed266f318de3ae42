"""The two learning-rate schedules, from torch."""

from __future__ import annotations

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import OneCycleLR, ReduceLROnPlateau

MIN_IMPROVEMENT = 0.001  # of validation accuracy, Wang et al. 2020, section 4
MIN_RATE = 1e-6  # training ends below it, ibid.


def plateau(optimizer: Optimizer, bad_epochs: int) -> ReduceLROnPlateau:
    """Wang et al. 2020: after `bad_epochs` epochs none of which beats the best accuracy by 0.001,
    a tenth of the rate. Step it with the validation accuracy (a fraction) after each epoch.
    """
    return ReduceLROnPlateau(
        optimizer,
        mode="max",
        factor=0.1,
        patience=bad_epochs - 1,  # torch's patience is how many may pass without effect
        threshold=MIN_IMPROVEMENT,
        threshold_mode="abs",
    )


def plateau_ended(optimizer: Optimizer) -> bool:
    """Whether the rate has fallen below 1e-6, where the paper's training ends."""
    rate: float = optimizer.param_groups[0]["lr"]
    return rate < MIN_RATE and not math.isclose(rate, MIN_RATE)  # 1e-4 x 0.1 x 0.1 is not exact


def one_cycle(optimizer: Optimizer, total_steps: int) -> OneCycleLR:
    """Smith and Topin 2017: up to the rate that the optimiser has, over three tenths of the steps,
    then down to nearly zero.

    Momentum stays as it is. Step it after each optimiser step.
    """
    peaks = [group["lr"] for group in optimizer.param_groups]
    return OneCycleLR(optimizer, peaks, total_steps=total_steps, cycle_momentum=False)
