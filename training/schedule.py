"""The learning-rate schedules: two from torch, and the reference's own."""

from __future__ import annotations

import math
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import OneCycleLR, ReduceLROnPlateau

MIN_IMPROVEMENT = 0.001  # of validation accuracy, Wang et al. 2020, section 4
MIN_RATE = 1e-6  # training ends below it; ibid.
REFERENCE_GAINS = (0.001, 0.002)  # improvement asked for at the first rate, and at later ones


def plateau(optimizer: Optimizer, bad_epochs: int) -> ReduceLROnPlateau:
    """Return the schedule of Wang et al. 2020, section 4.

    After `bad_epochs` epochs in a row that do not beat the best accuracy by 0.001, the rate drops
    tenfold. Call `step` with the validation accuracy, a fraction, after each epoch.
    """
    return ReduceLROnPlateau(
        optimizer,
        mode="max",
        factor=0.1,
        patience=bad_epochs - 1,  # torch counts those that pass without effect
        threshold=MIN_IMPROVEMENT,
        threshold_mode="abs",
    )


class ReferencePlateau:
    """The schedule of Wang et al.'s released code, which differs from the paper's description.

    An epoch is bad where its accuracy is less than the best plus 0.001, so that a gain of exactly
    0.001 counts; after each drop of the rate the best is forgotten, and a gain of 0.002 is asked
    for. Call `step` with the validation accuracy, a fraction, after each epoch.
    """

    def __init__(self, optimizer: Optimizer, bad_epochs: int) -> None:
        self.optimizer, self.bad_epochs = optimizer, bad_epochs
        self.best: float | None = None  # at the present rate
        self.num_bad = self.num_drops = 0

    def step(self, accuracy: float) -> None:
        """Record an epoch's accuracy; the last of `bad_epochs` bad ones drops the rate."""
        gain = REFERENCE_GAINS[min(self.num_drops, 1)]
        if self.best is None or accuracy >= self.best + gain:
            self.best, self.num_bad = accuracy, 0
            return
        self.num_bad += 1
        if self.num_bad >= self.bad_epochs:
            self.best, self.num_bad, self.num_drops = None, 0, self.num_drops + 1
            for group in self.optimizer.param_groups:
                group["lr"] /= 10

    def state_dict(self) -> dict[str, Any]:
        """Return the state for `load_state_dict`; the rates are in the optimizer's own."""
        return {"best": self.best, "num_bad": self.num_bad, "num_drops": self.num_drops}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state that `state_dict` returned."""
        self.best, self.num_bad = state["best"], state["num_bad"]
        self.num_drops = state["num_drops"]


def plateau_ended(optimizer: Optimizer) -> bool:
    """Return whether the rate is below 1e-6, where training by either plateau schedule ends."""
    rate: float = optimizer.param_groups[0]["lr"]
    return rate < MIN_RATE and not math.isclose(rate, MIN_RATE)  # 1e-4 x 0.1 x 0.1 is not exact


def one_cycle(optimizer: Optimizer, total_steps: int) -> OneCycleLR:
    """Return the one-cycle schedule of Smith and Topin 2017.

    The rate rises to the optimizer's over three tenths of `total_steps`, then falls to nearly
    zero; momentum stays as it is. Call `step` after each optimizer step.
    """
    peaks = [group["lr"] for group in optimizer.param_groups]
    return OneCycleLR(optimizer, peaks, total_steps=total_steps, cycle_momentum=False)
