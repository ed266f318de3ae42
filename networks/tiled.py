"""Very large images in tiles, for a network that keeps every pixel and so the memory of each."""

from __future__ import annotations

import torch
from torch import Tensor, nn

LIMIT = 1536  # pixels; an image with both sides above it is cut (sidbench's code for Grag2021)
SIDE = 1024  # of a tile; those at the right and at the bottom may be smaller (ibid.)


class Tiled(nn.Module):
    """A network that scores very large images tile by tile; others as they are."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, 1) logits of (N, 3, H, W) normalized images: of tiles that do not overlap the
        mean, each weighed by its area.
        """
        height, width = images.shape[-2:]
        if min(height, width) <= LIMIT:
            logits: Tensor = self.network(images)
            return logits
        total = torch.zeros(len(images), 1, device=images.device)
        for top in range(0, height, SIDE):
            for left in range(0, width, SIDE):
                tile = images[..., top : top + SIDE, left : left + SIDE]
                total += self.network(tile).float() * (tile.shape[-2] * tile.shape[-1])
        return total / (height * width)
