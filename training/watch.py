"""What is learned of the steps that have been taken: their loss, and whether to stop.

To ask is to wait for the device, and for the other processes. So it is done about once a second,
and not after each step; before anything is logged or saved it is done in any case.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

import torch

from data.samples import Samples
from training import run_folder
from training.state import Progress
from util import distributed
from util.errors import WorkError

SECONDS = 1.0  # between two looks, about: what a signal to stop may wait, besides one step
MAX_NAMED = 4  # files in an error about a batch


class Watch:
    """The steps that have been taken and not yet looked at."""

    def __init__(self, samples: Samples, folder: str, stop_signal: Callable[[], int]) -> None:
        self.samples, self.folder, self.stop_signal = samples, folder, stop_signal
        self.pending: list[tuple[list[torch.Tensor], list[int]]] = []
        self.most, self.looked_at = 1, time.perf_counter()

    def add(self, losses: list[torch.Tensor], indices: list[int]) -> bool:
        """Take note of a step: the loss of each part of its batch, on the device, and its images.
        Return whether it is time to look, which all processes agree on.
        """
        self.pending.append((losses, indices))
        return len(self.pending) >= self.most

    def look(self, progress: Progress) -> tuple[float, int]:
        """Add the losses, each the mean over all processes, to those of the epoch; return the last
        one, and the number of a signal to stop, or 0. All processes must call this.

        Raises WorkError, which names the batch's files, where a loss is NaN or infinite.
        """
        values = iter(torch.stack([part for parts, _ in self.pending for part in parts]).tolist())
        losses = []
        for number, (parts, indices) in enumerate(self.pending, start=-len(self.pending)):
            loss = 0.0
            for _ in parts:
                loss += next(values)
            self._stop_if_not_finite(loss, indices, progress.total_steps + number)
            losses.append(loss)
        seconds = (time.perf_counter() - self.looked_at) / len(losses)
        told = distributed.gather((losses, self.stop_signal(), seconds))
        for each in zip(*(losses for losses, _, _ in told), strict=True):
            mean = sum(each) / len(each)
            progress.loss_sum += mean
        slowest = max(seconds for _, _, seconds in told)
        self.most = max(1, int(SECONDS / slowest))
        self.pending, self.looked_at = [], time.perf_counter()
        return mean, max(signal for _, signal, _ in told)

    def _stop_if_not_finite(self, loss: float, indices: Sequence[int], steps: int) -> None:
        if not math.isfinite(loss):
            names = ", ".join(self.samples.path(index) for index in indices[:MAX_NAMED])
            more = len(indices) - MAX_NAMED
            raise WorkError(
                f"the loss is {loss} after {steps} steps, on {names}"
                f"{f' and {more} more' if more > 0 else ''}; {run_folder.last_good(self.folder)}."
                " Try a smaller --lr, or --precision fp32"
            )
