"""CycleGAN, StarGAN and GauGAN: decoders of image-to-image translation."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from minibench.generators.blocks import (
    CODE,
    LABELS,
    LATENT,
    WIDTHS,
    Colour,
    Encoder,
    Generator,
    InstanceResidual,
    TranslationEncoder,
    conv,
    fit,
    label_map,
    nearest_up,
    with_noise,
)


class CycleGAN(Generator):
    """Reflection padding, instance norm, 3x3 transposed convolutions (Zhu et al., 2017)."""

    def __init__(self) -> None:
        super().__init__()
        self.colour = Colour()
        self.body = nn.Sequential(
            TranslationEncoder("reflect"),
            *(InstanceResidual(56, "reflect"), InstanceResidual(56, "reflect")),
            *self.up(56, 40),
            *self.up(40, 24),
            conv(24, 3, size=7, padding="reflect"),
        )

    @staticmethod
    def up(channels_in: int, channels_out: int) -> tuple[nn.Module, ...]:
        """Double the size by a transposed convolution of 3x3 with stride 2."""
        return (
            nn.ConvTranspose2d(channels_in, channels_out, 3, 2, padding=1, output_padding=1),
            nn.InstanceNorm2d(channels_out, affine=True),
            nn.ReLU(),
        )

    def forward(self, images: Tensor) -> Tensor:
        """N,3,H,W -> the same shape."""
        return torch.tanh(self.colour(self.body(images), images))


class StarGAN(Generator):
    """Label planes beside the code, 4x4 transposed convolutions (Choi et al., 2018)."""

    def __init__(self) -> None:
        super().__init__()
        self.colour = Colour()
        self.body = nn.Sequential(
            TranslationEncoder("zeros", planes=4),
            *(InstanceResidual(56, "zeros"), InstanceResidual(56, "zeros")),
            *self.up(56, 40),
            *self.up(40, 24),
            conv(24, 3, size=7),
        )

    @staticmethod
    def up(channels_in: int, channels_out: int) -> tuple[nn.Module, ...]:
        """Double the size by a transposed convolution of 4x4 with stride 2."""
        return (
            nn.ConvTranspose2d(channels_in, channels_out, 4, 2, padding=1),
            nn.InstanceNorm2d(channels_out, affine=True),
            nn.ReLU(),
        )

    @staticmethod
    def attributes(images: Tensor) -> Tensor:
        """Return four attributes of each image as 0 or 1, N,4: bright, warm, green, contrast."""
        red, green, blue = images.mean((2, 3)).unbind(1)
        bright = red + green + blue > 0
        contrast = images.std((1, 2, 3)) > 0.4
        return torch.stack([bright, red > blue, 2 * green > red + blue, contrast], 1).float()

    def forward(self, images: Tensor) -> Tensor:
        """N,3,H,W -> the same shape, translated into the domain that each image is of already."""
        planes = self.attributes(images)[..., None, None].expand(-1, -1, *images.shape[2:])
        return torch.tanh(self.colour(self.body(torch.cat([images, planes], 1)), images))


class Spade(nn.Module):
    """Batch norm whose gain and offset come, by pixel, from a label map (Park et al., 2019)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.shared = conv(LABELS, 16)
        self.affine = conv(16, 2 * channels)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        """N,C,h,w and the label map N,6,H,W -> N,C,h,w."""
        gain, offset = self.affine(F.relu(self.shared(fit(labels, x)))).chunk(2, dim=1)
        return self.norm(x) * (1 + gain) + offset


class SpadeResidual(nn.Module):
    """GauGAN's residual block, with one SPADE for its one convolution."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.spade = Spade(channels_in)
        self.conv = conv(channels_in, channels_out)
        self.skip = conv(channels_in, channels_out, 1)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        """N,C,h,w and the label map N,6,H,W -> N,C',h,w."""
        return self.skip(x) + self.conv(F.leaky_relu(self.spade(x, labels), 0.2))


class GauGAN(Generator):
    """SPADE residual blocks on nearest upsampling, from a label map (Park et al., 2019)."""

    def __init__(self) -> None:
        super().__init__()
        self.encode = Encoder()
        self.first = conv(CODE + LATENT, WIDTHS[0])
        widths = (WIDTHS[0], *WIDTHS)
        self.blocks = nn.ModuleList(map(SpadeResidual, widths, widths[1:]))
        self.rgb = conv(WIDTHS[-1], 3)

    def forward(self, images: Tensor) -> Tensor:
        """N,3,H,W -> the same shape."""
        labels = label_map(images)
        x = self.blocks[0](self.first(with_noise(self.encode(images))), labels)
        for block in self.blocks[1:]:
            x = block(nearest_up(x), labels)
        return torch.tanh(self.rgb(F.leaky_relu(x, 0.2)))
