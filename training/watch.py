"""Collect the losses of training steps, and learn whether to stop, about once a second.

Reading a loss waits for the device, and comparing it for the other processes: too slow for each
step. Before anything is logged or saved it is done in any case.
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

SECONDS = 1.0  # about, between two looks: a signal to stop waits at most that and one step
MAX_NAMED = 4  # files named in an error about a batch


class Watch:
    """Steps whose losses have not been read yet, and how many there may be."""

    def __init__(self, samples: Samples, folder: str, stop_signal: Callable[[], int]) -> None:
        self.samples, self.folder, self.stop_signal = samples, folder, stop_signal
        self.pending: list[tuple[list[torch.Tensor], list[int]]] = []
        self.most, self.looked_at = 1, time.perf_counter()

    def add(self, losses: list[torch.Tensor], indices: list[int]) -> bool:
        """Record a step: the losses of its batch's parts, on the device, and its image indices.

        Returns whether to call `look` now, which is the same in all processes.
        """
        self.pending.append((losses, indices))
        return len(self.pending) >= self.most

    def look(self, progress: Progress) -> tuple[float, int]:
        """Read the recorded losses and add their means over all processes to `progress.loss_sum`.

        Returns the last step's mean loss, and the number of a signal to stop, or 0. All processes
        must call this. Raises WorkError that names the batch's files where a loss is not finite.
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
        gathered = distributed.gather((losses, self.stop_signal(), seconds))
        for each in zip(*(losses for losses, _, _ in gathered), strict=True):
            mean = sum(each) / len(each)
            progress.loss_sum += mean
        slowest = max(seconds for _, _, seconds in gathered)
        self.most = max(1, int(SECONDS / slowest))
        self.pending, self.looked_at = [], time.perf_counter()
        return mean, max(signal for _, signal, _ in gathered)

    def _stop_if_not_finite(self, loss: float, indices: Sequence[int], steps: int) -> None:
        if not math.isfinite(loss):
            names = ", ".join(self.samples.path(index) for index in indices[:MAX_NAMED])
            more = len(indices) - MAX_NAMED
            raise WorkError(
                f"the loss is {loss} after {steps} steps, on {names}"
                f"{f' and {more} more' if more > 0 else ''}; {run_folder.last_good(self.folder)}."
                " Try a smaller --lr, or --precision fp32"
            )
