"""Images as torch datasets. What is drawn for an image depends on nothing but the seed, the epoch
and the image, so neither the number of workers nor the order of loading changes a pixel.

A file that cannot be read comes back as the UnreadableImage itself, not raised: raised in a worker
process, it would reach the main one wrapped in a traceback's text (data/loaders.py raises it).
"""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from torch.utils.data import Dataset

from data.augment import Step
from data.images import Pixels, UnreadableImage, open_image
from data.order import Order
from data.samples import Samples


class TrainImages(Dataset[tuple[torch.Tensor, int] | UnreadableImage]):
    """Image `(epoch, index)`: new draws in each epoch.

    The two images of a pair (`pairs`, (N, 2) indices) get the same draws, those of the first: the
    same crop, blur and compression, so that nothing but the generator tells them apart.
    """

    def __init__(
        self, samples: Samples, transform: list[Step], seed: int, pairs: Order | None = None
    ) -> None:
        self.samples, self.transform, self.seed = samples, transform, seed
        self.draws_of = np.arange(len(samples.paths))
        if pairs is not None:
            self.draws_of[pairs[:, 1]] = pairs[:, 0]

    def __getitem__(self, key: tuple[int, int]) -> tuple[torch.Tensor, int] | UnreadableImage:
        """Return the image, (3, height, width) uint8, and its label."""
        epoch, index = key
        rng = np.random.default_rng((self.seed, epoch, self.draws_of[index]))
        try:
            image = open_image(self.samples.path(index))
        except UnreadableImage as error:
            return error
        return _applied(self.transform, image, rng), int(self.samples.labels[index])


class EvalImages(Dataset[list[tuple[int, torch.Tensor]] | UnreadableImage]):
    """Image `index` in each of `variants` (lists of steps), decoded once for all of them.

    The draws are the same every time, from the seed and the image's path.
    """

    def __init__(self, samples: Samples, variants: list[list[Step]], seed: int = 0) -> None:
        self.samples, self.variants, self.seed = samples, variants, seed

    def __getitem__(self, index: int) -> list[tuple[int, torch.Tensor]] | UnreadableImage:
        """Return, for variant v, index * number of variants + v, and (3, height, width) uint8."""
        digest = hashlib.blake2b(bytes(self.samples.paths[index]), digest_size=8).digest()
        try:
            image = open_image(self.samples.path(index))
        except UnreadableImage as error:
            return error
        first = index * len(self.variants)
        return [
            (first + v, _applied(steps, image, self._generator(digest)))
            for v, steps in enumerate(self.variants)
        ]

    def _generator(self, digest: bytes) -> np.random.Generator:
        return np.random.default_rng((self.seed, int.from_bytes(digest, "big")))


def _applied(steps: list[Step], image: Pixels, rng: np.random.Generator) -> torch.Tensor:
    for step in steps:
        image = step(image, rng)
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
