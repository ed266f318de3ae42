"""Small pictures for pages: an image shrunk, a map of evidence over it, the spectrum of one."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

import matplotlib
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from data.augment import Transform
from data.images import Pixels
from evaluation.spectrum import log_magnitude, residual_transform
from networks.overlay import Heat, overlaid

Explain = Callable[[Tensor], Heat]  # of an image, (3, height, width) uint8

THUMBNAIL = 224  # pixels of the long side, at most: the usual crop is shown pixel by pixel
ORIGINAL = 64  # up to this long side a PNG is small, and artefacts of JPEG would be seen
EXPLAINED = 1024  # pixels of each side, at most
SPECTRUM = 224  # pixels of the square whose spectrum is drawn, at most


def applied(transforms: Sequence[Transform], image: Pixels) -> Pixels:
    """Return the image after transforms that draw nothing."""
    for transform in transforms:
        image = transform(image, np.random.default_rng(0))
    return image


def shrunk(image: Pixels, side: int = THUMBNAIL) -> Image.Image:
    """Return the image with at most `side` pixels a side, never enlarged."""
    small = Image.fromarray(image)
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    return small


def encoded(image: Image.Image) -> bytes:
    """Return the file of a picture: PNG up to 64 pixels, else JPEG."""
    buffer = io.BytesIO()
    if max(image.size) <= ORIGINAL:
        image.save(buffer, "PNG", optimize=True)
    else:
        image.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def heat_over(picture: Image.Image, seen: Pixels, explain: Explain) -> Image.Image:
    """Return `picture`, what the network saw but shrunk, in grey with the map laid over it.

    What is explained is the middle of what was `seen`, at most 1024x1024 pixels, as more would need
    gigabytes; beyond it the picture is darkened. So for a larger image the map is that of the
    verdict on its middle, which may differ from the verdict on the whole.
    """
    height, width = seen.shape[:2]
    top, left = (max(side - EXPLAINED, 0) // 2 for side in (height, width))
    middle = seen[top : top + EXPLAINED, left : left + EXPLAINED].transpose(2, 0, 1)
    heat = explain(torch.from_numpy(np.ascontiguousarray(middle)))
    scale_x, scale_y = picture.width / width, picture.height / height
    x, y = int(left * scale_x), int(top * scale_y)
    right = max(round((left + middle.shape[2]) * scale_x), x + 1)
    bottom = max(round((top + middle.shape[1]) * scale_y), y + 1)
    return overlaid(picture, heat, (x, y, right, bottom))


def spectrum_of(image: Pixels) -> bytes:
    """Return the spectrum of an image's residual as a PNG: log magnitude, zero frequency in the
    middle, of the largest square in its middle of at most 224 pixels a side.
    """
    size = min(SPECTRUM, *image.shape[:2])
    plane = log_magnitude(np.abs(residual_transform(image, size)))
    low, high = np.percentile(plane, (1, 99.98))  # as tools.spectra shows it
    levels = ((plane - low) / max(high - low, 1e-3)).clip(0, 1) * 255
    picture = Image.fromarray(levels.round().astype(np.uint8))
    colours = matplotlib.colormaps["magma"](range(256))[:, :3] * 255
    picture.putpalette(colours.round().astype(np.uint8).tobytes())
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)  # JPEG would smear a trace, which is one pixel
    return buffer.getvalue()
