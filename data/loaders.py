"""Read images in worker processes and collate them into batches."""

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

from data.dataset import EvalImages, EvalItem, Seen, TrainImages, TrainItem
from data.images import UnreadableImage
from data.order import EpochBatches, batches_by_size
from data.samples import Samples
from util.errors import WORKER_KILLED, WorkError, is_killed_worker
from util.interrupt import ignore_worker_deaths
from util.progress import progress

Batch = tuple[torch.Tensor, torch.Tensor]
Indices = npt.NDArray[np.int64]


class TrainBatch(NamedTuple):
    """The batch of one training step."""

    images: torch.Tensor  # (N, 3, crop, crop) uint8
    targets: torch.Tensor  # (N,) int64
    indices: list[int]  # of the images, in the samples
    contents: list[str]  # `content_hash` of each file
    unreadable: list[UnreadableImage]  # the images that others replace


def raise_error(error: UnreadableImage) -> None:
    """Raise the error of an unreadable image: what readers do by default."""
    raise error


def train_reader(
    dataset: TrainImages, num_workers: int, pin_memory: bool
) -> Callable[[EpochBatches], Iterator[TrainBatch]]:
    """Return a callable that iterates over the batches of an epoch's plan, in order.

    Workers stay alive between calls. The iterator raises UnreadableImage where an image is
    unreadable and so are its replacements.
    """
    read = _reader(dataset, _collate_train, num_workers=num_workers, pin_memory=pin_memory)

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
    """Return a callable that iterates over this rank's share of the images at some indices.

    It yields batches: numbers (N,), as EvalImages counts them, and images of one size
    (N, 3, H, W) uint8. Workers stay alive between calls. Shares are neither padded nor made equal
    by repeating images. A batch holds at most `batch_size` images over all processes, and at most
    `max_pixels` pixels (None: no limit), but at least one image; so does a worker at a time.

    Without `by_size` images come in order. With it, which whole images need, those of one size (by
    their headers) are read together, the largest first. An unreadable image goes to `on_error`, and
    is left out where that returns. `on_read` gets the index and `Seen` of each image that was read,
    once for each of its batches.
    """
    own_size = max(batch_size // world_size, 1)
    most_images = max(own_size // len(dataset.variants), 1)  # each has that many variants
    most_pixels = max_pixels or sys.maxsize
    collate = functools.partial(_collate_eval, most_images=own_size, most_pixels=most_pixels)
    read = _reader(dataset, collate, num_workers=num_workers, pin_memory=pin_memory)

    def plan(indices: Indices) -> list[list[tuple[int, int, int]]]:
        every = len(dataset.variants)
        if not by_size:
            parts = [indices[i : i + most_images] for i in range(0, len(indices), most_images)]
            return [[(int(index), 0, every) for index in part] for part in parts]
        sizes = image_sizes(dataset.samples.take(indices), "sizes")
        batches = batches_by_size(
            indices, sizes, most_images=most_images, most_pixels=most_pixels // every
        )
        area_of = dict(zip(indices.tolist(), sizes.prod(axis=1).tolist(), strict=True))
        keys = []
        for batch in batches:
            # A large image is decoded again for every few of its variants: all of them at once
            # may take gigabytes.
            step = max(1, min(every, most_pixels // max(1, area_of[batch[0]])))
            firsts = range(0, every, step)
            keys += [[(i, first, min(first + step, every)) for i in batch] for first in firsts]
        return keys

    def batches(indices: Indices) -> Iterator[Batch]:
        for errors, seen, found in read(plan(indices[rank::world_size])):
            for error in errors:
                on_error(error)
            for index, file in seen if on_read else ():
                on_read(index, file)  # type: ignore[misc]
            yield from found

    return batches


def image_sizes(samples: Samples, description: str) -> npt.NDArray[np.int64]:
    """Return (N, 2) heights and widths from the files' headers; (0, 0) for an unreadable one."""
    count = len(samples.labels)
    with ThreadPoolExecutor(16) as pool:
        sizes = pool.map(samples.size, range(count))
        read = progress(sizes, description, unit="header", total=count, delay=1)
        return np.array(list(read), np.int64).reshape(-1, 2)


def _reader(
    dataset: Any,  # noqa: ANN401
    collate: Callable[[list[Any]], Any],
    *,
    num_workers: int,
    pin_memory: bool,
) -> Callable[[Iterable[list[Any]]], Iterator[Any]]:
    """Return a callable that iterates over the collated batches of a plan (lists of keys).

    Workers start at the first call, read two batches ahead, serve one plan after another, and end
    with the returned callable. The iterator raises WorkError where a worker was killed as it handed
    over a batch.
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
        generator=torch.Generator(),  # else torch's default one advances, and a resumed run differs
    )

    def read(batches: Iterable[list[Any]]) -> Iterator[Any]:
        plan.batches = batches
        try:
            yield from loader
        except RuntimeError as error:
            if is_killed_worker(error):
                ignore_worker_deaths()
            raise
        except (ConnectionError, EOFError) as error:  # a worker was killed while handing over
            if not num_workers or str(error).startswith("Caught"):  # raised by its own code
                raise
            raise WorkError(WORKER_KILLED) from error

    return read


class _Plan(Sampler[list[Any]]):
    """The batches that torch's loader, which lives on between plans, reads next."""

    def __init__(self, batches: Iterable[list[Any]]) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator[list[Any]]:
        return iter(self.batches)


def _collate_train(items: list[TrainItem | UnreadableImage]) -> TrainBatch | UnreadableImage:
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


def _collate_eval(
    items: list[EvalItem | UnreadableImage], most_images: int, most_pixels: int
) -> tuple[list[UnreadableImage], list[tuple[int, Seen]], list[Batch]]:
    """Return errors, what was read, and a batch for each few images of one size."""
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
    for stop in (signal.SIGINT, signal.SIGTERM):  # sent to all processes: the main one answers
        signal.signal(stop, signal.SIG_IGN)
    cv2.setNumThreads(0)  # the workers are the parallelism; more threads would compete
    gc.freeze()  # a collection would write to, and so copy, all inherited memory


@atexit.register
def _end_workers() -> None:
    """Kill the workers that are left when the program ends.

    There are some after an error, as its traceback keeps the reader alive. multiprocessing would
    end them by SIGTERM, which they ignore, and wait for ever.
    """
    ignore_worker_deaths()
    for child in multiprocessing.active_children():
        if child.daemon:
            child.kill()
