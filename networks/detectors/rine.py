"""RINE: what every block of OpenAI's CLIP, which stays as it is, says of the whole image.

Koutlis, Papadopoulos, "Leveraging representations from intermediate encoder-blocks for synthetic
image detection", ECCV 2024; trained on one, two or four classes of ProGAN, or on latent diffusion
("ldm", whose authors score the mean of ten crops: --crops 10).
"""

from __future__ import annotations

import re
from typing import Any

import torch
from torch import Tensor, nn

from networks.detectors.clip import INPUT, OPENAI, clip
from networks.detectors.release import CLIP_MEAN, CLIP_STD, Blueprint, Release, State

COMMIT = "325a1c9ec7a44a8e46608b4cf03c3cc9db87967f"
FILES = tuple(f"model_{trained}_trainable.pth" for trained in ("1class", "2class", "4class", "ldm"))
MOST_LAYERS = 4  # of a projection, in the released files
WIDEST = 1024  # features of a projection, in the released files


class Rine(nn.Module):
    """The class token inside each block, projected, weighted by block, projected again, judged.

    `layers` is that of each of both projections, `width` their features.
    """

    def __init__(self, backbone: nn.Module, *, layers: int, width: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.alpha = nn.Parameter(torch.empty(1, len(backbone.blocks), width))  # type: ignore[arg-type]
        self.proj1 = _projection(backbone.num_features, width, layers)  # type: ignore[arg-type]
        self.proj2 = _projection(width, width, layers)
        self.head = nn.Sequential(
            *(nn.Linear(width, width), nn.ReLU(), nn.Dropout()),
            *(nn.Linear(width, width), nn.ReLU(), nn.Dropout()),
            nn.Linear(width, 1),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, 1) logits of (N, 3, H, W) normalized images."""
        projected = self.proj1(self.class_tokens(images))
        weighted = torch.softmax(self.alpha, dim=1) * projected  # of each feature over the blocks
        logits: Tensor = self.head(self.proj2(weighted.sum(1)))
        return logits

    def class_tokens(self, images: Tensor) -> Tensor:
        """Return (N, blocks, features): each block's class token after its second norm, between
        attention and MLP. Walks timm's tower by its parts: no method of it returns these.
        """
        tower: Any = self.backbone
        patches = tower.patch_embed(images)
        first = tower.cls_token.expand(patches.shape[0], -1, -1)
        tokens = tower.norm_pre(torch.cat([first, patches], 1) + tower.pos_embed)
        seen = []
        for block in tower.blocks:
            tokens = tokens + block.attn(block.norm1(tokens))
            normed = block.norm2(tokens)
            seen.append(normed[:, 0])
            tokens = tokens + block.mlp(normed)
        return torch.stack(seen, 1)


def _projection(features: int, width: int, layers: int) -> nn.Sequential:
    """Return linear layers with what stood between them in training; the files count these."""
    parts: list[nn.Module] = [nn.Dropout()]
    for number in range(layers):
        parts += [nn.Linear(width if number else features, width), nn.ReLU(), nn.Dropout()]
    return nn.Sequential(*parts)


def blueprint(state: State) -> Blueprint:
    """Read model_*_trainable.pth: `alpha` (1, 24, width), `proj1`, `proj2` and `head`, whose sizes
    say which network it is. The backbone's own weights are not in the file.
    """
    found = [re.match(r"proj[12]\.(\d\d?)\.", key) for key in state]
    last = max((int(match[1]) for match in found if match), default=1)
    layers = min((last + 2) // 3, MOST_LAYERS)  # layers 1, 4, 7 and 10 are linear
    alpha = state.get("alpha")
    width = WIDEST if alpha is None or alpha.ndim != 3 else alpha.shape[2]
    with torch.device("meta"):
        network = Rine(clip(), layers=max(layers, 1), width=width)
    return Blueprint(network, state, CLIP_MEAN, CLIP_STD, INPUT)


RELEASE = Release(
    blueprint=blueprint,
    backbone=OPENAI,
    paper="Koutlis et al., ECCV 2024",
    source="https://github.com/mever-team/rine",
    licence="Apache-2.0",
    free=True,
    files={name: f"https://github.com/mever-team/rine/raw/{COMMIT}/ckpt/{name}" for name in FILES},
    # Means over the authors' own scores of each set, results/*.pickle there
    published={
        "foren11": {"accuracy": 0.915, "ap": 0.988},
        "ufd19": {"accuracy": 0.913, "ap": 0.988},
    },
    published_of="model_4class_trainable.pth",
)
