"""The transforms of training, validation and evaluation, each a list to read downwards.

ImageNet normalization comes after them, on the device, a batch at a time (networks/normalize.py).
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
    """Return the transforms of training (Wang et al. 2020, 4.1): blur, then JPEG, then the crop."""
    return [
        Resize(load_size, rz_interp),
        blur,
        jpeg,
        RandomCrop(crop_size),
        Flip(0.5 if flip else 0.0),
    ]


def eval_transform(crop_size: int | None) -> list[Transform]:
    """Return the transforms of evaluation: the centre crop, or none for the whole image (None)."""
    return [CentreCrop(crop_size)] if crop_size else []


def val_transform(
    load_size: int, crop_size: int, rz_interp: tuple[str, ...], blur: Blur, jpeg: Jpeg
) -> list[Transform]:
    """Return the transforms of validation: those of training at middle strength, centre crop."""
    sigma = (blur.sigma[0] + blur.sigma[-1]) / 2
    quality = (jpeg.quality[0] + jpeg.quality[-1]) // 2
    return [
        Resize(load_size, rz_interp),
        Blur(blur.prob, (sigma,), blur.method),
        Jpeg(jpeg.prob, (quality,), ("pil",)),
        *eval_transform(crop_size),
    ]
