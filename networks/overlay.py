"""Lay Grad-CAM's map over the picture that it explains."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

Heat = npt.NDArray[np.floating]  # (height, width) in [0, 1]


class Explanation(NamedTuple):
    """Where the evidence for the verdict on one image lies."""

    logit: float  # the evidence is that for "fake" where it is above the threshold (0)
    heat: Heat  # a share of the strongest
    seen: Image.Image  # what the network saw: the image after resize and crop
    picture: Image.Image  # the same in grey, with the heat laid over it


def overlaid(image: Image.Image, heat: Heat, box: tuple[int, int, int, int]) -> Image.Image:
    """Return `heat` over the part `box` (left, top, right, bottom) of `image`, the more opaque the
    stronger; what lies beyond the box is darkened. The image is grey, so colour is heat alone.
    """
    import matplotlib  # noqa: PLC0415 (training needs none)

    left, top, right, bottom = box
    size = (right - left, bottom - top)
    small = Image.fromarray(heat.astype(np.float32)).resize(size, Image.Resampling.BILINEAR)
    values = np.asarray(small)
    colours = matplotlib.colormaps["inferno"](values)[..., :3] * 255
    alpha = 0.75 * values[..., np.newaxis]
    pixels = np.asarray(image.convert("L").convert("RGB"))
    result = pixels * 0.4
    result[top:bottom, left:right] = pixels[top:bottom, left:right] * (1 - alpha) + colours * alpha
    return Image.fromarray(result.round().astype(np.uint8))
