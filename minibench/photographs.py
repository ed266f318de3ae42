"""The 24 photographs: how they are split, and how crops are drawn from them."""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

FOLDER = Path(__file__).parent / "photos"
SIZE = 72
"""Side of the images in pixels; the detector crops 64 of it as the paper crops 224 of 256."""
SCALES = {2: 3 / 6, 3: 2 / 6, 4: 1 / 6}
"""A photograph is shrunk by one of these factors, drawn with this chance: the larger, the more
different crops it has. Halved or more, it keeps no JPEG grid."""
LEAST_CONTRAST = 8.0
"""Crops whose grey levels (0..255) deviate less than this carry nothing and are skipped."""

PHOTOGRAPHS = {
    "aitzgorri": ("train", "landscape"),
    "black-canyon": ("train", "landscape"),
    "french-alpine-landscape": ("train", "landscape"),
    "nagasaki-boats": ("train", "landscape"),
    "sunset": ("train", "landscape"),
    "acanthus-mollis": ("train", "nature"),
    "allium-oreophilum": ("train", "nature"),
    "life": ("train", "nature"),
    "march-pastoral": ("train", "nature"),
    "seeding": ("train", "nature"),
    "airplane-from-above": ("train", "object"),
    "astronaut": ("train", "object"),
    "fig-in-bowl": ("train", "object"),
    "paint-brushes": ("train", "object"),
    "rocket": ("train", "object"),
    "china": ("val", "landscape"),
    "chelsea": ("val", "nature"),
    "coffee": ("val", "object"),
    "dust-bowl-home": ("test", "landscape"),
    "picos-de-europa": ("test", "landscape"),
    "flower": ("test", "nature"),
    "friends": ("test", "nature"),
    "motorcycle": ("test", "object"),
    "wine": ("test", "object"),
}
"""Name of a photograph -> its split and its class. Split by photograph, never by crop."""

Pixels = NDArray[np.uint8]


class Crop(NamedTuple):
    """Where a square was cut: photograph, shrinking factor, left and upper edge in pixels."""

    photograph: str
    scale: int
    x: int
    y: int

    @property
    def name(self) -> str:
        """A file name without ending, unique for the crop."""
        return f"{self.photograph}_{self.scale}_{self.x}_{self.y}"

    @property
    def kind(self) -> str:
        """The photograph's class."""
        return PHOTOGRAPHS[self.photograph][1]


def photographs_of(split: str) -> list[str]:
    """Return the names of the photographs of `split` (train, val or test).

    Raises:
        ValueError: no photograph belongs to such a split.
    """
    names = [name for name, (its_split, _) in PHOTOGRAPHS.items() if its_split == split]
    if not names:
        raise ValueError(f"no split {split!r}: wants train, val or test")
    return names


@cache  # all photographs at all scales: about 20 MB
def load(photograph: str, scale: int) -> Pixels:
    """Return a photograph at 1/`scale` of its size: H,W,3, RGB, 0..255, not to be written to."""
    with Image.open(FOLDER / f"{photograph}.jpg") as image:
        width, height = image.width // scale, image.height // scale
        small = image.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
    pixels = np.array(small)
    pixels.flags.writeable = False
    return pixels


def cut(crop: Crop, size: int = SIZE) -> Pixels:
    """Return the pixels of a crop: size,size,3, RGB, 0..255."""
    pixels = load(crop.photograph, crop.scale)
    return pixels[crop.y : crop.y + size, crop.x : crop.x + size]


def draw_crop(split: str, rng: np.random.Generator, size: int = SIZE) -> Crop:
    """Draw a crop from the photographs of `split`, none that is nearly constant."""
    names = photographs_of(split)
    while True:
        photograph = names[rng.integers(len(names))]
        scale = int(rng.choice(list(SCALES), p=list(SCALES.values())))
        height, width, _ = load(photograph, scale).shape
        x, y = int(rng.integers(width - size + 1)), int(rng.integers(height - size + 1))
        crop = Crop(photograph, scale, x, y)
        if cut(crop, size).std(axis=(0, 1)).mean() >= LEAST_CONTRAST:
            return crop


def draw_different_crops(split: str, number: int, rng: np.random.Generator) -> list[Crop]:
    """Draw `number` different crops of `SIZE` from the photographs of `split`."""
    crops: dict[Crop, None] = {}  # a dictionary keeps the order in which they were drawn
    while len(crops) < number:
        crops[draw_crop(split, rng)] = None
    return list(crops)
