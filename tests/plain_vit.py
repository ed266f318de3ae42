"""A Vision Transformer as the textbook has it (Dosovitskiy et al. 2021; LayerScale: Touvron et al.
2021; registers: Darcet et al. 2024; LoRA: Hu et al. 2022), one image at a time, from a state dict.
"""

from __future__ import annotations

import math
import re

import torch
from torch import Tensor

State = dict[str, Tensor]
Shapes = dict[str, tuple[int, ...]]
LINEAR = ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")


def vit_shapes(
    *, dim: int, depth: int, patch: int, positions: int, registers: int = 0, scale: bool = False
) -> Shapes:
    """What a state dict of one output holds, by name: timm's names, and DINOv2's."""
    shapes: Shapes = {"cls_token": (1, 1, dim), "pos_embed": (1, positions, dim)}
    shapes |= {"reg_token": (1, registers, dim)} if registers else {}
    shapes |= {"patch_embed.proj.weight": (dim, 3, patch, patch), "patch_embed.proj.bias": (dim,)}
    outputs = dict(zip(LINEAR, (3 * dim, dim, 4 * dim, dim), strict=True))
    for block in (f"blocks.{index}." for index in range(depth)):
        for name, out in outputs.items():
            shapes[f"{block}{name}.weight"] = (out, 4 * dim if name == "mlp.fc2" else dim)
            shapes[f"{block}{name}.bias"] = (out,)
        for name in ("norm1", "norm2"):
            shapes |= {f"{block}{name}.weight": (dim,), f"{block}{name}.bias": (dim,)}
        if scale:
            shapes |= {f"{block}ls1.gamma": (dim,), f"{block}ls2.gamma": (dim,)}
    shapes |= {"norm.weight": (dim,), "norm.bias": (dim,)}
    return shapes | {"head.weight": (1, dim), "head.bias": (1,)}


def random_state(shapes: Shapes) -> State:
    """Random weights, large enough that every one of them counts; factors are about 1."""
    generator = torch.Generator().manual_seed(0)
    state = {key: 0.4 * torch.randn(*shape, generator=generator) for key, shape in shapes.items()}
    factor = re.compile(r"norm\d?\.weight$|\.gamma$")
    return {key: value + 1 if factor.search(key) else value for key, value in state.items()}


def grid_of_patches(state: State, image: Tensor) -> Tensor:
    """(3, H, W) -> (rows, columns, D): each whole patch times the matrix."""
    weight = state["patch_embed.proj.weight"].to(image.dtype)
    side = weight.shape[-1]
    rows, columns = image.shape[1] // side, image.shape[2] // side
    grid = torch.empty(rows, columns, len(weight), dtype=image.dtype)
    for row in range(rows):
        for column in range(columns):
            top, left = row * side, column * side
            patch = image[:, top : top + side, left : left + side].flatten()
            grid[row, column] = weight.flatten(1) @ patch
    return grid + state["patch_embed.proj.bias"].to(image.dtype)


def logit_of_patches(state: State, grid: Tensor, heads: int) -> Tensor:
    """(rows, columns, D) -> the logit."""
    state = {key: value.to(grid.dtype) for key, value in state.items()}
    patches, positions = grid.flatten(0, 1), state["pos_embed"][0]
    first = [state["cls_token"][0], *([state["reg_token"][0]] if "reg_token" in state else [])]
    if len(positions) == len(patches):  # none for the class token
        tokens = torch.cat([*first, patches + positions])
    else:
        tokens = torch.cat([*first, patches]) + positions
    depth = 1 + max(int(key.split(".")[1]) for key in state if key.startswith("blocks."))
    for block in (f"blocks.{index}." for index in range(depth)):
        mixed = _attention(state, block, _norm(state, block + "norm1", tokens), heads)
        tokens = tokens + mixed * state.get(block + "ls1.gamma", 1)
        hidden = _linear(state, block + "mlp.fc1", _norm(state, block + "norm2", tokens))
        hidden = hidden * (1 + torch.erf(hidden / math.sqrt(2))) / 2
        tokens = tokens + _linear(state, block + "mlp.fc2", hidden) * state.get(
            block + "ls2.gamma", 1
        )
    return _linear(state, "head", _norm(state, "norm", tokens)[0])


def _attention(state: State, block: str, tokens: Tensor, heads: int) -> Tensor:
    query, key, value = _linear(state, block + "attn.qkv", tokens).chunk(3, dim=1)
    parts = []
    for q, k, v in zip(*(t.chunk(heads, dim=1) for t in (query, key, value)), strict=True):
        likeness = (q @ k.T / math.sqrt(q.shape[1])).exp()
        parts.append(likeness / likeness.sum(1, keepdim=True) @ v)
    return _linear(state, block + "attn.proj", torch.cat(parts, 1))


def _linear(state: State, name: str, x: Tensor) -> Tensor:
    if name + ".weight" in state:
        return x @ state[name + ".weight"].T + state[name + ".bias"]
    down, up = state[name + ".lora.lora_A"], state[name + ".lora.lora_B"]
    plain = x @ state[name + ".original_layer.weight"].T + state[name + ".original_layer.bias"]
    return plain + (x @ down.T) @ up.T / 8  # alpha 1, rank 8


def _norm(state: State, name: str, x: Tensor) -> Tensor:
    centred = x - x.mean(1, keepdim=True)
    scaled = centred / (centred.square().mean(1, keepdim=True) + 1e-6).sqrt()
    return scaled * state[name + ".weight"] + state[name + ".bias"]
