"""Which part of a network is left as it is when it is fine-tuned."""

from __future__ import annotations

from torch import nn

from networks.architectures import architecture
from util.errors import UsageError


def frozen_part(network: nn.Module, arch: str, part: str) -> list[nn.Module]:
    """Return the modules that stay fixed: none ("none"), all but the last layer ("backbone"), or
    the stem and the first N stages ("stages:N").

    A stage of a ResNet is one of its four layers; of another network, one of the blocks of its
    `features`. Raises UsageError where there are fewer.
    """
    if part == "none":
        return []
    its = architecture(arch)
    if part == "backbone":
        head = network.get_submodule(its.head)
        around = [m for m in network.modules() if any(inner is head for inner in m.modules())]
        modules = [m for m in network.modules() if all(m is not outer for outer in around)]
        # what the head's surroundings own themselves, such as a transformer's class token
        bare = [p for outer in around if outer is not head for p in outer.parameters(recurse=False)]
        return [*modules, nn.ParameterList(bare)] if bare else modules
    number = int(part.removeprefix("stages:"))
    if number > len(its.stages):
        raise UsageError(f"--freeze {part}: {arch} has {len(its.stages)} stages")
    paths = (*its.stem, *its.stages[:number])
    own = {path: p for path, p in network.named_parameters(recurse=False) if path in paths}
    modules = [network.get_submodule(path) for path in paths if path not in own]
    return [*modules, nn.ParameterList(list(own.values()))] if own else modules


def freeze(modules: list[nn.Module]) -> None:
    """Let nothing change in `modules`: neither parameters nor batch norm's statistics. To be called
    again whenever the network has been put into training mode.
    """
    for module in modules:
        module.eval()
        module.requires_grad_(False)
