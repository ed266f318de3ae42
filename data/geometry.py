"""Resize, crop and mirror: transforms as in data/augment.py."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from data.images import Pixels

INTERPOLATIONS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "nearest": Image.Resampling.NEAREST,
}


@dataclass(frozen=True)
class Resize:
    """Resize the short side to `size` pixels, or height and width to it where it is two numbers, by
    a method drawn from `methods`.
    """

    size: int | tuple[int, int]
    methods: tuple[str, ...] = ("bilinear",)

    def __call__(self, image: Pixels, rng: np.random.Generator) -> Pixels:
        """Return the resized image, untouched where it has this size already."""
        method = self.methods[rng.integers(len(self.methods))]
        height, width = self.new_size(*image.shape[:2])
        if (height, width) == image.shape[:2]:
            return image
        resized = Image.fromarray(image).resize((width, height), INTERPOLATIONS[method])
        return np.asarray(resized)

    def new_size(self, height: int, width: int) -> tuple[int, int]:
        """Return height and width of what an image of `height` and `width` becomes."""
        if isinstance(self.size, tuple):
            return self.size
        if width <= height:
            return int(self.size * height / width), self.size
        return self.size, int(self.size * width / height)


@dataclass(frozen=True)
class Rescale:
    """Resize both sides by `factor`, rounded to whole pixels."""

    factor: float

    def __call__(self, image: Pixels, rng: np.random.Generator) -> Pixels:
        """Return the resized image (bilinear, antialiased)."""
        height, width = (max(1, round(side * self.factor)) for side in image.shape[:2])
        resized = Image.fromarray(image).resize((width, height), INTERPOLATIONS["bilinear"])
        return np.asarray(resized)


@dataclass(frozen=True)
class RandomCrop:
    """A square of `size` pixels from a random place in the image."""

    size: int

    def __call__(self, image: Pixels, rng: np.random.Generator) -> Pixels:
        """Return the square. Raises ValueError where the image is smaller."""
        top = rng.integers(image.shape[0] - self.size, endpoint=True)
        left = rng.integers(image.shape[1] - self.size, endpoint=True)
        return image[top : top + self.size, left : left + self.size]


@dataclass(frozen=True)
class CentreCrop:
    """The square of `size` pixels in the middle, padded with zeros where the image is smaller."""

    size: int

    def __call__(self, image: Pixels, rng: np.random.Generator) -> Pixels:
        """Return the square, placed and padded as torchvision's CenterCrop does."""
        image = _padded(image, self.size)
        top, left = (round((side - self.size) / 2) for side in image.shape[:2])
        return image[top : top + self.size, left : left + self.size]


@dataclass(frozen=True)
class CornerCrop:
    """The square of `size` pixels in a corner, with zeros around where the image is smaller."""

    size: int
    bottom: int  # 0: a corner at the top; 1: one at the bottom
    right: int  # 0: one on the left; 1: one on the right

    def __call__(self, image: Pixels, rng: np.random.Generator) -> Pixels:
        """Return the square."""
        image = _padded(image, self.size)
        top = self.bottom * (image.shape[0] - self.size)
        left = self.right * (image.shape[1] - self.size)
        return image[top : top + self.size, left : left + self.size]


def _padded(image: Pixels, size: int) -> Pixels:
    """Return the image in the middle of zeros, so that both sides have at least `size` pixels."""
    short = [max(size - side, 0) for side in image.shape[:2]]
    padding = [(s // 2, (s + 1) // 2) for s in short]
    return np.pad(image, (*padding, (0, 0))) if any(short) else image


@dataclass(frozen=True)
class Flip:
    """Mirror left and right, with chance `prob`."""

    prob: float = 0.5

    def __call__(self, image: Pixels, rng: np.random.Generator) -> Pixels:
        """Return the image, mirrored or untouched."""
        return image[:, ::-1] if rng.random() < self.prob else image


@dataclass(frozen=True)
class Rotate90:
    """Turn by 90, 180 or 270 degrees, with chance `prob`."""

    prob: float

    def __call__(self, image: Pixels, rng: np.random.Generator) -> Pixels:
        """Return the image, turned or untouched."""
        return np.rot90(image, int(rng.integers(1, 4))) if rng.random() < self.prob else image
