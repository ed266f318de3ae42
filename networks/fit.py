"""Whether a network can take the images that it is to be given: tried before the work begins."""

from __future__ import annotations

import torch
from torch import nn

from networks.architectures import architecture
from networks.create import build
from networks.freeze import freeze, frozen_part
from util.errors import UsageError

LARGEST_TRIED = 512  # pixels; no network here needs as many


def check_fit(
    arch: str, crop_size: int | None, *, train_on: int = 0, fixed_part: str = "none"
) -> None:
    """Raise UsageError where `arch` cannot take crops of this side or, if it is to be trained (but
    for the part that `fixed_part` names), cannot learn from `train_on` of them at a time.

    Tried on torch's meta device, which knows shapes and computes nothing: a fraction of a second.
    """
    if crop_size is None:  # whole images, each of its own size
        return
    its = architecture(arch)
    if not its.any_size and crop_size != its.size:
        other = f"; for another size give --arch {arch}@{crop_size}" if "timm:" in arch else ""
        raise UsageError(f"--cropSize {crop_size}: --arch {arch} takes {its.size} alone{other}")
    with torch.device("meta"):
        network = build(arch)
    if train_on:
        freeze(frozen_part(network.train(), arch, fixed_part))
        if _works(network, train_on, crop_size):  # then so does one image in evaluation
            return
    if not _works(network.eval(), 1, crop_size):
        sides = range(1, LARGEST_TRIED)
        first = next((side for side in sides if _works(network, 1, side)), LARGEST_TRIED)
        raise UsageError(
            f"--cropSize {crop_size}: too small for --arch {arch}, which needs at least {first}"
            if crop_size < first
            else f"--cropSize {crop_size}: --arch {arch} does not take it; {first} it does"
        )
    if train_on:
        images = "one image" if train_on == 1 else f"{train_on} images"
        raise UsageError(
            f"--batch_size, split among the processes and by --accumulate, leaves {images} at a"
            f" time; the batch normalisation of --arch {arch} needs two at --cropSize {crop_size}"
        )


def smallest_part(batch: int, parts: int) -> int:
    """Return how many images the smallest part of a batch has, split as torch.chunk does."""
    return min(len(part) for part in torch.empty(batch).chunk(parts))


def _works(network: nn.Module, images: int, side: int) -> bool:
    with torch.no_grad():
        try:
            network(torch.empty(images, 3, side, side, device="meta"))
        except (RuntimeError, ValueError, AssertionError):  # how layers refuse a shape
            return False
    return True
