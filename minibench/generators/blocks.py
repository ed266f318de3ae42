"""Parts that several families share: base class, encoder, label map, small layers."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Padding = Literal["zeros", "reflect"]
CODE = 24
"""Channels of the encoder's code."""
LATENT = 4
"""Channels of noise beside the code, for the families that start from noise."""
WIDTHS = (72, 56, 32)
"""Channels at a quarter, half and all of the height and width."""
LABELS = 6
"""Labels of a label map."""


class Generator(nn.Module):
    """A family's generator: a batch of images N,3,H,W in [-1,1] gives fakes of the same shape.

    H and W are multiples of 8. Random parts draw from torch's default generator, so
    `torch.manual_seed` before the call makes them repeatable. While training, the output may
    leave [-1,1], lest a clamp stop the gradient.
    """

    restores = False
    """Whether the network is taught to give back each pixel and no more, as those of SITD, SAN and
    deepfakes are. The others have a discriminator, too."""

    def grow(self, progress: float) -> None:
        """Adapt to `progress`, the share of steps trained (0 to 1); most families ignore it."""


class Encoder(nn.Sequential):
    """N,3,H,W in [-1,1] -> code N,24,H/4,W/4: what most decoders start from.

    It holds half as many numbers as the image.
    """

    def __init__(self) -> None:
        super().__init__(
            nn.PixelUnshuffle(2),  # the first convolution runs at half size: four times cheaper
            conv(12, 32),
            nn.LeakyReLU(0.2),
            nn.Conv2d(32, 64, 3, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            conv(64, 64),
            nn.LeakyReLU(0.2),
            conv(64, CODE),
        )


class TranslationEncoder(nn.Sequential):
    """N,3,H,W in [-1,1], and planes beside it -> N,56,H/4,W/4: CycleGAN and StarGAN see the image
    that they translate.
    """

    def __init__(self, padding: Padding, planes: int = 0) -> None:
        super().__init__(
            conv(3 + planes, 16, 7, padding=padding),
            *(nn.InstanceNorm2d(16, affine=True), nn.ReLU()),
            nn.Conv2d(16, 32, 3, stride=2, padding=1),
            *(nn.InstanceNorm2d(32, affine=True), nn.ReLU()),
            nn.Conv2d(32, 56, 3, stride=2, padding=1),
            *(nn.InstanceNorm2d(56, affine=True), nn.ReLU()),
        )


def with_noise(code: Tensor) -> Tensor:
    """Put noise beside the code, N,24,h,w -> N,28,h,w: what lacks in it is invented from that."""
    number, _, height, width = code.shape
    noise = torch.randn(number, LATENT, height, width, device=code.device, dtype=code.dtype)
    return torch.cat([code, noise], dim=1)


def conv(
    channels_in: int, channels_out: int, size: int = 3, *, padding: Padding = "zeros"
) -> nn.Conv2d:
    """Build a convolution that keeps height and width; `size` is odd."""
    return nn.Conv2d(channels_in, channels_out, size, padding=size // 2, padding_mode=padding)


def clamp(images: Tensor, training: bool) -> Tensor:
    """Bring the images into [-1,1], except in training, where the gradient must pass."""
    return images if training else images.clamp(-1, 1)


def nearest_up(x: Tensor) -> Tensor:
    """Double height and width by repeating pixels."""
    return F.interpolate(x, scale_factor=2, mode="nearest")


def bilinear_up(x: Tensor) -> Tensor:
    """Double height and width bilinearly, which is repeating and then blurring."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def blur(x: Tensor, taps: tuple[int, ...]) -> Tensor:
    """Filter each channel by the outer product of `taps`, scaled to sum 1; zeros beyond the edge.

    With an even number of taps, one more row and column is padded before than after.
    """
    one = torch.tensor(taps, device=x.device, dtype=x.dtype)
    kernel = (one[:, None] * one / one.sum() ** 2).expand(x.shape[1], 1, -1, -1)
    before, after = len(taps) // 2, (len(taps) - 1) // 2
    return F.conv2d(F.pad(x, (before, after, before, after)), kernel, groups=x.shape[1])


def statistics(x: Tensor) -> Tensor:
    """Return mean and deviation of each channel, N,C,H,W -> N,2C: global colour and contrast."""
    return torch.cat([x.mean((2, 3)), x.std((2, 3))], dim=1)


class Colour(nn.Module):
    """Restores what instance norm removes, by one gain and one offset per image and channel.

    They are constant over the image, so they add no trace of their own, only the overall colour.
    """

    def __init__(self) -> None:
        super().__init__()
        self.affine = nn.Linear(6, 6)

    def forward(self, rgb: Tensor, images: Tensor) -> Tensor:
        """N,3,H,W and the images that were translated, N,3,H,W -> N,3,H,W."""
        gain, offset = self.affine(statistics(images))[..., None, None].chunk(2, dim=1)
        return rgb * (1 + gain) + offset


class InstanceResidual(nn.Sequential):
    """Residual block of CycleGAN and StarGAN: convolution, instance norm, ReLU, and again."""

    def __init__(self, channels: int, padding: Padding) -> None:
        super().__init__(
            conv(channels, channels, padding=padding),
            nn.InstanceNorm2d(channels, affine=True),
            nn.ReLU(),
            conv(channels, channels, padding=padding),
            nn.InstanceNorm2d(channels, affine=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        """N,C,H,W -> the same shape."""
        return x + super().forward(x)


def label_map(images: Tensor) -> Tensor:
    """Return a stand-in for a semantic map: smoothed brightness in six levels, one-hot.

    Brightness alone, as each label must be common: a net cannot paint one that its training
    photographs lack. N,3,H,W in [-1,1] -> N,6,H,W of zeros and ones.
    """
    grey = images.mean(1, keepdim=True)
    smooth = F.avg_pool2d(grey, 5, stride=1, padding=2, count_include_pad=False)
    levels = ((smooth + 1) / 2 * LABELS).long().clamp(0, LABELS - 1)
    return F.one_hot(levels[:, 0], LABELS).permute(0, 3, 1, 2).to(images.dtype)


def fit(labels: Tensor, like: Tensor) -> Tensor:
    """Shrink a label map to the height and width of `like`, keeping it one-hot."""
    return F.interpolate(labels, size=like.shape[2:], mode="nearest")
