"""Shallow edits: what a person with a photo editor does to a part of a photograph.

Each edit changes pixels inside its brush, a disc, and leaves all others as they are, to the bit.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from minibench.photographs import Pixels

KINDS = ("liquify", "splice", "clone", "retouch")
LEAST_SIDE = 32
"""Of an image, in pixels: room for two brushes side by side, wherever the first one is."""
RADIUS = (0.10, 0.18)
"""Of a brush, as a share of the short side: it covers 3 to 10 per cent of a square image."""
LEAST_CHANGE = 2.0
"""Least mean difference inside the brush, in grey levels: a smaller edit is none."""
TRIES = 100
"""Brushes that are tried on an image before it is called too plain."""

Edit = Callable[[Pixels, "Brush", np.random.Generator], Pixels]
Plane = NDArray[np.float32]


class TooPlain(Exception):
    """An image on which no brush changes enough, such as a clear sky."""


class Brush(NamedTuple):
    """A disc inside the image: its centre, and the distance from which on nothing changes."""

    x: int
    y: int
    radius: int


def edit(kind: str, pixels: Pixels, *, other: Pixels, rng: np.random.Generator) -> Pixels:
    """Return a copy of an image, (H, W, 3) with sides from LEAST_SIDE, with one edit of `kind`.

    `other` is another photograph, for splice, as large at least as LEAST_SIDE and as the brush.
    Raises TooPlain where no place is found that the edit changes by LEAST_CHANGE.
    """
    edits: dict[str, Edit] = {
        "liquify": liquify,
        "splice": partial(splice, other=other),
        "clone": clone,
        "retouch": retouch,
    }
    for _ in range(TRIES):
        brush = draw_brush(pixels, rng)
        edited = edits[kind](pixels, brush, rng)
        inside = _distance(pixels, brush) < 1
        if np.abs(edited[inside].astype(int) - pixels[inside]).mean() >= LEAST_CHANGE:
            return edited
    raise TooPlain


def draw_brush(pixels: Pixels, rng: np.random.Generator) -> Brush:
    """Draw a brush whose disc lies wholly inside the image."""
    height, width, _ = pixels.shape
    radius = round(min(height, width) * rng.uniform(*RADIUS))
    return Brush(*_centre(pixels, radius, rng), radius)


def liquify(pixels: Pixels, brush: Brush, rng: np.random.Generator) -> Pixels:
    """Push the content in a direction, pinch it, or let it bulge, as a liquify brush does.

    The way of a pixel falls off from the centre with (1 - r^2)^2, r being the distance as a share
    of the radius: smooth at the edge. Its slope is at most 1.54 / radius, so a push by less than
    0.65 of the radius, and a bulge by less than 1, fold nothing.
    """
    rows, columns = np.indices(pixels.shape[:2], np.float32)
    distance = _distance(pixels, brush)
    fall = np.clip(1 - distance**2, 0, None) ** 2
    tool = rng.choice(("push", "pinch", "bulge"))
    if tool == "push":
        angle, way = rng.uniform(0, 2 * np.pi), brush.radius * rng.uniform(0.2, 0.45)
        from_x, from_y = columns - fall * way * np.cos(angle), rows - fall * way * np.sin(angle)
    else:
        strength = rng.uniform(0.3, 0.6) * (1 if tool == "pinch" else -1)
        from_x = columns + fall * strength * (columns - brush.x)
        from_y = rows + fall * strength * (rows - brush.y)
    interpolation = (cv2.INTER_LINEAR, cv2.INTER_CUBIC)[rng.integers(2)]
    image = np.ascontiguousarray(pixels)
    places = from_x.astype(np.float32), from_y.astype(np.float32)
    warped = cv2.remap(image, *places, interpolation, borderMode=cv2.BORDER_REFLECT_101)
    return np.where(distance[..., None] < 1, warped, pixels)


def splice(pixels: Pixels, brush: Brush, rng: np.random.Generator, *, other: Pixels) -> Pixels:
    """Paste a disc of `other`, another photograph, from anywhere in it, with a soft edge."""
    source = _centre(other, brush.radius, rng)
    return _paste(pixels, brush, source=other, at=source, rng=rng)


def clone(pixels: Pixels, brush: Brush, rng: np.random.Generator) -> Pixels:
    """Paste a disc of the image itself, from a place that the brush does not touch."""
    while True:
        x, y = _centre(pixels, brush.radius, rng)
        if np.hypot(x - brush.x, y - brush.y) >= 2 * brush.radius:
            return _paste(pixels, brush, source=pixels, at=(x, y), rng=rng)


def retouch(pixels: Pixels, brush: Brush, rng: np.random.Generator) -> Pixels:
    """Blur, or sharpen by an unsharp mask, with a soft edge."""
    blurred = cv2.GaussianBlur(pixels.astype(np.float32), (0, 0), rng.uniform(1.0, 2.0))
    if rng.integers(2):
        return _blend(pixels, blurred, brush=brush, rng=rng)
    sharp = pixels + rng.uniform(1.0, 2.0) * (pixels - blurred)
    return _blend(pixels, np.clip(sharp, 0, 255), brush=brush, rng=rng)


def _centre(pixels: Pixels, radius: int, rng: np.random.Generator) -> tuple[int, int]:
    """Draw the centre, x and y, of a disc that lies wholly inside the image."""
    height, width, _ = pixels.shape
    return int(rng.integers(radius, width - radius)), int(rng.integers(radius, height - radius))


def _distance(pixels: Pixels, brush: Brush) -> Plane:
    """Return the distance, (H, W), of each pixel from the brush's centre, in its radii."""
    rows, columns = np.indices(pixels.shape[:2], np.float32)
    distance: Plane = np.hypot(columns - brush.x, rows - brush.y) / np.float32(brush.radius)
    return distance


def _paste(
    pixels: Pixels,
    brush: Brush,
    *,
    source: Pixels,
    at: tuple[int, int],
    rng: np.random.Generator,
) -> Pixels:
    """Paste the disc of `source` around `at`, x and y, under the brush."""
    pasted = pixels.copy()
    pasted[_window(brush.x, brush.y, brush.radius)] = source[_window(*at, brush.radius)]
    return _blend(pixels, pasted, brush=brush, rng=rng)


def _window(x: int, y: int, radius: int) -> tuple[slice, slice]:
    return slice(y - radius, y + radius + 1), slice(x - radius, x + radius + 1)


def _blend(pixels: Pixels, new: NDArray[Any], *, brush: Brush, rng: np.random.Generator) -> Pixels:
    """Mix `new` into the image under a mask that is 1 in the middle and falls smoothly to 0."""
    softness = rng.uniform(0.2, 0.6)  # of the radius, over which it falls
    ramp = np.clip((1 - _distance(pixels, brush)) / softness, 0, 1)
    mask = (ramp**2 * (3 - 2 * ramp))[..., None]
    return np.round(pixels + mask * (new.astype(np.float32) - pixels)).astype(np.uint8)
