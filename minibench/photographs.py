"""The 65 photographs: how they are split, and how crops are drawn from them."""

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
SCALES = (25, 30, 36, 43, 50)
"""Per cent of its height and width to which a photograph is shrunk, each as often. Data sets come
in many sizes; at half or less, a photograph keeps no JPEG grid, and no trace of its sensor's."""
FILTERS = (
    Image.Resampling.LANCZOS,
    Image.Resampling.BICUBIC,
    Image.Resampling.BILINEAR,
    Image.Resampling.HAMMING,
)
"""What shrinks them, in turn: the data sets of the papers were made with different filters, and a
detector must not take one filter's sharpness for the mark of a photograph."""
LEAST_CONTRAST = 8.0
"""Least deviation of a crop's grey levels (0..255): below it, a crop is blank; none is drawn."""
LEAST_DETAIL = 3.0
"""Least mean difference of a crop from its 3x3 average, in grey levels. The benchmark omits those
below: out of focus or plain surface, they hold little to tell a photograph by."""

PHOTOGRAPHS = {
    "aitzgorri": ("train", "landscape"),
    "alpine-meadow": ("train", "landscape"),
    "black-canyon": ("train", "landscape"),
    "cinder-cones": ("train", "landscape"),
    "french-alpine-landscape": ("train", "landscape"),
    "halemaumau": ("train", "landscape"),
    "iceland-rhyolite": ("train", "landscape"),
    "nagasaki-boats": ("train", "landscape"),
    "northern-valley": ("train", "landscape"),
    "snow-patches": ("train", "landscape"),
    "sunset": ("train", "landscape"),
    "surf-rocks": ("train", "landscape"),
    "wide-valley": ("train", "landscape"),
    "winter-cliffs": ("train", "landscape"),
    "acanthus-mollis": ("train", "nature"),
    "allium-oreophilum": ("train", "nature"),
    "feather-star": ("train", "nature"),
    "life": ("train", "nature"),
    "lionfish": ("train", "nature"),
    "march-pastoral": ("train", "nature"),
    "orange-coral": ("train", "nature"),
    "pink-coral": ("train", "nature"),
    "reef": ("train", "nature"),
    "seeding": ("train", "nature"),
    "soft-coral": ("train", "nature"),
    "starfish": ("train", "nature"),
    "turtle": ("train", "nature"),
    "airplane-from-above": ("train", "object"),
    "astronaut": ("train", "object"),
    "colosseum": ("train", "object"),
    "fig-in-bowl": ("train", "object"),
    "launch-pad": ("train", "object"),
    "paint-brushes": ("train", "object"),
    "rocket": ("train", "object"),
    "rocket-launch": ("train", "object"),
    "rocket-stage": ("train", "object"),
    "station-cupola": ("train", "object"),
    "station-hatch": ("train", "object"),
    "station-node": ("train", "object"),
    "station-window": ("train", "object"),
    "china": ("val", "landscape"),
    "green-foothills": ("val", "landscape"),
    "chelsea": ("val", "nature"),
    "cherry-blossom": ("val", "nature"),
    "coffee": ("val", "object"),
    "test-chamber": ("val", "object"),
    "cypress-hill": ("test", "landscape"),
    "dust-bowl-home": ("test", "landscape"),
    "picos-de-europa": ("test", "landscape"),
    "rocky-ridge": ("test", "landscape"),
    "snow-peak": ("test", "landscape"),
    "steep-valley": ("test", "landscape"),
    "crocodile": ("test", "nature"),
    "flower": ("test", "nature"),
    "friends": ("test", "nature"),
    "honey-bee": ("test", "nature"),
    "moose": ("test", "nature"),
    "snake": ("test", "nature"),
    "cincinnati-bridge": ("test", "object"),
    "citrus-fruits": ("test", "object"),
    "coastal-launch-pad": ("test", "object"),
    "motorcycle": ("test", "object"),
    "robot-arm": ("test", "object"),
    "shuttle-hangar": ("test", "object"),
    "wine": ("test", "object"),
}
"""Name of a photograph -> its split and class. Split by photograph, never by crop."""

Pixels = NDArray[np.uint8]


class Crop(NamedTuple):
    """Where a square was cut: photograph, per cent of its size, left and upper edge in pixels."""

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


def photographs_of(split: str, kind: str | None = None) -> list[str]:
    """Return the names of the photographs of `split` (train, val or test), or of one class of it.

    Raises:
        ValueError: there are none.
    """
    names = [
        name
        for name, (home, its_kind) in PHOTOGRAPHS.items()
        if home == split and kind in (None, its_kind)
    ]
    if not names:
        raise ValueError(f"no photograph of split {split!r} and class {kind!r}")
    return names


@cache  # all photographs: 112 MB
def load(photograph: str) -> dict[int, Pixels]:
    """Return a photograph at each of SCALES: (H, W, 3), RGB, 0..255, read-only."""
    place = list(PHOTOGRAPHS).index(photograph)
    shrunk = {}
    with Image.open(FOLDER / f"{photograph}.jpg") as image:
        whole = image.convert("RGB")
    for number, scale in enumerate(SCALES, place):
        size = whole.width * scale // 100, whole.height * scale // 100
        shrunk[scale] = np.array(whole.resize(size, FILTERS[number % len(FILTERS)]))
        shrunk[scale].flags.writeable = False
    return shrunk


def cut(crop: Crop) -> Pixels:
    """Return the pixels of a crop: (SIZE, SIZE, 3), RGB, 0..255."""
    pixels = load(crop.photograph)[crop.scale]
    return pixels[crop.y : crop.y + SIZE, crop.x : crop.x + SIZE]


def draw_crop(split: str, rng: np.random.Generator, *, kind: str | None = None) -> Crop:
    """Draw a crop with LEAST_CONTRAST from the photographs of `split`, or of one class of it."""
    names = photographs_of(split, kind)
    while True:
        photograph = names[rng.integers(len(names))]
        scale = SCALES[rng.integers(len(SCALES))]
        height, width, _ = load(photograph)[scale].shape
        x, y = int(rng.integers(width - SIZE + 1)), int(rng.integers(height - SIZE + 1))
        crop = Crop(photograph, scale, x, y)
        if cut(crop).std(axis=(0, 1)).mean() >= LEAST_CONTRAST:
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
