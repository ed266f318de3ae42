"""The paper's protocol in a few lines that share nothing with the project."""

from __future__ import annotations

import pathlib
from collections.abc import Iterable

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor, nn

from tests.tolerances import exact_logits


def plain_input(image: Image.Image, crop: int | None) -> Tensor:
    """(1, 3, H, W): the centre crop, black where the image is smaller, normalized as for ImageNet;
    or the whole image.
    """
    image = image.convert("RGB")
    if crop:
        width, height = image.size
        border = [max(crop - width, 0), max(crop - height, 0)]
        left, top = border[0] // 2, border[1] // 2
        image = ImageOps.expand(image, (left, top, border[0] - left, border[1] - top))
        x, y = (round((side - crop) / 2) for side in image.size)
        image = image.crop((x, y, x + crop, y + crop))
    pixels = torch.tensor(np.array(image), dtype=torch.float32).permute(2, 0, 1) / 255
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return ((pixels - mean[:, None, None]) / std[:, None, None])[None]


def plain_logits(
    network: nn.Module, paths: Iterable[pathlib.Path], crop: int | None
) -> tuple[list[float], list[float]]:
    """Of one image after the other, the logit in float32 and in float64."""
    network.eval()
    inputs = [plain_input(Image.open(path), crop) for path in paths]
    with torch.no_grad():
        plain = [float(network(each)) for each in inputs]
    return plain, [float(exact_logits(network, each)) for each in inputs]
