"""Which part of a network is left as it is when it is fine-tuned."""

from __future__ import annotations

from torch import nn

from networks.architectures import architecture
from util.errors import UsageError


def frozen_part(network: nn.Module, arch: str, part: str) -> list[nn.Module]:
    """Return the modules that stay fixed: none ("none"), all but the last layer ("backbone"), all
    but it and every normalisation layer ("all_but_norm"), or the stem and the first N stages
    ("stages:N").

    A stage of a ResNet is one of its four layers; of another network, one of the blocks of its
    `features`. Raises UsageError where there are fewer, or no normalisation layer.
    """
    if part == "none":
        return []
    its = architecture(arch)
    head = network.get_submodule(its.head)
    if part == "backbone":
        return _all_but(network, [head])
    if part == "all_but_norm":
        norms = [module for module in network.modules() if _is_norm(module)]
        if not norms:
            raise UsageError(f"--freeze {part}: {arch} has no normalisation layer; give backbone")
        return _all_but(network, [head, *norms])
    number = int(part.removeprefix("stages:"))
    if number > len(its.stages):
        raise UsageError(f"--freeze {part}: {arch} has {len(its.stages)} stages")
    paths = (*its.stem, *its.stages[:number])
    own = {path: p for path, p in network.named_parameters(recurse=False) if path in paths}
    modules = [network.get_submodule(path) for path in paths if path not in own]
    return _with_bare(modules, list(own.values()))


def _is_norm(module: nn.Module) -> bool:
    """Return whether it normalises, and has something to learn: batch norm's running statistics,
    too. Told by its class's name, as timm's RmsNorm and others are no torch class's children; what
    merely holds such a layer (Conv2dNormActivation) owns nothing itself.
    """
    own = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
    return "norm" in type(module).__name__.lower() and bool(own)


def _all_but(network: nn.Module, learning: list[nn.Module]) -> list[nn.Module]:
    """Return modules that hold all of the network but those that are `learning`."""
    kept = set(learning)
    fixed: list[nn.Module] = []
    bare: list[nn.Parameter] = []  # what those around them own, such as a transformer's class token

    def walk(module: nn.Module) -> None:
        if module in kept:
            return
        if kept.isdisjoint(module.modules()):
            fixed.append(module)
            return
        bare.extend(module.parameters(recurse=False))
        for child in module.children():
            walk(child)

    walk(network)
    return _with_bare(fixed, bare)


def _with_bare(modules: list[nn.Module], bare: list[nn.Parameter]) -> list[nn.Module]:
    return [*modules, nn.ParameterList(bare)] if bare else modules


def freeze(modules: list[nn.Module]) -> None:
    """Let nothing change in `modules`: neither parameters nor batch norm's statistics. To be called
    again whenever the network has been put into training mode.
    """
    for module in modules:
        module.eval()
        module.requires_grad_(False)
