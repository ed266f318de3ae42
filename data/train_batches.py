"""The batches of training, as an epoch's plan has them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch

from data.dataset import TrainImages, TrainItem
from data.images import UnreadableImage
from data.order import EpochBatches
from data.workers import batch_reader


class TrainBatch(NamedTuple):
    """The batch of one training step."""

    images: torch.Tensor  # (N, 3, crop, crop) uint8
    targets: torch.Tensor  # (N,) int64
    indices: list[int]  # of the images, in the samples
    contents: list[str]  # `content_hash` of each file
    unreadable: list[UnreadableImage]  # the images that others replace


def train_reader(
    dataset: TrainImages, num_workers: int, pin_memory: bool
) -> Callable[[EpochBatches], Iterator[TrainBatch]]:
    """Return a callable that iterates over the batches of an epoch's plan, in order.

    Workers stay alive between calls. The iterator raises UnreadableImage where an image is
    unreadable and so are its replacements.
    """
    read = batch_reader(dataset, _collate, num_workers=num_workers, pin_memory=pin_memory)

    def batches(plan: EpochBatches) -> Iterator[TrainBatch]:
        for batch in read(plan):
            if isinstance(batch, UnreadableImage):
                raise batch
            yield batch

    return batches


def _collate(items: list[TrainItem | UnreadableImage]) -> TrainBatch | UnreadableImage:
    """Stack the items into a batch, or return the error of the first unreadable one."""
    for item in items:
        if isinstance(item, UnreadableImage):
            return item
    pixels, labels, indices, contents, unreadable = zip(*items, strict=True)
    return TrainBatch(
        torch.stack(pixels),
        torch.tensor(labels),
        list(indices),
        list(contents),
        list(itertools.chain.from_iterable(unreadable)),
    )
