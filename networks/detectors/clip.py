"""CLIP's image tower, ViT-L/14, as timm builds it, and what the detectors that stand on it share.

Radford et al., "Learning transferable visual models from natural language supervision", ICML 2021.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from networks.detectors.release import State
from networks.input_spec import InputSpec
from networks.timm_models import import_timm

# QuickGELU, as OpenAI trained it: timm's vit_large_patch14_clip_224 has the same keys and plain
# GELU, so that OpenAI's weights load into it without a word and give other logits
OPENAI = "vit_large_patch14_clip_quickgelu_224.openai"

INPUT = InputSpec(224, any_size=False)  # the centre crop as it is, not resized

# transformers' names of the parts of CLIPVisionTransformer -> timm's, in this order
RENAMED = (
    (r"^embeddings\.class_embedding$", "cls_token"),
    (r"^embeddings\.patch_embedding\.", "patch_embed.proj."),
    (r"^embeddings\.position_embedding\.weight$", "pos_embed"),
    (r"^pre_layrnorm\.", "norm_pre."),  # sic
    (r"^encoder\.layers\.", "blocks."),
    (r"\.layer_norm([12])\.", r".norm\1."),
    (r"\.self_attn\.out_proj\.", ".attn.proj."),
    (r"^post_layernorm\.", "norm."),
)


class Tower(NamedTuple):
    """What transformers' names became: the parts of timm's tower, and all other tensors."""

    backbone: State  # keys "backbone.<timm's name>"
    rest: State  # keys as they were


def clip(name: str = OPENAI, *, projected: bool = True) -> nn.Module:
    """Build timm's CLIP image tower called `name`, without weights, on torch's meta device.

    Normalized images (N, 3, 224, 224) become (N, 768) features in the space that CLIP shares with
    text; not `projected`, the (N, 1024) class tokens after the last norm. Neither is
    L2-normalized. Raises UsageError without timm.
    """
    timm = import_timm()
    kept = {} if projected else {"num_classes": 0}  # timm keeps the projection as its classifier
    with torch.device("meta"):
        network: nn.Module = timm.create_model(name, **kept)
    return network


class LinearProbe(nn.Module):
    """One linear layer on the features of a backbone, a network of timm."""

    def __init__(self, backbone: nn.Module, *, l2: bool) -> None:
        super().__init__()
        self.backbone = backbone
        self.l2 = l2  # whether each image's features are first brought to length one
        features = backbone.num_classes or backbone.num_features
        self.head = nn.Linear(features, 1, device="meta")  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, 1) logits of (N, 3, H, W) normalized images."""
        features = self.backbone(images)
        logits: Tensor = self.head(functional.normalize(features, dim=-1) if self.l2 else features)
        return logits


def from_transformers(state: State, prefix: str) -> Tower:
    """Give the tensors under `prefix`, of transformers' CLIPVisionTransformer, timm's names.

    Query, key and value, three layers there, are one in timm, in this order. What has no name in
    timm keeps its own, so that loading names it.
    """
    tower = {key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)}
    tower.pop("embeddings.position_ids", None)  # 0 to 256, in files of older transformers
    backbone: State = {}
    for key, value in _joined_attention(tower).items():
        for pattern, name in RENAMED:
            key = re.sub(pattern, name, key)  # noqa: PLW2901
        batch_axes = {"cls_token": 2, "pos_embed": 1}.get(key, 0)
        backbone[f"backbone.{key}"] = value.reshape((1,) * batch_axes + value.shape)
    rest = {key: value for key, value in state.items() if not key.startswith(prefix)}
    return Tower(backbone, rest)


def renamed(state: State, old: str, new: str) -> State:
    """Return `state` with `new` in the place of the prefix `old`; other keys stay."""
    return {
        new + key[len(old) :] if key.startswith(old) else key: value for key, value in state.items()
    }


def _joined_attention(tower: State) -> State:
    """Return `tower` with the query, key and value of each block as one, where they fit."""
    joined = dict(tower)
    for query in tower:
        found = re.fullmatch(r"(.+)\.self_attn\.q_proj\.(\w+)", query)
        if not found:
            continue
        keys = [f"{found[1]}.self_attn.{part}_proj.{found[2]}" for part in "qkv"]
        try:
            joined[f"{found[1]}.attn.qkv.{found[2]}"] = torch.cat([tower[key] for key in keys])
        except (KeyError, RuntimeError):  # one is missing, or of another shape: loading names them
            continue
        for key in keys:
            del joined[key]
    return joined
