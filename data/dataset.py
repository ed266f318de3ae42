"""Images as torch datasets, with random draws that depend only on the seed, epoch and image.

So neither the number of workers nor the order of loading changes a pixel. An unreadable file is
returned as an UnreadableImage, not raised: raised in a worker process, it would reach the main one
wrapped in the text of a traceback (data/train_batches.py and data/eval_batches.py raise it).
"""

from __future__ import annotations

import hashlib
import zlib
from collections import Counter
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset

from data.augment import Transform
from data.contents import FileState
from data.images import Pixels, UnreadableImage
from data.order import Order
from data.samples import Samples
from options.machine import MAX_PIXELS

MAX_TRIES = 5  # unreadable images in a row before giving up: then it is no accident


class TrainItem(NamedTuple):
    """One image of a training batch."""

    pixels: torch.Tensor  # (3, height, width) uint8
    label: int
    sample: int  # index of the image in the samples
    content: str  # `content_hash` of its bytes
    unreadable: list[UnreadableImage]  # the images that this one replaces


class TrainImages(Dataset[TrainItem | UnreadableImage]):
    """Training images by key (epoch, index), with new draws in each epoch.

    Both images of a pair (`pairs`, (N, 2) indices) get the draws of the first: the same crop, blur
    and compression, so that nothing but the generator tells them apart. An unreadable image is
    replaced by another of its label, drawn at random, and listed in the item.
    """

    def __init__(
        self,
        samples: Samples,
        transforms: list[Transform],
        *,
        seed: int,
        pairs: Order | None = None,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        self.samples, self.transforms, self.seed = samples, transforms, seed
        self.max_pixels = max_pixels
        self.draws_of = np.arange(len(samples.paths))
        if pairs is not None:
            self.draws_of[pairs[:, 1]] = pairs[:, 0]

    def __getitem__(self, key: tuple[int, int]) -> TrainItem | UnreadableImage:
        """Return the image; the last error where MAX_TRIES in a row could not be read."""
        epoch, index = key
        draws = (self.seed, epoch, int(self.draws_of[index]))
        unreadable: list[UnreadableImage] = []
        chosen = index
        while True:
            try:
                content, image = self.samples.load(chosen, self.max_pixels)
            except UnreadableImage as error:
                unreadable.append(error)
                if len(unreadable) == MAX_TRIES:
                    return error
                chosen = self._replacement(epoch, index, len(unreadable))
                continue
            pixels = apply(self.transforms, image, draws)
            label = int(self.samples.labels[index])
            return TrainItem(pixels, label, chosen, content, unreadable)

    def _replacement(self, epoch: int, index: int, attempt: int) -> int:
        """Draw an image of the same label, by a generator of its own: no other draw changes."""
        rng = np.random.default_rng((self.seed, epoch, index, attempt))
        labels = self.samples.labels
        return int(rng.choice(np.flatnonzero(labels == labels[index])))


class Seen(NamedTuple):
    """A file as it was when it was read."""

    state: FileState  # taken before reading: a change during reading makes it differ afterwards
    content: str  # `content_hash` of its bytes
    height: int
    width: int


EvalKey = tuple[int, int, int]  # an image's index, its first variant, and the one behind its last


class EvalItem(NamedTuple):
    """One image in some of its variants."""

    sample: int  # index of the image in the samples
    seen: Seen
    images: list[tuple[int, torch.Tensor]]  # (number, (3, height, width) uint8) per variant


class EvalImages(Dataset[EvalItem | UnreadableImage]):
    """Evaluation images, each in several `variants` (lists of transforms), decoded once per key.

    Variant v of image i has the number i * len(variants) + v. The draws depend on the seed and the
    image's path, so they are the same every time.
    """

    def __init__(
        self,
        samples: Samples,
        variants: list[list[Transform]],
        *,
        seed: int = 0,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        self.samples, self.variants, self.seed = samples, variants, seed
        self.max_pixels = max_pixels

    def __getitem__(self, key: EvalKey) -> EvalItem | UnreadableImage:
        """Return image `index` in its variants first..last-1, for the key (index, first, last)."""
        index, first, last = key
        draws = self.draws(index)
        try:
            state = self.samples.state(index)
            content, image = self.samples.load(index, self.max_pixels)
        except UnreadableImage as error:
            return error
        return EvalItem(
            index,
            Seen(state, content, *image.shape[:2]),
            [
                (index * len(self.variants) + v, apply(self.variants[v], image, draws))
                for v in range(first, last)
            ],
        )

    def draws(self, index: int) -> tuple[int, ...]:
        """Return what the draws of image `index` follow from."""
        digest = hashlib.blake2b(bytes(self.samples.paths[index]), digest_size=8).digest()
        return self.seed, int.from_bytes(digest, "big")


class EpochImages(EvalImages):
    """Training images just as an epoch of training sees them, to be read as evaluation images are:
    an unreadable one is not replaced.
    """

    def __init__(self, images: TrainImages, epoch: int) -> None:
        super().__init__(
            images.samples, [images.transforms], seed=images.seed, max_pixels=images.max_pixels
        )
        self.epoch, self.draws_of = epoch, images.draws_of

    def draws(self, index: int) -> tuple[int, ...]:
        """Return what the draws of image `index` follow from, those of TrainImages."""
        return self.seed, self.epoch, int(self.draws_of[index])


def apply(transforms: list[Transform], image: Pixels, draws: tuple[int, ...]) -> torch.Tensor:
    """Apply `transforms` in order and return the image as (3, height, width) uint8.

    Each transform has its own random generator, seeded by `draws` (seed, epoch and image, say), its
    class's name and how many of that class come before it: a transform that is added, or that draws
    more numbers than before, changes no other transform's draws.
    """
    before: Counter[str] = Counter()
    for transform in transforms:
        name = type(transform).__name__
        rng = np.random.default_rng((*draws, zlib.crc32(name.encode()), before[name]))
        before[name] += 1
        image = transform(image, rng)
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
