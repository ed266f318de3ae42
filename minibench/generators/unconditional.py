"""ProGAN, StyleGAN, StyleGAN2 and BigGAN: decoders of generators that start from noise."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from minibench.generators.blocks import (
    CODE,
    LATENT,
    WIDTHS,
    Encoder,
    Generator,
    bilinear_up,
    blur,
    clamp,
    conv,
    nearest_up,
    statistics,
    with_noise,
)

STYLE = 48
"""Length of the style vector of StyleGAN, StyleGAN2 and of BigGAN's condition."""


def mapping() -> nn.Sequential:
    """Build StyleGAN's mapping: the code's statistics N,48 -> style vector w N,48."""
    return nn.Sequential(
        *(nn.Linear(2 * CODE, STYLE), nn.LeakyReLU(0.2)),
        *(nn.Linear(STYLE, STYLE), nn.LeakyReLU(0.2)),
    )


def pixel_noise(x: Tensor) -> Tensor:
    """Draw one plane of noise for each image of N,C,H,W."""
    return torch.randn(len(x), 1, *x.shape[2:], device=x.device, dtype=x.dtype)


class PixelNorm(nn.Module):
    """Scales the channels of each pixel to unit mean square (Karras et al., 2018)."""

    def forward(self, x: Tensor) -> Tensor:
        """N,C,H,W -> the same shape."""
        return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-8)


class ProGAN(Generator):
    """Nearest upsampling, convolutions with pixel norm, grown (Karras et al., 2018)."""

    def __init__(self) -> None:
        super().__init__()
        self.encode = Encoder()
        widths = (CODE + LATENT, *WIDTHS)
        self.blocks = nn.ModuleList(map(self.block, widths, widths[1:]))
        self.half_rgb, self.full_rgb = conv(WIDTHS[1], 3, 1), conv(WIDTHS[2], 3, 1)
        self.fade: Tensor
        self.register_buffer("fade", torch.tensor(1.0))

    @staticmethod
    def block(channels_in: int, channels_out: int) -> nn.Sequential:
        """Build two convolutions at one resolution."""
        return nn.Sequential(
            *(conv(channels_in, channels_out), nn.LeakyReLU(0.2), PixelNorm()),
            *(conv(channels_out, channels_out), nn.LeakyReLU(0.2), PixelNorm()),
        )

    def grow(self, progress: float) -> None:
        """Fade the full resolution in between a tenth and three tenths of the training."""
        self.fade.fill_(min(max((progress - 0.1) / 0.2, 0.0), 1.0))

    def forward(self, images: Tensor) -> Tensor:
        """N,3,H,W -> the same shape."""
        x = with_noise(self.encode(images))
        for block in self.blocks[:-1]:
            x = block(x)
            half, x = x, nearest_up(x)
        rgb = self.full_rgb(self.blocks[-1](x))
        if self.fade < 1:
            rgb = (1 - self.fade) * nearest_up(self.half_rgb(half)) + self.fade * rgb
        return clamp(rgb, self.training)


class StyledConv(nn.Module):
    """Convolution, noise per pixel, instance norm, style: AdaIN (Karras et al., 2019).

    With `up`, pixels are repeated before the convolution and blurred by 1,2,1 after it.
    """

    def __init__(self, channels_in: int, channels_out: int, *, up: bool) -> None:
        super().__init__()
        self.up = up
        self.conv = conv(channels_in, channels_out)
        self.noise = nn.Parameter(torch.full((1, channels_out, 1, 1), 0.1))
        self.style = nn.Linear(STYLE, 2 * channels_out)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """N,C,H,W and w N,48 -> N,C',H,W, or N,C',2H,2W with `up`."""
        x = blur(self.conv(nearest_up(x)), (1, 2, 1)) if self.up else self.conv(x)
        x = F.instance_norm(F.leaky_relu(x + self.noise * pixel_noise(x), 0.2))
        scale, shift = self.style(w)[..., None, None].chunk(2, dim=1)
        return x * (1 + scale) + shift


class StyleGAN(Generator):
    """Blurred upsampling, AdaIN from a mapping of the code, noise (Karras et al., 2019)."""

    def __init__(self) -> None:
        super().__init__()
        self.encode = Encoder()
        self.mapping = mapping()
        self.layers = nn.ModuleList()
        for before, width in zip((CODE, *WIDTHS), WIDTHS, strict=False):
            self.layers += [
                StyledConv(before, width, up=bool(self.layers)),
                StyledConv(width, width, up=False),
            ]
        self.rgb = conv(WIDTHS[-1], 3, 1)

    def forward(self, images: Tensor) -> Tensor:
        """N,3,H,W -> the same shape."""
        x = self.encode(images)  # where StyleGAN has its learned constant
        w = self.mapping(statistics(x))
        for layer in self.layers:
            x = layer(x, w)
        return clamp(self.rgb(x), self.training)


class ModulatedConv(nn.Module):
    """Convolution whose weights are scaled by the style, then normalized (Karras et al., 2020).

    Scaling input and output per image is mathematically the same as one set of weights per image,
    and cheaper. With `up`, it is a transposed convolution with stride 2, blurred by 1,3,3,1.
    """

    def __init__(self, channels_in: int, channels_out: int, size: int = 3, *, up: bool) -> None:
        super().__init__()
        self.up = up
        self.conv = conv(channels_in, channels_out, size)
        self.style = nn.Linear(STYLE, channels_in)
        self.demodulate = size > 1  # the layers to RGB keep their scale

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """N,C,H,W and w N,48 -> N,C',H,W, or N,C',2H,2W with `up`."""
        style = 1 + self.style(w)
        weight, bias = self.conv.weight, self.conv.bias
        y = x * style[..., None, None]
        if self.up:  # 2H+1 rows, of which the blur of four taps leaves 2H; times 4 for the zeros
            y = F.conv_transpose2d(y, weight.transpose(0, 1), stride=2)
            y = 4 * blur(y, (1, 3, 3, 1))[..., 1:, 1:]
        else:
            y = F.conv2d(y, weight, padding=self.conv.padding)
        if self.demodulate:
            power = style.square() @ weight.square().sum((2, 3)).t()
            y = y * torch.rsqrt(power + 1e-8)[..., None, None]
        return y if bias is None else y + bias[:, None, None]


class StyleGAN2(Generator):
    """Modulated convolutions, RGB summed over the resolutions (Karras et al., 2020).

    Bilinear upsampling of RGB is what zeros between the pixels and a blur by 1,3,3,1 give.
    """

    def __init__(self) -> None:
        super().__init__()
        self.encode = Encoder()
        self.mapping = mapping()
        widths = list(zip((CODE, *WIDTHS), WIDTHS, strict=False))
        self.first = nn.ModuleList(ModulatedConv(a, b, up=a != CODE) for a, b in widths)
        self.second = nn.ModuleList(ModulatedConv(b, b, up=False) for _, b in widths)
        self.rgb = nn.ModuleList(ModulatedConv(b, 3, 1, up=False) for _, b in widths)
        self.noise = nn.ParameterList(torch.tensor([0.1, 0.1]) for _ in widths)

    def forward(self, images: Tensor) -> Tensor:
        """N,3,H,W -> the same shape."""
        x = self.encode(images)
        w = self.mapping(statistics(x))
        rgb: Tensor | None = None
        layers = zip(self.first, self.second, self.rgb, self.noise, strict=True)
        for first, second, to_rgb, strength in layers:
            x = first(x, w)
            x = F.leaky_relu(x + strength[0] * pixel_noise(x), 0.2)
            x = second(x, w)
            x = F.leaky_relu(x + strength[1] * pixel_noise(x), 0.2)
            rgb = to_rgb(x, w) if rgb is None else bilinear_up(rgb) + to_rgb(x, w)
        assert rgb is not None
        return clamp(rgb, self.training)


class ConditionalNorm(nn.Module):
    """Batch norm whose gain and offset come from a condition (Brock et al., 2019)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.affine = nn.Linear(2 * CODE, 2 * channels)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """N,C,H,W and condition N,48 -> N,C,H,W."""
        gain, offset = self.affine(condition)[..., None, None].chunk(2, dim=1)
        return self.norm(x) * (1 + gain) + offset


class ResidualUp(nn.Module):
    """BigGAN's residual block: norm, ReLU, nearest upsampling, convolution, and again."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = ConditionalNorm(channels_in), ConditionalNorm(channels_out)
        self.conv1, self.conv2 = conv(channels_in, channels_out), conv(channels_out, channels_out)
        self.skip = conv(channels_in, channels_out, 1)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """N,C,H,W -> N,C',2H,2W."""
        y = self.conv1(nearest_up(F.relu(self.norm1(x, condition))))
        y = self.conv2(F.relu(self.norm2(y, condition)))
        return y + nearest_up(self.skip(x))


class SelfAttention(nn.Module):
    """Attention of each position to all others (Zhang et al., SAGAN, 2019); at first, identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query, self.key = conv(channels, channels // 8, 1), conv(channels, channels // 8, 1)
        self.value, self.out = conv(channels, channels // 2, 1), conv(channels // 2, channels, 1)
        self.gain = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """N,C,H,W -> the same shape."""
        query, key, value = (part(x).flatten(2) for part in (self.query, self.key, self.value))
        weights = torch.softmax(query.transpose(1, 2) @ key, dim=-1)
        seen = (value @ weights.transpose(1, 2)).unflatten(2, x.shape[2:])
        return x + self.gain * self.out(seen)


class BigGAN(Generator):
    """Residual blocks, conditional batch norm, self-attention (Brock et al., 2019)."""

    def __init__(self) -> None:
        super().__init__()
        self.encode = Encoder()
        self.first = conv(CODE + LATENT, WIDTHS[0])
        self.blocks = nn.ModuleList(map(ResidualUp, WIDTHS, WIDTHS[1:]))
        self.attention = SelfAttention(WIDTHS[1])
        self.norm = nn.BatchNorm2d(WIDTHS[-1])
        self.rgb = conv(WIDTHS[-1], 3)

    def forward(self, images: Tensor) -> Tensor:
        """N,3,H,W -> the same shape."""
        code = self.encode(images)
        condition = statistics(code)
        x = self.blocks[0](self.first(with_noise(code)), condition)
        x = self.attention(x)
        for block in self.blocks[1:]:
            x = block(x, condition)
        return torch.tanh(self.rgb(F.relu(self.norm(x))))
