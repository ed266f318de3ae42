"""The backbones: one entry is one architecture with one output, the logit of "fake"."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torchvision
from torch import nn

from util.errors import UsageError

Triple = tuple[float, float, float]  # red, green, blue

IMAGENET_MEAN: Triple = (0.485, 0.456, 0.406)  # torchvision's statistics for its ImageNet weights
IMAGENET_STD: Triple = (0.229, 0.224, 0.225)


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """What a backbone is built from, and what it needs of its input."""

    build: Callable[[], nn.Module]  # (N, 3, H, W) normalized images -> (N, 1) logits
    head: str  # path of the last layer
    features: str | None  # path of the module that gives the last maps, for Grad-CAM
    layout: str = "NCHW"  # of these maps; or "NHWC", or "tokens": (N, tokens, C), row by row
    prefix_tokens: int = 0  # tokens before those of the image, such as a class token
    stem: tuple[str, ...] = ()  # paths of modules and parameters before the stages, fixed with them
    stages: tuple[str, ...]  # paths of the blocks that --freeze stages:N counts
    pretrained: str = ""  # address of ImageNet weights, for --init imagenet
    mean: Triple = IMAGENET_MEAN  # of the pixels on [0, 1]
    std: Triple = IMAGENET_STD
    size: int = 224  # side of the crops that it is made for
    any_size: bool = True  # whether it takes images of any other size, whole ones included
    interpolation: str = "bilinear"  # of a resizing before the crop, as its weights were trained


def _torchvision(
    name: str, *, head: str, features: str, stem: tuple[str, ...] = (), stages: tuple[str, ...]
) -> Architecture:
    return Architecture(
        build=lambda: torchvision.models.get_model(name, weights=None, num_classes=1),
        head=head,
        features=features,
        stem=stem,
        stages=stages,
        pretrained=torchvision.models.get_model_weights(name)["IMAGENET1K_V1"].url,
    )


def _resnet(name: str) -> Architecture:
    return _torchvision(
        name,
        head="fc",
        features="layer4",
        stem=("conv1", "bn1", "relu", "maxpool"),
        stages=("layer1", "layer2", "layer3", "layer4"),
    )


def _blocks(number: int) -> tuple[str, ...]:
    """Return the children of `features`, which torchvision's other networks begin with."""
    return tuple(f"features.{index}" for index in range(number))


# Name for --arch -> what it is. A backbone is one entry.
ARCHITECTURES: dict[str, Architecture] = {
    "resnet18": _resnet("resnet18"),
    "resnet34": _resnet("resnet34"),
    "resnet50": _resnet("resnet50"),
    "resnet101": _resnet("resnet101"),
    "resnet152": _resnet("resnet152"),
    "resnext50_32x4d": _resnet("resnext50_32x4d"),
    "wide_resnet50_2": _resnet("wide_resnet50_2"),
    "vgg16": _torchvision("vgg16", head="classifier.6", features="features", stages=_blocks(31)),
    "mobilenet_v2": _torchvision(
        "mobilenet_v2", head="classifier.1", features="features", stages=_blocks(19)
    ),
    "mobilenet_v3_small": _torchvision(
        "mobilenet_v3_small", head="classifier.3", features="features", stages=_blocks(13)
    ),
    "efficientnet_b0": _torchvision(
        "efficientnet_b0", head="classifier.1", features="features", stages=_blocks(9)
    ),
    "convnext_tiny": _torchvision(
        "convnext_tiny", head="classifier.2", features="features", stages=_blocks(8)
    ),
    "swin_t": _torchvision(  # its "features" are channels last
        "swin_t", head="head", features="permute", stages=_blocks(8)
    ),
}


def architecture(name: str) -> Architecture:
    """Return the entry of `name`, which may be "timm:NAME"; raise UsageError for an unknown one."""
    if name.startswith("timm:"):
        from networks.timm_models import timm_architecture  # noqa: PLC0415 (optional)

        return timm_architecture(name)
    if name not in ARCHITECTURES:
        raise UsageError(f"--arch {name} is not one of {', '.join(ARCHITECTURES)}, nor timm:NAME")
    return ARCHITECTURES[name]
