"""The paper's two augmentations, blur and JPEG, each with its own chance (Wang et al. 2020, 4.1),
and others of later papers.

A transform takes an image, (H, W, 3) uint8, and that image's random generator. It draws from this
generator alone, so that the same generator gives the same image.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import simplejpeg
from PIL import Image, ImageEnhance
from scipy import ndimage

from data.images import Pixels

PATCH, MOST_MASKED = 16, 0.75  # pixels; share of an image: Li et al. 2024, SAFE's released code
JITTER = 0.5  # of brightness, contrast and saturation, ibid.
NOISE = (2.0, 8.0)  # deviation in grey levels: our choice, no paper's

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
    included), the encoder from `methods`, keys of JPEG_METHODS. With `passes` above 1 the image is
    compressed 1 to `passes` times, each with its own quality and encoder: repeated mild compression
    serves better than a strong one (arXiv 2511.21507, up to 3).
    """

    prob: float
    quality: tuple[int, ...]
    methods: tuple[str, ...] = ("cv2",)
    passes: int = 1

    def __call__(self, image: Pixels, rng: np.random.Generator) -> Pixels:
        """Return the image, compressed and decoded again, or untouched."""
        if rng.random() >= self.prob:
            return image
        passes = rng.integers(1, self.passes, endpoint=True) if self.passes > 1 else 1
        for _ in range(passes):
            quality = int(rng.integers(self.quality[0], self.quality[-1], endpoint=True))
            method = self.methods[rng.integers(len(self.methods))]
            image = JPEG_METHODS[method](image, quality)
        return image


@dataclass(frozen=True)
class ColorJitter:
    """With chance `prob` change brightness, contrast and saturation, in a random order.

    Each is multiplied by a factor that is uniform over 1 - JITTER to 1 + JITTER.
    """

    prob: float

    def __call__(self, image: Pixels, rng: np.random.Generator) -> Pixels:
        """Return the image, changed or untouched."""
        if rng.random() >= self.prob:
            return image
        picture = Image.fromarray(image)
        for number in rng.permutation(len(ENHANCERS)):
            picture = ENHANCERS[number](picture).enhance(rng.uniform(1 - JITTER, 1 + JITTER))
        return np.asarray(picture)


@dataclass(frozen=True)
class Noise:
    """With chance `prob` add Gaussian noise, independent in each pixel and channel.

    Its deviation, in grey levels, is uniform over NOISE.
    """

    prob: float

    def __call__(self, image: Pixels, rng: np.random.Generator) -> Pixels:
        """Return the image, with noise or untouched."""
        if rng.random() >= self.prob:
            return image
        noise = rng.uniform(*NOISE) * rng.standard_normal(image.shape, np.float32)
        return np.rint(image + noise).clip(0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Cutout:
    """With chance `prob` make some of the patches of PATCH x PATCH pixels black, on their grid.

    Their share is uniform over 0 to MOST_MASKED, but at least one patch.
    """

    prob: float

    def __call__(self, image: Pixels, rng: np.random.Generator) -> Pixels:
        """Return the image, with patches missing or untouched."""
        if rng.random() >= self.prob:
            return image
        height, width = image.shape[:2]
        rows, columns = -(-height // PATCH), -(-width // PATCH)
        number = max(1, int(rng.uniform(0, MOST_MASKED) * rows * columns))
        kept = np.ones(rows * columns, np.uint8)
        kept[rng.choice(rows * columns, number, replace=False)] = 0
        kept = kept.reshape(rows, columns).repeat(PATCH, 0).repeat(PATCH, 1)
        return image * kept[:height, :width, None]


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
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR_RGB), np.uint8)


def jpeg_pil(image: Pixels, quality: int) -> Pixels:
    """Compress with PIL and decode again, to the bits of PIL's decoder."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="jpeg", quality=quality)
    return np.asarray(simplejpeg.decode_jpeg(buffer.getvalue(), "RGB"), np.uint8)


BLUR_METHODS: dict[str, Callable[[Pixels, float], Pixels]] = {
    "cv2": blur_cv2,
    "scipy": blur_scipy,
}
JPEG_METHODS: dict[str, Callable[[Pixels, int], Pixels]] = {"cv2": jpeg_cv2, "pil": jpeg_pil}
ENHANCERS = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)
