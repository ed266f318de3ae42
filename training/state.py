"""All state that a run resumes from, in one place.

The order of the images and their pixels follow from (seed, epoch, index), so they need no state.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR
from torch.optim.swa_utils import AveragedModel

from data.contents import ContentRecord
from util.errors import UsageError


@dataclasses.dataclass
class Progress:
    """How far a run has come."""

    epoch: int = 0  # finished epochs
    step: int = 0  # steps taken in the current epoch
    total_steps: int = 0
    loss_sum: float = 0.0  # over the steps of the current epoch
    seconds: float = 0.0  # spent on the current epoch
    best_accuracy: float = -1.0
    unreadable: list[str] = dataclasses.field(default_factory=list)  # training images, so far
    history: list[dict[str, Any]] = dataclasses.field(default_factory=list)  # a row per epoch
    part: dict[str, Any] | None = None  # row of an epoch that --max_steps cut short

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows of history.csv."""
        return [*self.history, self.part] if self.part else self.history


@dataclasses.dataclass
class TrainingState:
    """Everything that changes while training."""

    network: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: Any  # one of training/schedule.py
    scaler: torch.amp.GradScaler
    average: AveragedModel | None  # moving average of the weights (--ema)
    kind: dict[str, Any]  # the network's arch and crop size, which eval.py reads
    made_from: dict[str, Any] = dataclasses.field(default_factory=dict)  # training/resume.py
    progress: Progress = dataclasses.field(default_factory=Progress)
    trained_on: ContentRecord = dataclasses.field(default_factory=ContentRecord)

    def in_use(self) -> nn.Module:
        """Return the network to validate and to use: the averaged one, where there is one."""
        return self.average.module if self.average else self.network

    def is_plateau(self) -> bool:
        """Return whether the rate follows the validation accuracy, epoch by epoch.

        Such a run can be given more steps later; a one-cycle run has the steps it was made for.
        """
        return not isinstance(self.schedule, OneCycleLR)

    def checkpoint(self) -> dict[str, Any]:
        """Return plain values and tensors from which `resume` goes on with the same bits.

        "model" is the network in use (`in_use`).
        """
        return {
            **self.kind,
            "model": self.in_use().state_dict(),
            "trained": self.network.state_dict() if self.average else None,
            "num_averaged": int(self.average.n_averaged) if self.average else 0,
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "scaler": self.scaler.state_dict(),
            "random_state": torch.get_rng_state(),
            "device_random_state": self.device_random_state(),
            "progress": dataclasses.asdict(self.progress),
            "total_steps": self.progress.total_steps,
            "made_from": self.made_from,
            "trained_on": self.trained_on.state(),
        }

    def device_random_state(self) -> torch.Tensor | None:
        """Return the state of the accelerator's random generator; None on a CPU."""
        device = next(self.network.parameters()).device
        if device.type == "cpu":
            return None
        state: torch.Tensor = torch.get_device_module(device).get_rng_state()
        return state

    def resume(self, checkpoint: dict[str, Any], path: str) -> None:
        """Restore everything from a `checkpoint` that was read from `path`.

        Raises UsageError where it does not fit this run.
        """
        try:
            self._take(checkpoint)
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            first = str(error).strip().partition("\n")[0]
            raise UsageError(
                f"{path}: is no checkpoint that this run can go on from ({type(error).__name__}:"
                f" {first}); to start from its weights, give them to --init under another --name"
            ) from error

    def _take(self, checkpoint: dict[str, Any]) -> None:
        self.in_use().load_state_dict(checkpoint["model"])
        if self.average:
            self.network.load_state_dict(checkpoint["trained"])
            self.average.n_averaged.fill_(checkpoint["num_averaged"])
        self.optimizer.load_state_dict(checkpoint["optimizer"])
        self.schedule.load_state_dict(checkpoint["schedule"])
        self.scaler.load_state_dict(checkpoint["scaler"])
        torch.set_rng_state(checkpoint["random_state"])
        device = next(self.network.parameters()).device
        state = checkpoint.get("device_random_state")
        if device.type != "cpu" and state is not None:
            torch.get_device_module(device).set_rng_state(state)
        self.progress = Progress(**checkpoint["progress"])
        self.trained_on = ContentRecord(checkpoint.get("trained_on"))
