"""Worker processes that read images, and how images become batches."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader, default_collate

from data.dataset import EvalImages, TrainImages
from data.images import UnreadableImage
from data.order import EpochBatches

Batch = tuple[torch.Tensor, torch.Tensor]


def raise_error(error: UnreadableImage) -> None:
    """What happens to an image that cannot be read, unless a caller knows better."""
    raise error


def train_batches(
    dataset: TrainImages, batches: EpochBatches, num_workers: int, pin_memory: bool
) -> Iterator[Batch]:
    """Yield images (N, 3, crop, crop) uint8 and labels (N,) int64; raise UnreadableImage."""
    for errors, batch in _read(
        dataset, num_workers, pin_memory, batch_sampler=batches, collate_fn=_stacked
    ):
        for error in errors:
            raise error
        yield batch


def eval_batches(
    dataset: EvalImages,
    batch_size: int,
    num_workers: int,
    pin_memory: bool,
    rank: int = 0,
    world_size: int = 1,
    on_error: Callable[[UnreadableImage], None] = raise_error,
) -> Iterator[Batch]:
    """Yield this process's share, in order: indices (N,) and images of one size (N, 3, H, W)
    uint8. Nothing is padded or repeated to make shares equal. An image that cannot be read goes
    to `on_error`, and is left out where that returns.
    """
    for errors, batches in _read(
        dataset,
        num_workers,
        pin_memory,
        sampler=range(rank, len(dataset.samples.paths), world_size),
        batch_size=max(batch_size // world_size, 1),
        collate_fn=_by_size,
    ):
        for error in errors:
            on_error(error)
        yield from batches


def _read(dataset: Any, num_workers: int, pin_memory: bool, **batching: Any) -> DataLoader[Any]:  # noqa: ANN401
    return DataLoader(
        dataset,
        num_workers=num_workers,
        pin_memory=pin_memory,
        worker_init_fn=_start_worker,
        generator=torch.Generator(),  # else torch's own is advanced, and a resumed run differs
        **batching,
    )


def _stacked(items: list[Any]) -> tuple[list[UnreadableImage], Batch | None]:
    errors, images = _apart(items)
    return errors, None if errors else default_collate(images)


def _by_size(items: list[Any]) -> tuple[list[UnreadableImage], list[Batch]]:
    """Whole images differ in size: those of one size make one batch, none is padded."""
    errors, images = _apart(items)
    groups: dict[torch.Size, list[tuple[int, torch.Tensor]]] = {}
    for item in images:
        groups.setdefault(item[1].shape, []).append(item)
    return errors, [
        (torch.tensor([index for index, _ in group]), torch.stack([image for _, image in group]))
        for group in groups.values()
    ]


def _apart(items: list[Any]) -> tuple[list[UnreadableImage], list[Any]]:
    errors = [item for item in items if isinstance(item, UnreadableImage)]
    return errors, [item for item in items if not isinstance(item, UnreadableImage)]


def _start_worker(worker: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the main process's to answer
    cv2.setNumThreads(0)  # the workers are the parallelism; threads of their own only compete
