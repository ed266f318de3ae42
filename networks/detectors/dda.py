"""Dual Data Alignment (Chen et al., NeurIPS 2025): DINOv2 ViT-L/14 with LoRA, crops of 336.

The file holds each adapted layer beside its LoRA; here the two are one. The statistics are CLIP's,
although the backbone is DINOv2 (Inference/inference.py).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from networks.detectors.release import CLIP_MEAN, CLIP_STD, Blueprint, Release, State
from networks.input_spec import InputSpec
from networks.timm_models import import_timm
from util.errors import UsageError

SIZE = 336  # side of the crops; nothing is resized
LORA_ALPHA = 1  # inference.py; the rank is 8
OFFSET = 0.1  # see `resize_positions`


def blueprint(state: State) -> Blueprint:
    """Return the network and the weights that the file's come to."""
    with torch.device("meta"):
        network = import_timm().create_model(
            "vit_large_patch14_dinov2", num_classes=1, img_size=SIZE, global_pool="token"
        )
    spec = InputSpec(SIZE, SIZE, any_size=False)
    return Blueprint(network, as_timm(state, network), CLIP_MEAN, CLIP_STD, spec)


def as_timm(released: State, network: nn.Module) -> State:
    """Return a released state under the keys of `network`, timm's Vision Transformer, with LoRA in
    the weights and the positions on its grid.

    Raises UsageError where a layer has no LoRA: without it this would be DINOv2 with a last layer
    that was trained on something else. Keys that are not the detector's stay.
    """
    fc, model = "base_model.fc.", "base_model.model."
    state = {
        "head." + key.removeprefix(fc) if key.startswith(fc) else key.removeprefix(model): value
        for key, value in released.items()
        if key != model + "mask_token"  # of DINOv2's own training
    }
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Linear) and name != "head":
            _merge_lora(state, name)
    if "pos_embed" in state:
        grid: tuple[int, int] = network.patch_embed.grid_size  # type: ignore[union-attr, assignment]
        state["pos_embed"] = resize_positions(state["pos_embed"], grid[0])
    return state


def _merge_lora(state: State, name: str) -> None:
    """Put W + (alpha / rank) B A (Hu et al. 2022) in the place of W (out, in), A (rank, in) and
    B (out, rank).
    """
    keys = [f"{name}.{part}" for part in ("original_layer.weight", "lora.lora_A", "lora.lora_B")]
    lacking = [key for key in keys if key not in state]
    if lacking:
        raise UsageError(f"--detector dda: the file lacks {lacking[0]}; it wants DDA's ckpt.pth")
    weight, a, b = (state.pop(key) for key in keys)
    if weight.shape != (len(b), a.shape[-1]) or b.shape[-1] != len(a):
        shapes = ", ".join(str(tuple(tensor.shape)) for tensor in (weight, a, b))
        raise UsageError(f"--detector dda: {name} and its LoRA do not fit: {shapes}")
    state[f"{name}.weight"] = weight + LORA_ALPHA / len(a) * (b @ a)
    if f"{name}.original_layer.bias" in state:
        state[f"{name}.bias"] = state.pop(f"{name}.original_layer.bias")


def resize_positions(positions: Tensor, side: int) -> Tensor:
    """Return position embeddings (1, 1 + M², D), the class token's first, for a grid of `side`².

    By the rule of DINOv2's own code, interpolate_pos_encoding, which is not timm's: bicubic without
    antialiasing, and the scale is (side + 0.1) / M. The 0.1 was once put there so that no rounding
    takes a row away; as a scale, it also moves the places that are sampled, and the released
    networks were trained with it. Of another shape, or on this grid already, they stay as they are.
    """
    old = math.isqrt(max(positions.shape[1:2].numel() - 1, 0))  # M
    if positions.ndim != 3 or old * old != positions.shape[1] - 1 or old == side:
        return positions
    patches = positions[:, 1:].reshape(1, old, old, -1).permute(0, 3, 1, 2)
    scale = (side + OFFSET) / old
    patches = nn.functional.interpolate(patches, scale_factor=(scale, scale), mode="bicubic")
    return torch.cat([positions[:, :1], patches.flatten(2).transpose(1, 2)], dim=1)


RELEASE = Release(
    blueprint=blueprint,
    paper="Chen et al., NeurIPS 2025",
    source="https://github.com/roy-ch/Dual-Data-Alignment",
    licence="none stated",
    free=False,
    # The page that ckpt.pth lies on: the address of the file itself is not known.
    pages={"ckpt.pth": "https://modelscope.cn/datasets/roych1997/Dual_Data_Alignment/files"},
    # From the authors' README, but for AIGIBench: that is from its authors' README, of the released
    # weights. Its figures for ForenSynths (0.814), GenImage (0.917) and AIGCDetectBenchmark (0.878)
    # are another protocol's: fakes re-encoded as JPEG 96.
    published={
        "synthbuster": {"accuracy": 0.901},
        "wildrf": {"accuracy": 0.903},
        "aigibench25": {"accuracy": 0.816, "ap": 0.902},
    },
)
