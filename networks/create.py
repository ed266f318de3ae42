"""Build a network: from scratch, from ImageNet weights, or from a weights file."""

from __future__ import annotations

import os

import torch
from torch import nn
from torchvision.models.resnet import BasicBlock, Bottleneck

from networks.architectures import Architecture, architecture
from networks.stem import change_stem, split_stem
from networks.weights import Weights, has_one_logit, load_weights, read_weights
from util.checkpoint import read_checkpoint
from util.errors import UsageError

HEAD_STD = 0.02  # of the last layer's initial weights, Wang et al. 2020's released code


def create_network(name: str, init: str = "scratch") -> nn.Module:
    """Build a network with one logit, in channels-last layout, on the CPU.

    `init` is "scratch" (random, from torch's generator; residual branches start at zero),
    "pretrained" (the weights that the network's library publishes, but for the last layer,
    downloaded at first use; "imagenet" names torchvision's IMAGENET1K_V1), or the path of a weights
    file, which must fit to the key: a checkpoint, or for timm's networks a file that timm reads.
    The last layer is drawn afresh but where a checkpoint holds it: one that says to be a trunk
    (`Weights.trunk`) does not. Raises UsageError for an unknown name, for weights that do not fit,
    and where the download fails.
    """
    its, is_timm = architecture(name), name.startswith("timm:")
    if init == "imagenet" and is_timm:
        raise UsageError(f"--arch {name}: give --init pretrained, scratch, or a weights file")
    if init == "scratch":
        network = build(name)
        _zero_residual_branches(network)
    elif init in ("imagenet", "pretrained") and not is_timm:
        network = build(name)
        _load_imagenet(network, name, its)
    elif init == "pretrained":
        network = _pretrained_timm(name)
    else:
        weights = read_weights(init)
        if is_timm and not has_one_logit(weights, its.head):
            network = _pretrained_timm(name, init)
        elif weights.trunk:
            network = build(name)
            load_weights(network, weights, name, without=its.head)
        else:
            return create_trained(name, weights)
    head = network.get_submodule(its.head)
    nn.init.normal_(head.weight, 0.0, HEAD_STD)  # type: ignore[arg-type]
    return network


def create_trained(name: str, weights: Weights) -> nn.Module:
    """Build a network that holds `weights`; raises UsageError where they do not fit to the key, and
    for a trunk: its scores would be those of a last layer drawn at random.
    """
    if weights.trunk:
        raise UsageError(
            f"{weights.path}: holds a network without its last layer, to start from and not to"
            " score with; train one from it (train.py --init)"
        )
    network = build(name)
    load_weights(network, weights, name)
    return network


def build(name: str) -> nn.Module:
    """Build the network as its library initialises it; raises UsageError for an unknown name."""
    return architecture(name).build().to(memory_format=torch.channels_last)


def _pretrained_timm(name: str, file: str = "") -> nn.Module:
    from networks.timm_models import timm_pretrained  # noqa: PLC0415 (optional)

    network = timm_pretrained(split_stem(name)[0], file)
    change_stem(network, name)
    return network.to(memory_format=torch.channels_last)


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
    load_weights(network, Weights(f"--init imagenet: {file}", kept), name, without=its.head)
