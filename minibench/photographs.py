"""The 24 photographs: how they are split, and how crops are drawn from them."""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

FOLDER = Path(__file__).parent / "photos"
SIZE = 64
"""Side of the images in pixels. The detector takes them whole: with random crops it would see the
generator's pixel grid in a new place each time, and learn too slowly for a demonstration."""
SCALES = {2: 3 / 6, 3: 2 / 6, 4: 1 / 6}
"""Factor by which a photograph is shrunk -> its chance: less shrinking leaves more different crops.
Halved or more, a photograph keeps no JPEG grid."""
LEAST_CONTRAST = 8.0
"""Least deviation of a crop's grey levels (0..255): below it, a crop is blank; none is drawn."""
LEAST_DETAIL = 5.0
"""Least mean difference of a crop from its 3x3 average, in grey levels. The benchmark omits those
below, half of all: out of focus or plain surface, they hardly differ from their fakes."""

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
"""Name of a photograph -> its split and class. Split by photograph, never by crop."""

Pixels = NDArray[np.uint8]


class Crop(NamedTuple):
    """Where a square was cut: photograph, shrinking factor, left and upper edge in pixels."""

    photograph: str
    scale: int
    x: int
    y: int

    @property
    def name(self) -> str:
        """A file name without ending, unique to the crop."""
        return f"{self.photograph}_{self.scale}_{self.x}_{self.y}"

    @property
    def kind(self) -> str:
        """The photograph's class."""
        return PHOTOGRAPHS[self.photograph][1]


CLUSTER = r"(?P<photograph>[^/]+?)_\d+_\d+_\d+[^/]*$"
"""Finds a crop's photograph in the path of an image that has its name, or begins with it: crops of
one photograph are not independent, and eval.py draws them together (--cluster)."""


def photographs_of(split: str) -> list[str]:
    """Return the names of the photographs of `split` (train, val or test).

    Raises:
        ValueError: no photograph belongs to such a split.
    """
    names = [name for name, (home, _) in PHOTOGRAPHS.items() if home == split]
    if not names:
        raise ValueError(f"no split {split!r}: wants train, val or test")
    return names


@cache  # all photographs at all scales: about 20 MB
def load(photograph: str, scale: int) -> Pixels:
    """Return a photograph at 1/`scale` of its size: (H, W, 3), RGB, 0..255, read-only."""
    with Image.open(FOLDER / f"{photograph}.jpg") as image:
        width, height = image.width // scale, image.height // scale
        small = image.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
    pixels = np.array(small)
    pixels.flags.writeable = False
    return pixels


def cut(crop: Crop, size: int = SIZE) -> Pixels:
    """Return the pixels of a crop: (size, size, 3), RGB, 0..255."""
    pixels = load(crop.photograph, crop.scale)
    return pixels[crop.y : crop.y + size, crop.x : crop.x + size]


def draw_crop(split: str, rng: np.random.Generator, size: int = SIZE) -> Crop:
    """Draw a crop from the photographs of `split` that has LEAST_CONTRAST."""
    names = photographs_of(split)
    while True:
        photograph = names[rng.integers(len(names))]
        scale = int(rng.choice(list(SCALES), p=list(SCALES.values())))
        height, width, _ = load(photograph, scale).shape
        x, y = int(rng.integers(width - size + 1)), int(rng.integers(height - size + 1))
        crop = Crop(photograph, scale, x, y)
        if cut(crop, size).std(axis=(0, 1)).mean() >= LEAST_CONTRAST:
            return crop


def detail(pixels: Pixels) -> float:
    """Return the mean difference of a pixel's grey level from the mean of its 3x3 neighbourhood."""
    grey = pixels.mean(axis=2)
    return float(np.abs(grey - cv2.blur(grey, (3, 3))).mean())


def draw_different_crops(split: str, number: int, rng: np.random.Generator) -> list[Crop]:
    """Draw `number` different crops of SIZE with LEAST_DETAIL from the photographs of `split`."""
    crops: dict[Crop, None] = {}  # a dict keeps the order of drawing
    while len(crops) < number:
        crop = draw_crop(split, rng)
        if detail(cut(crop)) >= LEAST_DETAIL:
            crops[crop] = None
    return list(crops)
