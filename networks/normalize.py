"""Pixels to the network's input, on the device, for a whole batch at a time."""

from __future__ import annotations

import torch

from networks.architectures import IMAGENET_MEAN, IMAGENET_STD, Triple


def normalize(
    images: torch.Tensor, mean: Triple = IMAGENET_MEAN, std: Triple = IMAGENET_STD
) -> torch.Tensor:
    """Return (N, 3, H, W) uint8 images as float32 of this mean and deviation, channels last."""
    # in place, and channels last only at the end: on a CPU over twice as fast
    scaled = (images / 255).sub_(_channels(mean, images)).div_(_channels(std, images))
    return scaled.contiguous(memory_format=torch.channels_last)


def _channels(values: Triple, images: torch.Tensor) -> torch.Tensor:
    return torch.tensor(values, device=images.device).view(3, 1, 1)
