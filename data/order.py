"""The order of the training images: pure functions of the labels, the seed and the epoch."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from data.samples import Samples, partner_of
from util.errors import UsageError

Order = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Images of which every batch holds the same number."""

    numbers: Order  # (N,) indices of the images in the data set
    labels: npt.NDArray[np.uint8]  # (N,), 0 = real, 1 = fake
    pairs: Order | None  # (N / 2, 2) indices that stay side by side; None: images come singly
    per_batch: int  # at most N; even where there are pairs


def make_pools(
    labels: npt.NDArray[np.uint8],
    num_new: int,
    pairs: Order | None,
    *,
    batch_size: int,
    replay_fraction: float,
    world_size: int,
) -> list[Pool]:
    """Return a pool of the first `num_new` images and, where there are more, one of the others.

    The others are old images, replayed as the share `replay_fraction` of every batch. Together they
    always make `batch_size`; the share is rounded so that it splits evenly among `world_size`
    processes. Raises UsageError where the batch does not split evenly, has no room for both kinds,
    or holds more new images than there are.
    """
    unit = world_size * (1 if pairs is None else 2)
    split = f"{world_size} processes{' in whole --pairs' if pairs is not None else ''}"
    if batch_size % unit:
        raise UsageError(
            f"--batch_size {batch_size}: must be a multiple of {unit}, to be split evenly among"
            f" {split}"
        )
    replayed = num_new < len(labels)
    old = unit * round(batch_size * replay_fraction / unit) if replayed else 0
    new = batch_size - old
    if replayed and not (old and new):
        raise UsageError(
            f"--replay_fraction {replay_fraction:g}: --batch_size {batch_size}, split evenly among"
            f" {split}, has no room for {'new' if old else 'old'} images at this share"
        )
    if new > num_new:
        raise UsageError(
            f"--batch_size {batch_size}: a batch holds {new} new images, and there are only"
            f" {num_new} to train on; give a smaller one{' or replay more' if replayed else ''}"
        )
    pools = []
    for numbers, per_batch in (
        (np.arange(num_new), new),
        (np.arange(num_new, len(labels)), old),
    ):
        own = None if pairs is None else pairs[np.isin(pairs[:, 0], numbers)]
        pool = Pool(numbers=numbers, labels=labels[numbers], pairs=own, per_batch=per_batch)
        pools.append(pool)
    return pools if replayed else pools[:1]


def steps_per_epoch(pools: Sequence[Pool]) -> int:
    """Return the number of complete batches of the first pool's images.

    The images of the last, incomplete batch are dropped from an epoch: others in each epoch.
    """
    return len(pools[0].numbers) // pools[0].per_batch


def epoch_order(pools: Sequence[Pool], *, balanced: bool, seed: int, epoch: int) -> Order:
    """Return the indices of one epoch's images, batch after batch, in the order of training.

    That is one pass over the first pool (`_one_pass`), and of the others as many images as fill the
    batches. The pools are spread evenly over a batch, so that each process, and each part of its
    share, gets images of all pools.
    """
    count = steps_per_epoch(pools)
    parts = []
    for place, pool in enumerate(pools):
        rng = np.random.default_rng((seed, epoch, place))
        passes = [_one_pass(pool, balanced, rng)]
        while sum(map(len, passes)) < count * pool.per_batch:
            passes.append(_one_pass(pool, balanced, rng))
        drawn = np.concatenate(passes)[: count * pool.per_batch]
        parts.append(drawn.reshape(count, -1, 1 if pool.pairs is None else 2))
    places = [(np.arange(part.shape[1]) + 0.5) / part.shape[1] for part in parts]
    spread = np.argsort(np.concatenate(places), kind="stable")
    return np.concatenate(parts, axis=1)[:, spread].reshape(-1)


def _one_pass(pool: Pool, balanced: bool, rng: np.random.Generator) -> Order:
    """Return the pool's images in random order: every pair, or every image, once.

    Where they come singly and `balanced`, as many images as there are, drawn with replacement,
    real and fake equally likely.
    """
    if pool.pairs is not None:
        return rng.permutation(pool.pairs).reshape(-1)
    if balanced:
        chances = 1 / (2 * np.bincount(pool.labels, minlength=2)[pool.labels])
        return rng.choice(pool.numbers, size=len(pool.numbers), p=chances)
    return rng.permutation(pool.numbers)


def find_pairs(samples: Samples) -> Order:
    """Return (N, 2) indices: each real image, and the fake of the same path under the other label.

    Raises UsageError that names the first image without a partner.
    """
    index_of = {os.fsdecode(path): index for index, path in enumerate(samples.paths)}
    for path in index_of:
        if partner_of(path) not in index_of:
            partner = partner_of(path) or "(it lies in no folder 0_real or 1_fake)"
            raise UsageError(f"--pairs: {path} has no partner {partner} in {samples.root}")
    real = [path for path in index_of if samples.labels[index_of[path]] == 0]
    return np.array([(index_of[path], index_of[partner_of(path)]) for path in real])


@dataclass(frozen=True)
class EpochBatches:
    """A batch sampler: one process's keys (epoch, index) of the batches first..last-1 of an epoch.

    Each process has an equally long stretch of every batch; pairs stay whole.
    """

    order: Order
    epoch: int
    batch_size: int  # over all processes
    first: int
    last: int
    rank: int
    world_size: int

    def __len__(self) -> int:
        """Return the number of batches."""
        return self.last - self.first

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        """Yield the keys of each batch."""
        share = self.batch_size // self.world_size
        for number in range(self.first, self.last):
            start = number * self.batch_size + self.rank * share
            yield [(self.epoch, int(i)) for i in self.order[start : start + share]]


def batches_by_size(
    indices: Order, sizes: npt.NDArray[np.int64], *, most_images: int, most_pixels: int
) -> list[list[int]]:
    """Return batches of images of one size, the largest first: too little memory shows at once.

    `sizes`, (len(indices), 2), are heights and widths. A batch holds at most `most_images` images
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
