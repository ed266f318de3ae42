"""Worker processes that read images, and how images become batches."""

from __future__ import annotations

import atexit
import functools
import gc
import itertools
import multiprocessing
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

from data.dataset import EvalImages, EvalItem, Seen, TrainImages, TrainItem
from data.images import UnreadableImage, image_size
from data.order import EpochBatches, batches_by_size
from data.samples import Samples
from util.errors import WORKER_KILLED, WorkError, is_killed_worker
from util.interrupt import ignore_worker_deaths

Batch = tuple[torch.Tensor, torch.Tensor]
Indices = npt.NDArray[np.int64]


class TrainBatch(NamedTuple):
    """What one training step gets."""

    images: torch.Tensor  # (N, 3, crop, crop) uint8
    targets: torch.Tensor  # (N,) int64
    indices: list[int]  # which images these are
    contents: list[str]  # the hash of each one's bytes
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
    *,
    batch_size: int,
    num_workers: int = 0,
    pin_memory: bool = False,
    rank: int = 0,
    world_size: int = 1,
    on_error: Callable[[UnreadableImage], None] = raise_error,
    on_read: Callable[[int, Seen], None] | None = None,
    by_size: bool = False,
    max_pixels: int | None = None,
) -> Callable[[Indices], Iterator[Batch]]:
    """Return a function that reads this rank's share of some images, given by their indices.

    It yields batches: numbers (N,), as EvalImages counts them, and images of one size
    (N, 3, H, W) uint8. Workers stay alive between calls. Nothing is padded, or repeated to make
    shares equal. A batch holds at most `batch_size` images over all processes, and `max_pixels`
    pixels (None: any number), but at least one image; so does what a worker has in hand. Whole
    images want `by_size`: those of one size, by their headers, are read together, the largest
    first; all else comes in order. An image that cannot be read goes to `on_error`, and is left out
    where that returns; of each that was, `on_read` is told, once for each of its batches.
    """
    own_size = max(batch_size // world_size, 1)
    most_images = max(own_size // len(dataset.variants), 1)  # each becomes that many
    most_pixels = max_pixels or sys.maxsize
    together = functools.partial(_by_size, most_images=own_size, most_pixels=most_pixels)
    read = _reader(dataset, num_workers, pin_memory, together)

    def plan(indices: Indices) -> list[list[tuple[int, int, int]]]:
        every = len(dataset.variants)
        if not by_size:
            parts = [indices[i : i + most_images] for i in range(0, len(indices), most_images)]
            return [[(int(index), 0, every) for index in part] for part in parts]
        sizes = image_sizes(dataset.samples.take(indices), "sizes")
        batches = batches_by_size(indices, sizes, most_images, most_pixels // every)
        area_of = dict(zip(indices.tolist(), sizes.prod(axis=1).tolist(), strict=True))
        keys = []
        for batch in batches:
            # one large image is decoded again for every few of its variants: all at once are
            # gigabytes
            step = max(1, min(every, most_pixels // max(1, area_of[batch[0]])))
            firsts = range(0, every, step)
            keys += [[(i, first, min(first + step, every)) for i in batch] for first in firsts]
        return keys

    def batches(indices: Indices) -> Iterator[Batch]:
        for errors, seen, found in read(plan(indices[rank::world_size])):
            for error in errors:
                on_error(error)
            for index, its in seen if on_read else ():
                on_read(index, its)  # type: ignore[misc]
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
        except RuntimeError as error:
            if is_killed_worker(error):
                ignore_worker_deaths()
            raise
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
    pixels, labels, indices, contents, unreadable = zip(*items, strict=True)
    return TrainBatch(
        torch.stack(pixels),
        torch.tensor(labels),
        list(indices),
        list(contents),
        list(itertools.chain.from_iterable(unreadable)),
    )


def _by_size(
    items: list[EvalItem | UnreadableImage], most_images: int, most_pixels: int
) -> tuple[list[UnreadableImage], list[tuple[int, Seen]], list[Batch]]:
    """Images differ in size, whole ones and rescaled ones: those of one size make batches."""
    errors: list[UnreadableImage] = []
    seen: list[tuple[int, Seen]] = []
    groups: dict[torch.Size, list[tuple[int, torch.Tensor]]] = {}
    for item in items:
        if isinstance(item, UnreadableImage):
            errors.append(item)
            continue
        seen.append((item.sample, item.seen))
        for number, image in item.images:
            groups.setdefault(image.shape, []).append((number, image))
    batches = []
    for (_, height, width), group in groups.items():
        size = max(1, min(most_images, most_pixels // (height * width)))
        for part in (group[i : i + size] for i in range(0, len(group), size)):
            numbers = torch.tensor([number for number, _ in part])
            batches.append((numbers, torch.stack([image for _, image in part])))
    return errors, seen, batches


def _start_worker(worker: int) -> None:
    for stop in (signal.SIGINT, signal.SIGTERM):  # sent to all; the main process is to answer
        signal.signal(stop, signal.SIG_IGN)
    cv2.setNumThreads(0)  # the workers are the parallelism; threads of their own only compete
    gc.freeze()  # a collection writes to every object it looks at, and so copies what is inherited


@atexit.register
def _end_workers() -> None:
    """End the workers that are left when the program ends, as after an error, whose traceback keeps
    the reader. multiprocessing would end them by SIGTERM, which they leave to the main process, and
    wait for ever.
    """
    ignore_worker_deaths()
    for child in multiprocessing.active_children():
        if child.daemon:
            child.kill()
