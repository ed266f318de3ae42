"""Images as torch datasets. What is drawn for an image depends on nothing but the seed, the epoch
and the image, so neither the number of workers nor the order of loading changes a pixel.

A file that cannot be read comes back as the UnreadableImage itself, not raised: raised in a worker
process, it would reach the main one wrapped in a traceback's text (data/loaders.py raises it).
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
from data.contents import FileState, content_hash, file_state
from data.images import Pixels, UnreadableImage, decode, read_file
from data.order import Order
from data.samples import Samples
from options.machine import MAX_PIXELS

MAX_TRIES = 5  # images in a row that cannot be read: then it is no accident


class TrainItem(NamedTuple):
    """One image of a training batch."""

    pixels: torch.Tensor  # (3, height, width) uint8
    label: int
    number: int  # which image it is
    content: str  # `content_hash` of its bytes
    unreadable: list[UnreadableImage]  # those that it stands in for


class TrainImages(Dataset[TrainItem | UnreadableImage]):
    """Image `(epoch, index)`: new draws in each epoch.

    The two images of a pair (`pairs`, (N, 2) indices) get the same draws, those of the first: the
    same crop, blur and compression, so that nothing but the generator tells them apart. Where an
    image cannot be read, another of its label is drawn in its place; it is told in the item.
    """

    def __init__(
        self,
        samples: Samples,
        transform: list[Transform],
        seed: int,
        pairs: Order | None = None,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        self.samples, self.transform, self.seed = samples, transform, seed
        self.max_pixels = max_pixels
        self.draws_of = np.arange(len(samples.paths))
        if pairs is not None:
            self.draws_of[pairs[:, 1]] = pairs[:, 0]

    def __getitem__(self, key: tuple[int, int]) -> TrainItem | UnreadableImage:
        """Return the image, or the last error where several others could not be read either."""
        epoch, index = key
        draws = (self.seed, epoch, int(self.draws_of[index]))
        unreadable: list[UnreadableImage] = []
        chosen = index
        while True:
            try:
                path = self.samples.path(chosen)
                content = read_file(path)
                image = decode(content, path, self.max_pixels)
            except UnreadableImage as error:
                unreadable.append(error)
                if len(unreadable) == MAX_TRIES:
                    return error
                chosen = self._another(epoch, index, len(unreadable))
                continue
            pixels = apply(self.transform, image, draws)
            label = int(self.samples.labels[index])
            return TrainItem(pixels, label, chosen, content_hash(content), unreadable)

    def _another(self, epoch: int, index: int, attempt: int) -> int:
        """Some image of the same label; drawn apart, so that no other draw of the run changes."""
        rng = np.random.default_rng((self.seed, epoch, index, attempt))
        labels = self.samples.labels
        return int(rng.choice(np.flatnonzero(labels == labels[index])))


class Seen(NamedTuple):
    """What a file was when it was read."""

    state: FileState  # before it was read: where it changed meanwhile, it will not be this again
    content: str  # `content_hash` of its bytes
    height: int
    width: int


class EvalItem(NamedTuple):
    """One image in some of its variants."""

    sample: int  # which image it is
    seen: Seen
    images: list[tuple[int, torch.Tensor]]  # numbers, and (3, height, width) uint8 each


class EvalImages(Dataset[EvalItem | UnreadableImage]):
    """Image `index` in each of `variants` (lists of transforms), decoded once for all of a key.

    Variant v of image i has the number i * len(variants) + v. The draws are the same every time,
    from the seed and the image's path.
    """

    def __init__(
        self,
        samples: Samples,
        variants: list[list[Transform]],
        seed: int = 0,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        self.samples, self.variants, self.seed = samples, variants, seed
        self.max_pixels = max_pixels

    def __getitem__(self, key: tuple[int, int, int]) -> EvalItem | UnreadableImage:
        """Return image `index` in the variants first..last-1, of a key (index, first, last)."""
        index, first, last = key
        path = self.samples.path(index)
        digest = hashlib.blake2b(bytes(self.samples.paths[index]), digest_size=8).digest()
        draws = (self.seed, int.from_bytes(digest, "big"))
        try:
            state = file_state(path)
            content = read_file(path)
            image = decode(content, path, self.max_pixels)
        except UnreadableImage as error:
            return error
        return EvalItem(
            index,
            Seen(state, content_hash(content), *image.shape[:2]),
            [
                (index * len(self.variants) + v, apply(self.variants[v], image, draws))
                for v in range(first, last)
            ],
        )


def apply(transforms: list[Transform], image: Pixels, draws: tuple[int, ...]) -> torch.Tensor:
    """Apply `transforms` in order and return the image as (3, height, width) uint8.

    Each transform has its own random generator, from `draws` (seed, epoch and image, say), the name
    of its class and how many of that class came before it: a transform that is added, or draws more
    numbers than before, changes no other transform's draws.
    """
    before: Counter[str] = Counter()
    for transform in transforms:
        name = type(transform).__name__
        rng = np.random.default_rng((*draws, zlib.crc32(name.encode()), before[name]))
        before[name] += 1
        image = transform(image, rng)
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
