"""Classification networks of torchvision with one output, the logit of "fake"."""

from __future__ import annotations

import os
from typing import NamedTuple

import torch
import torchvision
from torch import nn
from torchvision.models.resnet import BasicBlock, Bottleneck

from networks.weights import Weights, load_weights, read_weights
from util.checkpoint import read_checkpoint
from util.errors import UsageError


class Layers(NamedTuple):
    """Paths of two modules of a network."""

    head: str  # the last layer
    features: str  # whose output is the last maps, (N, C, H, W): what Grad-CAM weighs


RESNET = Layers("fc", "layer4")
# Name in torchvision -> its layers. A backbone is one entry.
NETWORKS: dict[str, Layers] = {
    "resnet18": RESNET,
    "resnet34": RESNET,
    "resnet50": RESNET,
    "resnet101": RESNET,
    "resnet152": RESNET,
    "resnext50_32x4d": RESNET,
    "wide_resnet50_2": RESNET,
    "vgg16": Layers("classifier.6", "features"),
    "mobilenet_v3_small": Layers("classifier.3", "features"),
    "efficientnet_b0": Layers("classifier.1", "features"),
    "convnext_tiny": Layers("classifier.2", "features"),
    "swin_t": Layers("head", "permute"),  # its "features" are channels last
}
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
        _load_imagenet(network, name)
    head = network.get_submodule(NETWORKS[name].head)
    nn.init.normal_(head.weight, 0.0, HEAD_STD)  # type: ignore[arg-type]
    return network


def create_trained(name: str, weights: Weights) -> nn.Module:
    """Build a network that holds `weights`; raises UsageError where they do not fit to the key."""
    network = build(name)
    load_weights(network, weights, name)
    return network


def build(name: str) -> nn.Module:
    """Build the network as torchvision initialises it; raises UsageError for an unknown name."""
    if name not in NETWORKS:
        raise UsageError(f"--arch {name} is not one of {', '.join(NETWORKS)}")
    network: nn.Module = torchvision.models.get_model(name, weights=None, num_classes=1)
    return network.to(memory_format=torch.channels_last)


def _zero_residual_branches(network: nn.Module) -> None:
    """Each residual block starts as the identity (Goyal et al. 2017, section 5.1), without which
    a ResNet hardly learns from scratch on few images.
    """
    for block in network.modules():
        if isinstance(block, Bottleneck):
            nn.init.zeros_(block.bn3.weight)
        elif isinstance(block, BasicBlock):
            nn.init.zeros_(block.bn2.weight)


def _load_imagenet(network: nn.Module, name: str) -> None:
    url = torchvision.models.get_model_weights(name)["IMAGENET1K_V1"].url
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
    head = NETWORKS[name].head
    kept = {k: v for k, v in state.items() if k.rpartition(".")[0] != head}
    result = network.load_state_dict(kept, strict=False)
    not_taken = [k for k in result.missing_keys if k.rpartition(".")[0] != head]
    if not_taken or result.unexpected_keys:
        first = (not_taken + result.unexpected_keys)[0]
        raise UsageError(f"--init imagenet: {file} does not fit {name}, first at {first}")
