"""CLIP's image tower and the detectors that stand on it as a textbook has them: slow, and by hand.

Weights have transformers' names. A `trap` is what a careless port gets wrong.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

State = dict[str, Tensor]
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def logits(
    file: str, state: State, tower: State, projection: Tensor, images: Tensor, trap: str = ""
) -> Tensor:
    """(N,) logits of uint8 images, by the precision of `tower`; `state` is the released file,
    `tower` and `projection` are CLIP's, with what the file trained in them.
    """
    dtype = projection.dtype
    mean, std = IMAGENET if trap == "imagenet" else (MEAN, STD)
    pixels = torch.stack([(images[:, c].to(dtype) / 255 - mean[c]) / std[c] for c in range(3)], 1)
    plain_gelu = (file == "clipdet") != (trap == "activation")
    normed, after, pooled = walk(tower, pixels, plain_gelu, swapped=trap == "order of q, k, v")
    if file.startswith("rine"):
        return rine(state, torch.stack(after if trap == "block output" else normed, 1), trap)
    projected = file in ("univfd", "c2pclip")
    features = pooled @ projection.T if projected != (trap == "projection") else pooled
    if (file in ("clipdet", "c2pclip")) != (trap == "length"):
        features = features / features.square().sum(1, keepdim=True).sqrt()
    prefix = {"clipdet": "fc.", "effort-ufd": "fc.", "effort-bench": "head.", "univfd": ""}
    name = prefix.get(file, "model.fc.")
    out = features @ state[f"{name}weight"].T + state[f"{name}bias"]
    return out[:, 1] - out[:, 0] if out.shape[1] == 2 else out[:, 0]


def rine(state: State, tokens: Tensor, trap: str) -> Tensor:
    indices = [i for i in (1, 4, 7, 10) if f"proj1.{i}.weight" in state]
    for i in indices:
        tokens = linear(state, f"proj1.{i}", tokens).clamp(min=0)
    scores = state["alpha"].exp()
    weights = scores / scores.sum(2 if trap == "axis of the softmax" else 1, keepdim=True)
    z = sum(weights[:, block] * tokens[:, block] for block in range(tokens.shape[1]))
    assert isinstance(z, Tensor)
    for i in indices:
        z = linear(state, f"proj2.{i}", z).clamp(min=0)
    for layer in ("head.0", "head.3"):
        z = linear(state, layer, z).clamp(min=0)
    return linear(state, "head.6", z)[:, 0]


def walk(
    tower: State, pixels: Tensor, plain_gelu: bool, swapped: bool
) -> tuple[list[Tensor], list[Tensor], Tensor]:
    """Of the class token: in each block after ln_2, after each block, and after the last norm."""
    kernel = tower["embeddings.patch_embedding.weight"]
    patch, side = kernel.shape[2], pixels.shape[2]
    tokens = [tower["embeddings.class_embedding"].expand(len(pixels), -1)]
    for top in range(0, side, patch):
        for left in range(0, side, patch):
            square = pixels[:, :, top : top + patch, left : left + patch]
            tokens.append(square.flatten(1) @ kernel.flatten(1).T)
    x = torch.stack(tokens, 1) + tower["embeddings.position_embedding.weight"]
    x = layer_norm(tower, "pre_layrnorm", x)
    normed, after = [], []
    while (block := f"encoder.layers.{len(after)}") + ".mlp.fc1.bias" in tower:
        x = x + attention(tower, block, layer_norm(tower, f"{block}.layer_norm1", x), swapped)
        inner = layer_norm(tower, f"{block}.layer_norm2", x)
        normed.append(inner[:, 0])
        hidden = linear(tower, f"{block}.mlp.fc1", inner)
        gate = (1 + torch.erf(hidden / math.sqrt(2))) / 2 if plain_gelu else None
        hidden = hidden * (1 / (1 + (-1.702 * hidden).exp()) if gate is None else gate)
        x = x + linear(tower, f"{block}.mlp.fc2", hidden)
        after.append(x[:, 0])
    return normed, after, layer_norm(tower, "post_layernorm", x[:, 0])


def attention(tower: State, block: str, x: Tensor, swapped: bool, heads: int = 2) -> Tensor:
    names = "vkq" if swapped else "qkv"
    q, k, v = (linear(tower, f"{block}.self_attn.{name}_proj", x) for name in names)
    width = x.shape[2] // heads
    found = []
    for head in range(heads):
        part = slice(head * width, (head + 1) * width)
        scores = q[..., part] @ k[..., part].transpose(1, 2) / math.sqrt(width)
        scores = (scores - scores.amax(2, keepdim=True)).exp()
        found.append(scores / scores.sum(2, keepdim=True) @ v[..., part])
    return linear(tower, f"{block}.self_attn.out_proj", torch.cat(found, 2))


def linear(state: State, name: str, x: Tensor) -> Tensor:
    return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]


def layer_norm(state: State, name: str, x: Tensor) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    scale = (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()
    return centred / scale * state[f"{name}.weight"] + state[f"{name}.bias"]
