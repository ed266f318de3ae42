"""Detectors and batches of images -> one logit per image and detector."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from networks.detector import Detector
from util import distributed
from util.errors import WorkError
from util.progress import Progress

MAX_NAMED = 3  # images in an error


class Predicted(NamedTuple):
    """The logits of images 0..N-1. That none came for an image, and that one came and is no
    number, are two things.
    """

    logits: npt.NDArray[np.float32]  # (N,), to be read only where one came
    came: npt.NDArray[np.bool_]  # (N,)
    seconds: float = 0.0  # that the network took, over all processes
    waited: float = 0.0  # seconds that it waited for images, likewise

    def finite(self) -> npt.NDArray[np.bool_]:
        """Return (N,): whether a logit came that is a finite number."""
        return self.came & np.isfinite(self.logits)

    def mean_of_every(self, count: int) -> Predicted:
        """Return the mean over each `count` logits in a row, where all of them came."""
        if count == 1:
            return self
        logits, came = self.logits.reshape(-1, count), self.came.reshape(-1, count)
        every = np.asarray(came.all(axis=1))
        mean = logits.mean(axis=1, dtype=np.float64).astype(np.float32)
        return self._replace(logits=mean, came=every)

    def require_finite(self, name: Callable[[int], str], precision: str) -> None:
        """Raise WorkError where a logit came that is not finite; `name` names an image."""
        (wrong,) = np.nonzero(self.came & ~np.isfinite(self.logits))
        if not len(wrong):
            return
        shown = ", ".join(name(int(index)) for index in wrong[:MAX_NAMED])
        more = f" and {len(wrong) - MAX_NAMED} more" if len(wrong) > MAX_NAMED else ""
        cause = "the weights may be damaged" if precision == "fp32" else "try --precision fp32"
        raise WorkError(
            f"{len(wrong)} of {int(self.came.sum())} logits are not finite numbers in {precision}:"
            f" {shown}{more}; {cause}"
        )


def progress_bar(num_images: int, description: str) -> Progress:
    """Return what counts this process's share of the images."""
    share = math.ceil(num_images / distributed.world_size())
    return Progress(share, description, unit="image")


def predict(
    detectors: Sequence[Detector],
    batches: Iterable[tuple[torch.Tensor, torch.Tensor]],
    *,
    num_images: int,
    bar: Progress,
) -> list[Predicted]:
    """Score images 0..num_images-1 with each detector, however many processes share them.

    `batches` yields this process's share: numbers (N,) and images (N, 3, H, W) uint8. Every process
    gets all the logits; where reading a batch fails in one, its error is raised in all. `bar`
    counts the images (`progress_bar`).
    """
    numbers: list[npt.NDArray[np.int64]] = []
    scores: list[list[npt.NDArray[np.float32]]] = []
    seconds, started = [0.0] * len(detectors), time.perf_counter()
    failure: Exception | None = None
    try:
        for number, images in batches:
            numbers.append(number.numpy())
            its_scores = []
            for place, detector in enumerate(detectors):
                begun = time.perf_counter()
                its_scores.append(detector.logits(images).cpu().numpy())
                seconds[place] += time.perf_counter() - begun
            scores.append(its_scores)
            bar.update(len(number))
    except Exception as error:  # the other processes wait for this one below
        failure = error
    waited = time.perf_counter() - started - sum(seconds)
    gathered = distributed.gather((numbers, scores, seconds, waited, failure))
    waited = sum(part[3] for part in gathered)
    results = [
        Predicted(np.zeros(num_images, np.float32), np.zeros(num_images, bool), sum(spent), waited)
        for spent in zip(*(part[2] for part in gathered), strict=True)
    ]
    for all_numbers, all_scores, _, _, its_failure in gathered:
        if its_failure is not None:
            raise its_failure
        for number_array, by_detector in zip(all_numbers, all_scores, strict=True):
            for result, score_array in zip(results, by_detector, strict=True):
                result.logits[number_array] = score_array
                result.came[number_array] = True
    return results
