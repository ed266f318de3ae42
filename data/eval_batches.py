"""The batches of evaluation: parts of sets, one after the other, in workers that serve them all."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset

from data.dataset import EvalImages, EvalKey, Seen
from data.images import UnreadableImage
from data.order import batches_by_size
from data.samples import Samples
from data.workers import batch_reader
from util.progress import progress

Batch = tuple[torch.Tensor, torch.Tensor]
Indices = npt.NDArray[np.int64]
Part = tuple[int, Indices]  # the number of a set, and indices of images in it
# Of the images that a worker was asked for: the errors, what was read, and batches
_Read = tuple[list[UnreadableImage], list[tuple[int, Seen]], list[Batch]]


class EvalSet(NamedTuple):
    """Images that are read alike."""

    images: EvalImages
    by_size: bool = False  # those of one size (by their headers) together, the largest first
    max_pixels: int | None = None  # of a batch; None: no limit


def raise_error(error: UnreadableImage) -> None:
    """Raise the error of an unreadable image: what readers do by default."""
    raise error


def eval_reader(
    sets: Sequence[EvalSet],
    *,
    batch_size: int,
    num_workers: int = 0,
    pin_memory: bool = False,
    rank: int = 0,
    world_size: int = 1,
    on_error: Callable[[UnreadableImage], None] = raise_error,
    on_read: Callable[[int, Seen], None] | None = None,
) -> Callable[[Sequence[Part]], Iterator[Iterator[Batch]]]:
    """Return a callable that reads this rank's share of some images of some sets, part by part.

    It yields an iterator over the batches of each part, which is to be used up before the next one:
    numbers (N,), as EvalImages counts them, and images of one size (N, 3, H, W) uint8. Workers read
    ahead from part to part, and stay alive between calls. Shares are neither padded nor made equal
    by repeating images. A batch holds at most `batch_size` images over all processes, and at most
    `max_pixels` pixels of its set, but at least one image; so does a worker at a time.

    Images come in order, but for sets `by_size`, which whole images need. An unreadable image goes
    to `on_error`, and is left out where that returns. `on_read` gets the index and `Seen` of each
    image that was read, once for each of its batches.
    """
    own_size = max(batch_size // world_size, 1)
    read = batch_reader(
        _Sets(sets, own_size), _as_it_is, num_workers=num_workers, pin_memory=pin_memory
    )

    def batches(results: Iterator[_Read]) -> Iterator[Batch]:
        for errors, seen, found in results:
            for error in errors:
                on_error(error)
            for index, file in seen if on_read else ():
                on_read(index, file)  # type: ignore[misc]
            yield from found

    def each_part(parts: Sequence[Part]) -> Iterator[Iterator[Batch]]:
        plans = [
            [(number, *its) for its in _plan(sets[number], indices[rank::world_size], own_size)]
            for number, indices in parts
        ]
        results = read(
            [(number, (int(index), first, last)) for index in indices]
            for number, indices, first, last in itertools.chain.from_iterable(plans)
        )
        for plan in plans:
            yield batches(itertools.islice(results, len(plan)))

    return each_part


def image_sizes(samples: Samples, description: str) -> npt.NDArray[np.int64]:
    """Return (N, 2) heights and widths from the files' headers; (0, 0) for an unreadable one."""
    count = len(samples.labels)
    with ThreadPoolExecutor(16) as pool:
        sizes = pool.map(samples.size, range(count))
        read = progress(sizes, description, unit="header", total=count, delay=1)
        return np.array(list(read), np.int64).reshape(-1, 2)


def _plan(
    its: EvalSet, indices: Indices, most_images: int
) -> list[tuple[Sequence[int] | Indices, int, int]]:
    """Return what is read at a time: indices, their first variant, and the one behind the last."""
    every = len(its.images.variants)
    at_a_time = max(most_images // every, 1)
    if not its.by_size:
        starts = range(0, len(indices), at_a_time)
        return [(indices[first : first + at_a_time], 0, every) for first in starts]
    most_pixels = its.max_pixels or sys.maxsize
    sizes = image_sizes(its.images.samples.take(indices), "sizes")
    batches = batches_by_size(
        indices, sizes, most_images=at_a_time, most_pixels=most_pixels // every
    )
    area_of = dict(zip(indices.tolist(), sizes.prod(axis=1).tolist(), strict=True))
    plan: list[tuple[Sequence[int] | Indices, int, int]] = []
    for batch in batches:
        # A large image is decoded again for every few of its variants: all of them at once may take
        # gigabytes.
        step = max(1, min(every, most_pixels // max(1, area_of[batch[0]])))
        plan += [(batch, i, min(i + step, every)) for i in range(0, every, step)]
    return plan


class _Sets(Dataset[Any]):
    """Several sets behind one loader, whose workers serve them all; a worker is asked for keys of
    one of them at a time.
    """

    def __init__(self, sets: Sequence[EvalSet], most_images: int) -> None:
        self.sets, self.most_images = sets, most_images

    def __getitems__(self, keys: list[tuple[int, EvalKey]]) -> _Read:
        """Return errors, what was read, and a batch for each few images of one size."""
        its = self.sets[keys[0][0]]
        errors: list[UnreadableImage] = []
        seen: list[tuple[int, Seen]] = []
        groups: dict[torch.Size, list[tuple[int, torch.Tensor]]] = {}
        for _, key in keys:
            item = its.images[key]
            if isinstance(item, UnreadableImage):
                errors.append(item)
                continue
            seen.append((item.sample, item.seen))
            for number, image in item.images:
                groups.setdefault(image.shape, []).append((number, image))
        batches = []
        for (_, height, width), group in groups.items():
            most = (its.max_pixels or sys.maxsize) // (height * width)
            size = max(1, min(self.most_images, most))
            for part in (group[i : i + size] for i in range(0, len(group), size)):
                numbers = torch.tensor([number for number, _ in part])
                batches.append((numbers, torch.stack([image for _, image in part])))
        return errors, seen, batches


def _as_it_is(found: _Read) -> _Read:
    return found
