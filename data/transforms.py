"""The transforms of training, validation and evaluation, each a list to read downwards.

ImageNet normalization comes after them, on the device, a batch at a time (networks/normalize.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from data.augment import Blur, Jpeg, Transform
from data.geometry import CentreCrop, CornerCrop, Flip, RandomCrop, Resize


def train_transform(
    load_size: int,
    crop_size: int,
    rz_interp: tuple[str, ...],
    *,
    blur: Blur,
    jpeg: Jpeg,
    flip: bool,
    more: Sequence[Transform] = (),
) -> list[Transform]:
    """Return the transforms of training (Wang et al. 2020, 4.1): blur, then JPEG, then the crop;
    last what that paper does not have.
    """
    return [
        Resize(load_size, rz_interp),
        blur,
        jpeg,
        RandomCrop(crop_size),
        Flip(0.5 if flip else 0.0),
        *more,
    ]


def eval_transform(crop_size: int | None) -> list[Transform]:
    """Return the transforms of evaluation: the centre crop, or none for the whole image (None)."""
    return [CentreCrop(crop_size)] if crop_size else []


def eval_crops(crop_size: int | None, crops: int) -> list[list[Transform]]:
    """Return a list for each crop: the centre; of 5 the corners, too; of 10 all mirrored, too."""
    if crop_size is None or crops == 1:
        return [eval_transform(crop_size)]
    five: list[list[Transform]] = [[CentreCrop(crop_size)]]
    five += [[CornerCrop(crop_size, bottom, right)] for bottom in (0, 1) for right in (0, 1)]
    return five if crops == 5 else five + [[Flip(1.0), *crop] for crop in five]


def val_transform(
    load_size: int, crop_size: int, rz_interp: tuple[str, ...], *, blur: Blur, jpeg: Jpeg
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
