"""ImageNet normalisation, on the device, for a whole batch at a time."""

from __future__ import annotations

import torch

MEAN = (0.485, 0.456, 0.406)  # torchvision's figures for its ImageNet weights
STD = (0.229, 0.224, 0.225)


def normalise(images: torch.Tensor) -> torch.Tensor:
    """(N, 3, H, W) uint8 -> float32 with ImageNet's mean and deviation, channels last."""
    images = images.to(torch.float32, memory_format=torch.channels_last) / 255
    mean = torch.tensor(MEAN, device=images.device).view(3, 1, 1)
    std = torch.tensor(STD, device=images.device).view(3, 1, 1)
    return (images - mean) / std
