"""CRN and IMLE: cascaded refinement of a label map, one without and one with noise."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from minibench.generators.blocks import (
    CODE,
    LABELS,
    LATENT,
    WIDTHS,
    Encoder,
    Generator,
    bilinear_up,
    clamp,
    conv,
    fit,
    label_map,
)


class Refinement(nn.Module):
    """One module of the cascade: features beside the label map, two convolutions, layer norm."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv1 = conv(channels_in + LABELS, channels_out)
        self.conv2 = conv(channels_out, channels_out)
        self.norm1, self.norm2 = nn.GroupNorm(1, channels_out), nn.GroupNorm(1, channels_out)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        """N,C,h,w and the label map N,6,H,W -> N,C',h,w."""
        x = self.norm1(self.conv1(torch.cat([x, fit(labels, x)], dim=1)))
        x = self.norm2(self.conv2(F.leaky_relu(x, 0.2)))
        return F.leaky_relu(x, 0.2)


class CRN(Generator):
    """Refinement modules at growing size, bilinear upsampling (Chen and Koltun, 2017)."""

    noise_planes = 0

    def __init__(self) -> None:
        super().__init__()
        self.encode = Encoder()
        widths = (CODE + self.noise_planes, *WIDTHS)
        self.blocks = nn.ModuleList(map(Refinement, widths, widths[1:]))
        self.rgb = conv(WIDTHS[-1], 3, 1)

    def render(self, images: Tensor, noise: Tensor) -> Tensor:
        """Render N,3,H,W from noise N,planes,H/4,W/4 (no planes for CRN) and images N,3,H,W."""
        labels = label_map(images)
        x = self.blocks[0](torch.cat([self.encode(images), noise], dim=1), labels)
        for block in self.blocks[1:]:
            x = block(bilinear_up(x), labels)
        return clamp(self.rgb(x), self.training)

    def draw_noise(self, images: Tensor) -> Tensor:
        """Draw the noise for a batch: N,planes,H/4,W/4."""
        number, _, height, width = images.shape
        return torch.randn(number, self.noise_planes, height // 4, width // 4, device=images.device)

    def forward(self, images: Tensor) -> Tensor:
        """N,3,H,W -> the same shape."""
        return self.render(images, self.draw_noise(images))


class IMLE(CRN):
    """CRN's net with noise, trained on the closest of several samples (Li et al., 2019)."""

    noise_planes = LATENT
    samples = 3

    def closest_noise(self, images: Tensor) -> Tensor:
        """Return, for each image, the draw of several whose rendering comes closest to it."""
        with torch.no_grad():
            draws = torch.stack([self.draw_noise(images) for _ in range(self.samples)])
            errors = [(self.render(images, draw) - images).abs().mean((1, 2, 3)) for draw in draws]
        best = torch.stack(errors).argmin(dim=0)
        return draws[best, torch.arange(len(images), device=images.device)]

    def forward(self, images: Tensor) -> Tensor:
        """N,3,H,W -> the same shape."""
        noise = self.closest_noise(images) if self.training else self.draw_noise(images)
        return self.render(images, noise)
