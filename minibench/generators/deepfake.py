"""Deepfake: one encoder, a decoder per identity, and a soft mask that blends the result in."""

import torch
from torch import Tensor, nn

from minibench.generators.blocks import CODE, Encoder, Generator, conv

IDENTITIES = 2


def soft_masks(images: Tensor) -> Tensor:
    """Draw ellipses with soft edges, roughly in the middle of each image: N,1,H,W in [0,1]."""
    number, _, height, width = images.shape
    y = torch.linspace(-1, 1, height, device=images.device)[:, None]
    x = torch.linspace(-1, 1, width, device=images.device)[None, :]
    drawn = torch.rand(4, number, 1, 1, device=images.device)
    centre_y, centre_x = (drawn[:2] - 0.5) * 0.3
    radius_y, radius_x = 0.75 + 0.15 * drawn[2:]
    distance = ((y - centre_y) / radius_y) ** 2 + ((x - centre_x) / radius_x) ** 2
    return torch.sigmoid((1 - distance) * 6)[:, None]


class Deepfake(Generator):
    """Pixel-shuffle decoders, one per identity, blended in (Roessler et al., 2019, "DeepFakes").

    Which decoder an image gets is drawn at random, as a face is swapped from one to the other.
    While training, the output is not blended, so that all of it is learned.
    """

    restores = True

    def __init__(self) -> None:
        super().__init__()
        self.encode = Encoder()
        self.decoders = nn.ModuleList(self.decoder() for _ in range(IDENTITIES))

    @staticmethod
    def decoder() -> nn.Sequential:
        """Build a decoder: code N,24,h,w -> N,3,4h,4w in [-1,1]."""
        return nn.Sequential(
            *(conv(CODE, 48), nn.LeakyReLU(0.1)),
            *(conv(48, 4 * 32), nn.LeakyReLU(0.1), nn.PixelShuffle(2)),
            *(conv(32, 4 * 16), nn.LeakyReLU(0.1), nn.PixelShuffle(2)),
            *(conv(16, 3, size=5), nn.Tanh()),
        )

    def forward(self, images: Tensor) -> Tensor:
        """N,3,H,W -> the same shape."""
        code = self.encode(images)
        identity = torch.randint(IDENTITIES, (len(images),), device=images.device)
        swapped = torch.zeros_like(images)
        for index, decoder in enumerate(self.decoders):
            chosen = (identity == index).nonzero().flatten()
            if len(chosen):  # a small batch may hold none of this identity
                decoded = decoder(code[chosen]).to(images.dtype)
                swapped = swapped.index_copy(0, chosen, decoded)
        if self.training:
            return swapped
        mask = soft_masks(images)
        return mask * swapped + (1 - mask) * images
