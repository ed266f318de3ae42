"""Worker processes that read images, and how images become batches."""

from __future__ import annotations

import functools
import itertools
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader, Sampler
from tqdm import tqdm

from data.dataset import EvalImages, TrainImages, TrainItem
from data.images import UnreadableImage, image_size
from data.order import EpochBatches, batches_by_size
from data.samples import Samples
from util.errors import WORKER_KILLED, WorkError

Batch = tuple[torch.Tensor, torch.Tensor]


class TrainBatch(NamedTuple):
    """What one training step gets."""

    images: torch.Tensor  # (N, 3, crop, crop) uint8
    targets: torch.Tensor  # (N,) int64
    indices: list[int]  # which images these are
    unreadable: list[UnreadableImage]  # those that others stand in for


def raise_error(error: UnreadableImage) -> None:
    """What happens to an image that cannot be read, unless a caller knows better."""
    raise error


def train_reader(
    dataset: TrainImages, num_workers: int, pin_memory: bool
) -> Callable[[EpochBatches], Iterator[TrainBatch]]:
    """What yields an epoch's batches in order, by workers that live from one epoch to the next; it
    raises UnreadableImage where no other image can stand in.
    """
    read = _reader(dataset, num_workers, pin_memory, _stacked)

    def batches(plan: EpochBatches) -> Iterator[TrainBatch]:
        for batch in read(plan):
            if isinstance(batch, UnreadableImage):
                raise batch
            yield batch

    return batches


def eval_reader(
    dataset: EvalImages,
    batch_size: int,
    num_workers: int,
    pin_memory: bool,
    rank: int = 0,
    world_size: int = 1,
    on_error: Callable[[UnreadableImage], None] = raise_error,
    sizes: npt.NDArray[np.int64] | None = None,
    max_pixels: int | None = None,
) -> Callable[[], Iterator[Batch]]:
    """What yields this process's share, as often as it is called, by workers that live in between:
    numbers (N,), as EvalImages counts them, and images of one size (N, 3, H, W) uint8.

    Nothing is padded, or repeated to make shares equal. A batch holds at most `batch_size` images
    over all processes, and `max_pixels` pixels (None: any number), but at least one image. Whole
    images want their `sizes` (`image_sizes`): those of one size are read together, the largest
    first; all else comes in order. An image that cannot be read goes to `on_error`, and is left out
    where that returns.
    """
    own_size = max(batch_size // world_size, 1)
    most_images = max(own_size // len(dataset.variants), 1)  # each becomes that many
    most_pixels = max_pixels or sys.maxsize
    mine = np.arange(rank, len(dataset.samples.paths), world_size)
    if sizes is None:
        plan = [mine[i : i + most_images].tolist() for i in range(0, len(mine), most_images)]
    else:
        pixels_each = most_pixels // len(dataset.variants)
        plan = batches_by_size(mine, sizes[mine], most_images, pixels_each)
    together = functools.partial(_by_size, most_images=own_size, most_pixels=most_pixels)
    read = _reader(dataset, num_workers, pin_memory, together)

    def batches() -> Iterator[Batch]:
        for errors, found in read(plan):
            for error in errors:
                on_error(error)
            yield from found

    return batches


def image_sizes(samples: Samples, description: str) -> npt.NDArray[np.int64]:
    """(N, 2) heights and widths, from the files' headers; (0, 0) for a file that has none."""
    paths = [samples.path(index) for index in range(len(samples.paths))]
    with ThreadPoolExecutor(16) as pool:
        sizes = pool.map(image_size, paths)
        bar = tqdm(sizes, description, len(paths), leave=False, unit="header", delay=1)
        return np.array(list(bar), np.int64).reshape(-1, 2)


def _reader(
    dataset: Any,  # noqa: ANN401
    num_workers: int,
    pin_memory: bool,
    collate: Callable[[list[Any]], Any],
) -> Callable[[Iterable[list[Any]]], Iterator[Any]]:
    """What reads the batches of a plan (lists of keys), one plan after another, two batches ahead
    in each worker. The workers are started at the first, and end with what is returned.
    """
    plan = _Plan([])
    loader: DataLoader[Any] = DataLoader(
        dataset,
        batch_sampler=plan,
        num_workers=num_workers,
        persistent_workers=num_workers > 0,
        pin_memory=pin_memory,
        collate_fn=collate,
        worker_init_fn=_start_worker,
        generator=torch.Generator(),  # else torch's own is advanced, and a resumed run differs
    )

    def read(batches: Iterable[list[Any]]) -> Iterator[Any]:
        plan.batches = batches
        try:
            yield from loader
        except (ConnectionError, EOFError) as error:  # a worker was killed as it handed over
            if not num_workers or str(error).startswith("Caught"):  # raised in its own code
                raise
            raise WorkError(WORKER_KILLED) from error

    return read


class _Plan(Sampler[list[Any]]):
    """What torch's loader, which lives on, reads next."""

    def __init__(self, batches: Iterable[list[Any]]) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator[list[Any]]:
        return iter(self.batches)


def _stacked(items: list[TrainItem | UnreadableImage]) -> TrainBatch | UnreadableImage:
    for item in items:
        if isinstance(item, UnreadableImage):
            return item
    pixels, labels, indices, unreadable = zip(*items, strict=True)
    return TrainBatch(
        torch.stack(pixels),
        torch.tensor(labels),
        list(indices),
        list(itertools.chain.from_iterable(unreadable)),
    )


def _by_size(
    items: list[Any], most_images: int, most_pixels: int
) -> tuple[list[UnreadableImage], list[Batch]]:
    """Images differ in size, whole ones and rescaled ones: those of one size make batches."""
    errors = [item for item in items if isinstance(item, UnreadableImage)]
    groups: dict[torch.Size, list[tuple[int, torch.Tensor]]] = {}
    for item in items:
        for number, image in () if isinstance(item, UnreadableImage) else item:
            groups.setdefault(image.shape, []).append((number, image))
    batches = []
    for (_, height, width), group in groups.items():
        size = max(1, min(most_images, most_pixels // (height * width)))
        for part in (group[i : i + size] for i in range(0, len(group), size)):
            numbers = torch.tensor([number for number, _ in part])
            batches.append((numbers, torch.stack([image for _, image in part])))
    return errors, batches


def _start_worker(worker: int) -> None:
    for stop in (signal.SIGINT, signal.SIGTERM):  # sent to all; the main process is to answer
        signal.signal(stop, signal.SIG_IGN)
    cv2.setNumThreads(0)  # the workers are the parallelism; threads of their own only compete
