"""In which order the images come: pure functions of the labels, the seed and the epoch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from data.samples import Samples, partner_of
from util.errors import InputError

Order = npt.NDArray[np.int64]


def epoch_order(
    labels: npt.NDArray[np.uint8], pairs: Order | None, balanced: bool, seed: int, epoch: int
) -> Order:
    """The images of one epoch, in the order in which they are seen.

    With `pairs` (N, 2), every pair once, its two images side by side; `balanced`, as many images
    as there are, drawn with replacement, real and fake equally likely; else every image once.
    """
    rng = np.random.default_rng((seed, epoch))
    if pairs is not None:
        return rng.permutation(pairs).reshape(-1)
    if balanced:
        chances = 1 / (2 * np.bincount(labels, minlength=2)[labels])
        return rng.choice(len(labels), size=len(labels), p=chances)
    return rng.permutation(len(labels))


def find_pairs(samples: Samples) -> Order:
    """(N, 2) indices: each real image, and the fake of the same path but for the label folder.

    Raises InputError that names the first image without a partner.
    """
    index_of = {os.fsdecode(path): index for index, path in enumerate(samples.paths)}
    for path in index_of:
        if partner_of(path) not in index_of:
            raise InputError(f"--pairs: {path} has no partner {partner_of(path)} in {samples.root}")
    real = [path for path in index_of if samples.labels[index_of[path]] == 0]
    return np.array([(index_of[path], index_of[partner_of(path)]) for path in real])


@dataclass(frozen=True)
class EpochBatches:
    """A batch sampler: the keys (epoch, index) of the batches first..last-1 of one epoch, for one
    process. The processes share each batch, one image in turn.
    """

    order: Order
    epoch: int
    batch_size: int  # over all processes together
    first: int
    last: int
    rank: int
    world_size: int

    def __len__(self) -> int:
        """How many batches that is."""
        return self.last - self.first

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        """Yield each batch's keys."""
        for number in range(self.first, self.last):
            batch = self.order[number * self.batch_size : (number + 1) * self.batch_size]
            yield [(self.epoch, int(i)) for i in batch[self.rank :: self.world_size]]


def batches_per_epoch(num_images: int, batch_size: int) -> int:
    """Complete batches, or 1 where there is not even one. The images of the last, incomplete one
    are left out of this epoch; which ones they are changes from epoch to epoch.
    """
    return max(num_images // batch_size, 1)


def batches_by_size(
    indices: Order, sizes: npt.NDArray[np.int64], most_images: int, most_pixels: int
) -> list[list[int]]:
    """Batches of images of one size, the largest first: if memory runs out, it does so at once.

    `sizes` (len(indices), 2) are heights and widths. A batch holds at most `most_images` images
    and `most_pixels` pixels, but at least one image.
    """
    areas = sizes.prod(axis=1)
    falling = np.lexsort((indices, sizes[:, 0], -areas))
    change = (np.diff(sizes[falling], axis=0) != 0).any(axis=1)
    batches = []
    for group in np.split(falling, np.flatnonzero(change) + 1):
        size = max(1, min(most_images, most_pixels // max(1, int(areas[group[0]]))))
        batches += [indices[group[i : i + size]].tolist() for i in range(0, len(group), size)]
    return batches
