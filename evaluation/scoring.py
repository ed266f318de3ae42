"""From image files to logits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from data.augment import Transform
from data.dataset import EvalImages, Seen
from data.eval_batches import EvalSet, Indices, Part, eval_reader
from data.images import UnreadableImage
from data.samples import Samples
from evaluation.predict import Predicted, predict
from evaluation.protocol import ScoringProtocol
from networks.detector import Detector
from util import distributed
from util.progress import Progress, pace


class Reading(NamedTuple):
    """How images are read and batched, which changes no logit."""

    batch_size: int = 64  # over all processes together
    max_batch_pixels: int = 1 << 22  # of whole images
    num_workers: int = 0


class Task(NamedTuple):
    """Images that the same detectors score, each degraded in the same ways."""

    detectors: Sequence[Detector]
    protocol: ScoringProtocol
    samples: Samples
    degradations: Sequence[Sequence[Transform]] = ((),)


class Pace(NamedTuple):
    """How fast images were scored."""

    scores: int  # images times variants that are new, times the detectors that scored them
    seconds: float
    waited: float  # of these, for images to be read

    def __str__(self) -> str:
        """Return it in words."""
        return pace("scores", self.scores, seconds=self.seconds, waited=self.waited)


def slices(indices: Indices, size: int) -> list[Indices]:
    """Return the indices, in parts of at most `size` images."""
    return [indices[start : start + size] for start in range(0, len(indices), size)]


def score_parts(
    tasks: Sequence[Task],
    parts: Sequence[Part],
    reading: Reading,
    *,
    bar: Progress,
    on_error: Callable[[UnreadableImage], None],
    on_read: Callable[[int, Seen], None] | None = None,
) -> Iterator[list[Predicted]]:
    """Score some images of some tasks, part by part; yield for each part a result per detector.

    An image is read and transformed once for all its detectors. Degradation d of image i has the
    number i * len(degradations) + d in a result. While one part is scored, and its result is put to
    use, worker processes read the next one, of whatever task. An image that cannot be read goes to
    `on_error`, and of one that can `on_read` is told, each in the process that met it. Every
    process must call it, and gets all results.
    """
    crops_of = [
        [crop for steps in task.degradations for crop in task.protocol.transforms(steps)]
        for task in tasks
    ]
    read = eval_reader(
        [_set(task, crops, reading) for task, crops in zip(tasks, crops_of, strict=True)],
        batch_size=reading.batch_size,
        num_workers=reading.num_workers,
        pin_memory=any(each.device.type == "cuda" for task in tasks for each in task.detectors),
        rank=distributed.rank(),
        world_size=distributed.world_size(),
        on_error=on_error,
        on_read=on_read,
    )
    for (number, _), batches in zip(parts, read(parts), strict=True):
        task, count = tasks[number], len(tasks[number].samples.labels) * len(crops_of[number])
        every = predict(task.detectors, batches, num_images=count, bar=bar)
        yield [predicted.mean_of_every(task.protocol.crops) for predicted in every]


def _set(task: Task, crops: list[list[Transform]], reading: Reading) -> EvalSet:
    is_whole = task.protocol.crop_size is None
    cost = max(detector.input.cost for detector in task.detectors)
    return EvalSet(
        EvalImages(task.samples, crops, max_pixels=task.protocol.max_pixels),
        by_size=is_whole,
        max_pixels=reading.max_batch_pixels // cost if is_whole or cost > 1 else None,
    )
