"""Build a network: from scratch, from ImageNet weights, or from a weights file."""

from __future__ import annotations

import os

import torch
from torch import nn
from torchvision.models.resnet import BasicBlock, Bottleneck

from networks.architectures import Architecture, architecture
from networks.weights import Weights, load_weights, read_weights
from util.checkpoint import read_checkpoint
from util.errors import UsageError

HEAD_STD = 0.02  # of the last layer's initial weights, Wang et al. 2020's released code


def create_network(name: str, init: str = "scratch") -> nn.Module:
    """Build a network with one logit, in channels-last layout, on the CPU.

    `init` is "scratch" (random, from torch's generator; residual branches start at zero),
    "imagenet" (torchvision's IMAGENET1K_V1 weights but for the last layer, downloaded at first
    use), or the path of a weights file, which must fit to the key. Raises UsageError for an
    unknown name, for weights that do not fit, and where the download fails.
    """
    if init not in ("scratch", "imagenet"):
        return create_trained(name, read_weights(init))
    network = build(name)
    if init == "scratch":
        _zero_residual_branches(network)
    else:
        _load_imagenet(network, name, architecture(name))
    head = network.get_submodule(architecture(name).head)
    nn.init.normal_(head.weight, 0.0, HEAD_STD)  # type: ignore[arg-type]
    return network


def create_trained(name: str, weights: Weights) -> nn.Module:
    """Build a network that holds `weights`; raises UsageError where they do not fit to the key."""
    network = build(name)
    load_weights(network, weights, name)
    return network


def build(name: str) -> nn.Module:
    """Build the network as its library initialises it; raises UsageError for an unknown name."""
    return architecture(name).build().to(memory_format=torch.channels_last)


def _zero_residual_branches(network: nn.Module) -> None:
    """Let each residual block start as the identity (Goyal et al. 2017, section 5.1), without which
    a ResNet hardly learns from scratch on few images.
    """
    for block in network.modules():
        if isinstance(block, Bottleneck):
            nn.init.zeros_(block.bn3.weight)
        elif isinstance(block, BasicBlock):
            nn.init.zeros_(block.bn2.weight)


def _load_imagenet(network: nn.Module, name: str, its: Architecture) -> None:
    url = its.pretrained
    if not url:
        raise UsageError(f"--init imagenet: {name} has no such weights; use --init scratch")
    file = os.path.join(torch.hub.get_dir(), "checkpoints", os.path.basename(url))
    if not os.path.exists(file):
        os.makedirs(os.path.dirname(file), exist_ok=True)
        hash_prefix = file.rpartition("-")[2].removesuffix(".pth")
        try:  # not load_state_dict_from_url: it announces the download on standard error first
            torch.hub.download_url_to_file(url, file, hash_prefix)
        except (OSError, RuntimeError) as error:  # no connection, or a file that broke off
            raise UsageError(
                f"--init imagenet: the weights could not be fetched from {url} ({error});"
                " use --init scratch, or --init PATH with weights that are on this machine"
            ) from error
    state = read_checkpoint(file)
    kept = {k: v for k, v in state.items() if k.rpartition(".")[0] != its.head}
    result = network.load_state_dict(kept, strict=False)
    not_taken = [k for k in result.missing_keys if k.rpartition(".")[0] != its.head]
    if not_taken or result.unexpected_keys:
        first = (not_taken + result.unexpected_keys)[0]
        raise UsageError(f"--init imagenet: {file} does not fit {name}, first at {first}")
