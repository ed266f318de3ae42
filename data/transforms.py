"""The two ways from a decoded image to the network's input, each a list to read downwards.

ImageNet normalisation comes after them, on the device and for a whole batch at a time
(networks/normalize.py).
"""

from __future__ import annotations

from data.augment import Blur, Jpeg, Transform
from data.geometry import CentreCrop, Flip, RandomCrop, Resize


def train_transform(
    load_size: int,
    crop_size: int,
    rz_interp: tuple[str, ...],
    blur: Blur,
    jpeg: Jpeg,
    flip: bool,
) -> list[Transform]:
    """Wang et al. 2020, section 4.1: blur before JPEG, both before the crop."""
    return [
        Resize(load_size, rz_interp),
        blur,
        jpeg,
        RandomCrop(crop_size),
        Flip(0.5 if flip else 0.0),
    ]


def eval_transform(crop_size: int | None) -> list[Transform]:
    """No resizing; the centre crop, or (None) the whole image."""
    return [CentreCrop(crop_size)] if crop_size else []


def val_transform(
    load_size: int, crop_size: int, rz_interp: tuple[str, ...], blur: Blur, jpeg: Jpeg
) -> list[Transform]:
    """As in evaluation, after the same degradations as in training at their middle strength."""
    sigma = (blur.sigma[0] + blur.sigma[-1]) / 2
    quality = (jpeg.quality[0] + jpeg.quality[-1]) // 2
    return [
        Resize(load_size, rz_interp),
        Blur(blur.prob, (sigma,), blur.method),
        Jpeg(jpeg.prob, (quality,), ("pil",)),
        *eval_transform(crop_size),
    ]
