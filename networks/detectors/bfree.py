"""B-Free (Guillaro et al., CVPR 2025): DINOv2 ViT-B/14 with registers, five windows of 504 pixels.

The windows are cut from the grid of patches of the whole image (wrapper5crops.py), not from its
pixels: only so are the corners on the grid that begins at the top left.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from networks.architectures import IMAGENET_MEAN, IMAGENET_STD
from networks.detectors.release import Blueprint, Release, State
from networks.input_spec import InputSpec
from networks.timm_models import import_timm
from util.errors import UsageError

SIZE = 504  # side of a window in pixels: 36 patches of 14


class FiveWindows(nn.Module):
    """The mean logit of five windows of an image of any size, by one Vision Transformer of timm."""

    patch_embed: Any  # timm's PatchEmbed

    def __init__(self, vit: nn.Module) -> None:
        super().__init__()
        self.patch_embed = vit.patch_embed
        vit.patch_embed = nn.Identity()  # so that it takes patches: (N, patches, D)
        self.vit = vit

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, 1) logits of normalized (N, 3, H, W) images.

        What is beyond the last whole patch, at the right and at the bottom, is not seen. Raises
        UsageError for images smaller than a patch.
        """
        embed = self.patch_embed
        height, width = images.shape[2:]
        least = embed.patch_size[0]
        if min(height, width) < least:
            raise UsageError(
                f"--detector bfree: an image of {height}x{width} pixels is too small; leave out"
                f" those with a side below {least}"
            )
        rows, columns = embed.grid_size
        logits = [
            self.vit(embed.norm(window.flatten(2).transpose(1, 2)))
            for window in five_windows(embed.proj(images), rows, columns)
        ]
        return torch.stack(logits).mean(0)


def five_windows(patches: Tensor, rows: int, columns: int) -> list[Tensor]:
    """Return the windows (N, D, rows, columns) of a grid (N, D, height, width) of patches.

    They are the centre, top left, bottom left, bottom right and top right. A grid that is smaller
    is repeated to the window's size, and as in the authors' code a side that is longer is then cut,
    so that there is but one window. One is given wherever all five would be the same.
    """
    height, width = patches.shape[2:]
    if height < rows or width < columns:
        repeated = patches.repeat(1, 1, -(-rows // height), -(-columns // width))
        return [repeated[:, :, :rows, :columns]]
    bottom, right = height - rows, width - columns
    corners = [(0, 0), (bottom, 0), (bottom, right), (0, right)]
    places = [(bottom // 2, right // 2), *corners] if bottom or right else [(0, 0)]
    return [patches[:, :, top : top + rows, left : left + columns] for top, left in places]


def blueprint(state: State) -> Blueprint:
    """Return the network; a file has the keys of the Vision Transformer alone."""
    with torch.device("meta"):
        vit = import_timm().create_model(
            "vit_base_patch14_reg4_dinov2", num_classes=1, img_size=SIZE
        )
    spec = InputSpec(None, SIZE, whole=True)
    return Blueprint(FiveWindows(vit), as_windows(state), IMAGENET_MEAN, IMAGENET_STD, spec)


def as_windows(released: State) -> State:
    """Return a state of timm's Vision Transformer under the keys of `FiveWindows`."""
    outside = "patch_embed."
    return {k if k.startswith(outside) else "vit." + k: value for k, value in released.items()}


RELEASE = Release(
    blueprint=blueprint,
    paper="Guillaro et al., CVPR 2025",
    source="https://github.com/grip-unina/B-Free",
    licence="GRIP-UNINA, informational and nonprofit purposes only",
    free=False,
    # 321,653,488 bytes, MD5 f3f53fa647848b16cf81c913f148a198 (the authors' README)
    pages={
        "BFREE_dino2reg4/model_epoch_best.pth": (
            "https://www.grip.unina.it/download/prog/B-Free/weights/BFREE_dino2reg4.zip"
        )
    },
    published={  # from a secondary text; over the authors' 27 generators it is 0.963
        "synthbuster": {"balanced_accuracy": 0.996},
    },
)
