"""Which part of a network is left as it is when it is fine-tuned."""

from __future__ import annotations

import re

from torch import nn

from networks.create import NETWORKS
from util.errors import UsageError


def frozen_part(network: nn.Module, arch: str, part: str) -> list[nn.Module]:
    """The modules that stay fixed: none ("none"), all but the last layer ("backbone"), or the stem
    and the first N stages ("stages:N").

    A stage of a ResNet is one of its four layers; of another network, one of the blocks of its
    `features`. Raises UsageError where there are fewer.
    """
    if part == "none":
        return []
    head = network.get_submodule(NETWORKS[arch].head)
    if part == "backbone":
        around = [m for m in network.modules() if any(part is head for part in m.modules())]
        modules = [m for m in network.modules() if all(m is not outer for outer in around)]
        # what the head's surroundings own themselves, such as a transformer's class token
        bare = [p for outer in around if outer is not head for p in outer.parameters(recurse=False)]
        return [*modules, nn.ParameterList(bare)] if bare else modules
    children = dict(network.named_children())
    stages = [name for name in children if re.fullmatch(r"layer\d+", name)]
    if stages:
        stem = list(children)[: list(children).index(stages[0])]
        parts = [children[name] for name in stages]
    else:
        stem, parts = [], list(network.get_submodule("features").children())
    number = int(part.removeprefix("stages:"))
    if number > len(parts):
        raise UsageError(f"--freeze {part}: {arch} has {len(parts)} stages")
    return [*(children[name] for name in stem), *parts[:number]]


def freeze(modules: list[nn.Module]) -> None:
    """Let nothing change in `modules`: neither parameters nor batch norm's statistics. To be called
    again whenever the network has been put into training mode.
    """
    for module in modules:
        module.eval()
        module.requires_grad_(False)
