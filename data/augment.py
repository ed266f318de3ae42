"""The paper's two augmentations: blur and JPEG, each with its own chance (Wang et al. 2020, 4.1).

A transform takes an image, (H, W, 3) uint8, and that image's random generator. It draws from this
generator alone, so that the same generator gives the same image.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image
from scipy import ndimage

from data.images import Pixels

Transform = Callable[[Pixels, np.random.Generator], Pixels]


@dataclass(frozen=True)
class Blur:
    """Gaussian blur with chance `prob`; its sigma in pixels is uniform over `sigma`.

    `sigma` is one value or a range; `method` is a key of BLUR_METHODS.
    """

    prob: float
    sigma: tuple[float, ...]
    method: str = "cv2"

    def __call__(self, image: Pixels, rng: np.random.Generator) -> Pixels:
        """Return the image, blurred or untouched."""
        if rng.random() >= self.prob:
            return image
        return BLUR_METHODS[self.method](image, rng.uniform(self.sigma[0], self.sigma[-1]))


@dataclass(frozen=True)
class Jpeg:
    """JPEG compression with chance `prob`.

    The quality is drawn from the integers of `quality` (one value, or a range with both ends
    included), the encoder from `methods`, keys of JPEG_METHODS.
    """

    prob: float
    quality: tuple[int, ...]
    methods: tuple[str, ...] = ("cv2",)

    def __call__(self, image: Pixels, rng: np.random.Generator) -> Pixels:
        """Return the image, compressed and decoded again, or untouched."""
        if rng.random() >= self.prob:
            return image
        quality = int(rng.integers(self.quality[0], self.quality[-1], endpoint=True))
        method = self.methods[rng.integers(len(self.methods))]
        return JPEG_METHODS[method](image, quality)


def blur_scipy(image: Pixels, sigma: float) -> Pixels:
    """Blur each channel in uint8, as the reference does, bit for bit.

    Each of the two passes truncates, which darkens the image by about one grey level.
    """
    blurred = np.empty_like(image)
    for channel in range(3):
        ndimage.gaussian_filter(image[..., channel], sigma, output=blurred[..., channel])
    return blurred


def blur_cv2(image: Pixels, sigma: float) -> Pixels:
    """Blur with the kernel and the reflected edges (dcba|abcd) of `blur_scipy`, but round."""
    radius = int(4 * sigma + 0.5)  # where scipy truncates its kernel
    if radius == 0:
        return image
    size = 2 * radius + 1
    return np.asarray(cv2.GaussianBlur(image, (size, size), sigma, borderType=cv2.BORDER_REFLECT))


def jpeg_cv2(image: Pixels, quality: int) -> Pixels:
    """Compress with OpenCV and decode again."""
    _, encoded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR))[..., ::-1]


def jpeg_pil(image: Pixels, quality: int) -> Pixels:
    """Compress with PIL and decode again."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="jpeg", quality=quality)
    return np.asarray(Image.open(buffer))


BLUR_METHODS: dict[str, Callable[[Pixels, float], Pixels]] = {
    "cv2": blur_cv2,
    "scipy": blur_scipy,
}
JPEG_METHODS: dict[str, Callable[[Pixels, int], Pixels]] = {"cv2": jpeg_cv2, "pil": jpeg_pil}
