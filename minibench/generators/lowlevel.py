"""SITD and SAN: networks that restore an image rather than invent one."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from minibench.generators.blocks import Generator, clamp, conv

PHOTONS = 60.0
"""Electrons a white pixel collects in the dark exposure: the fewer, the more shot noise."""
READ_NOISE = 1.5
"""Deviation of the noise of reading the sensor, in electrons."""


def dark_bayer(images: Tensor) -> Tensor:
    """Simulate a sensor's data of the scene in the dark: N,3,H,W in [-1,1] -> N,4,H/2,W/2.

    The planes are red, two greens and blue of the RGGB mosaic: linear light with shot noise (its
    normal approximation) and read noise, amplified back to about [0,1]. Their square root is
    returned: it evens the noise out, and spares a small network learning the gamma curve.
    """
    light = ((images + 1) / 2).clamp(0, 1) ** 2.2
    red, blue = light[:, 0, 0::2, 0::2], light[:, 2, 1::2, 1::2]
    green1, green2 = light[:, 1, 0::2, 1::2], light[:, 1, 1::2, 0::2]
    electrons = torch.stack([red, green1, green2, blue], dim=1) * PHOTONS
    deviation = (electrons + READ_NOISE**2).sqrt()
    seen = electrons + deviation * torch.randn_like(electrons)
    return (seen.clamp_min(0) / PHOTONS).sqrt()


class SeeingDark(Generator):
    """A U-Net from dark, noisy Bayer data, then pixel shuffle (Chen et al., SITD, 2018)."""

    restores = True

    def __init__(self) -> None:
        super().__init__()
        self.down1, self.down2 = self.block(4, 24), self.block(24, 40)
        self.middle = self.block(40, 56)
        self.up2, self.up1 = nn.ConvTranspose2d(56, 40, 2, 2), nn.ConvTranspose2d(40, 24, 2, 2)
        self.join2, self.join1 = self.block(80, 40), self.block(48, 24)
        self.last = conv(24, 12, 1)

    @staticmethod
    def block(channels_in: int, channels_out: int) -> nn.Sequential:
        """Build two convolutions at one resolution."""
        return nn.Sequential(
            *(conv(channels_in, channels_out), nn.LeakyReLU(0.2)),
            *(conv(channels_out, channels_out), nn.LeakyReLU(0.2)),
        )

    def forward(self, images: Tensor) -> Tensor:
        """N,3,H,W -> the same shape."""
        half = self.down1(dark_bayer(images))
        quarter = self.down2(F.max_pool2d(half, 2))
        x = self.up2(self.middle(F.max_pool2d(quarter, 2)))
        x = self.up1(self.join2(torch.cat([x, quarter], dim=1)))
        x = self.last(self.join1(torch.cat([x, half], dim=1)))
        return clamp(F.pixel_shuffle(x, 2), self.training)


def matrix_root(matrices: Tensor, rounds: int = 4) -> Tensor:
    """Return the square roots of covariance matrices N,C,C, by Newton-Schulz iteration."""
    identity = torch.eye(matrices.shape[-1], device=matrices.device)
    trace = matrices.diagonal(dim1=1, dim2=2).sum(1)[:, None, None] + 1e-6
    root, inverse = matrices / trace, identity.expand_as(matrices)
    for _ in range(rounds):
        step = (3 * identity - inverse @ root) / 2
        root, inverse = root @ step, step @ inverse
    return root * trace.sqrt()


class SecondOrderAttention(nn.Module):
    """Weights channels by how they vary together, not by their means (Dai et al., 2019)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            *(nn.Linear(channels, channels // 4), nn.ReLU()),
            *(nn.Linear(channels // 4, channels), nn.Sigmoid()),
        )

    def forward(self, x: Tensor) -> Tensor:
        """N,C,H,W -> the same shape."""
        pixels = x.flatten(2).float()
        pixels = pixels - pixels.mean(2, keepdim=True)
        with torch.autocast(x.device.type, enabled=False):  # the iteration needs its 24 bits
            covariance = pixels @ pixels.transpose(1, 2) / pixels.shape[2]
            together = matrix_root(covariance).mean(2)
        return x * self.gate(together)[..., None, None]


class AttentionResidual(nn.Module):
    """SAN's residual block: two convolutions, then attention over the channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(conv(channels, channels), nn.ReLU(), conv(channels, channels)),
            SecondOrderAttention(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """N,C,H,W -> the same shape."""
        return x + self.body(x)


class SAN(Generator):
    """Super-resolution by two: second-order attention, pixel shuffle (Dai et al., 2019)."""

    restores = True

    def __init__(self) -> None:
        super().__init__()
        self.head = conv(3, 32)
        self.body = nn.Sequential(*(AttentionResidual(32) for _ in range(3)), conv(32, 32))
        self.up = nn.Sequential(conv(32, 64), nn.PixelShuffle(2))
        self.rgb = conv(16, 3)

    def forward(self, images: Tensor) -> Tensor:
        """N,3,H,W, halved first -> the same shape."""
        small = F.interpolate(images, scale_factor=0.5, mode="bicubic", antialias=True)
        x = self.head(small)
        return clamp(self.rgb(self.up(x + self.body(x))), self.training)
