"""What newer recipes change where the pixels enter: a stem that keeps them all, or a filter that
leaves nothing of the picture but its finest differences.

An architecture's name says it (`resnet50-stride1-npr`), so that a checkpoint says it, too. The keys
of the weights stay those of the plain network.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_NAME = re.compile(r"(?P<plain>.+?)(?P<stride1>-stride1)?(?P<input>-npr|-hh)?")


def stem_name(arch: str, *, stride: int, input: str) -> str:
    """Return the name of the architecture `arch` with this stem.

    `stride` is 2 (as it is) or 1 (see `keep_every_pixel`), `input` is "rgb" or a key of FILTERS.
    """
    return arch + "-stride1" * (stride == 1) + f"-{input}" * (input != "rgb")


def split_stem(name: str) -> tuple[str, bool, str]:
    """Return the plain architecture's name, whether its stem has stride 1, and its filter ("" or a
    key of FILTERS).
    """
    found = _NAME.fullmatch(name)
    if not found:
        return name, False, ""
    return found["plain"], bool(found["stride1"]), (found["input"] or "").removeprefix("-")


def change_stem(network: nn.Module, name: str) -> None:
    """Give a plain network the stem that the end of its architecture's `name` says."""
    _, stride1, input = split_stem(name)
    if stride1:
        keep_every_pixel(network)
    if input:
        filter_input(network, input)


def keep_every_pixel(network: nn.Module) -> None:
    """Let a ResNet's first convolution and its pooling move by one pixel instead of two: maps then
    have four times as many rows and columns (Gragnaniello et al. 2021, "no down").
    """
    for path in ("conv1", "maxpool"):
        network.get_submodule(path).stride = (1, 1)  # type: ignore[assignment]


def filter_input(network: nn.Module, name: str) -> None:
    """Let the network's first convolution see its input through the filter called `name`."""
    first = next(module for module in network.modules() if isinstance(module, nn.Conv2d))
    seen = FILTERS[name]
    # a hook, not a module: it has no keys, torch.fx leaves it in place, any kind of convolution
    # takes it, and a copy of the convolution keeps it
    first.register_forward_pre_hook(lambda module, inputs: seen(*inputs))


def npr(images: Tensor) -> Tensor:
    """Return 2/3 of what each pixel differs from the top left one of its 2x2 block.

    (N, C, H, W) -> the same, without the last row or column of an odd side. "Neighbouring pixel
    relationships", Tan et al. 2024; the factor is that of their released code.
    """
    height, width = (side // 2 * 2 for side in images.shape[-2:])
    images = images[..., :height, :width]
    corners = F.interpolate(images[..., ::2, ::2], scale_factor=2, mode="nearest")
    return (images - corners) * (2 / 3)


def hh(images: Tensor) -> Tensor:
    """Return the diagonal details of the wavelet bior1.3, resized (bilinear) to the image's size.

    (N, C, H, W) -> the same. Li et al. 2024 (SAFE). Of that wavelet's six high-pass coefficients
    only the middle two are not zero, so that a detail is 0.5 (a - b - c + d) of a 2x2 block, after
    padding by two pixels, and a third at the end of an odd side (edges reflected: ba|abcd|dc).
    """
    height, width = images.shape[-2:]
    rows, columns = _reflected(height, images.device), _reflected(width, images.device)
    padded = images[..., rows, :][..., columns]
    across = padded[..., ::2] - padded[..., 1::2]  # a - b, c - d
    details = 0.5 * (across[..., ::2, :] - across[..., 1::2, :])
    return F.interpolate(details, (height, width), mode="bilinear")


def _reflected(side: int, device: torch.device) -> Tensor:
    """Return the pixels, by number, of a padded side."""
    at = torch.arange(-2, side + 2 + side % 2, device=device) % (2 * side)
    return torch.where(at < side, at, 2 * side - 1 - at)


FILTERS: dict[str, Callable[[Tensor], Tensor]] = {"npr": npr, "hh": hh}
