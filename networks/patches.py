"""A small network that sees patches: plain convolutions, most of them at full resolution.

What upsampling leaves is a matter of neighbouring pixels. A ResNet halves the image twice before
its first block; this network keeps every pixel for its first half, and its last maps see 23x23
pixels each (limited receptive fields: Chai et al., ECCV 2020; Cavia et al., 2024).
"""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

FULL = (32, 32, 32, 32)
"""Channels of the convolutions at full resolution."""
HALF = (64, 64, 64, 128)
"""Channels of those at half of it; the first has stride 2."""


def patch_network() -> nn.Sequential:
    """Build the network: (N, 3, H, W) normalized images of any size -> (N, 1) logits.

    `features` gives (N, 128, H/2, W/2), of which the mean goes into the last layer.
    """
    layers: list[nn.Module] = []
    before = 3
    strides = (1,) * len(FULL) + (2,) + (1,) * (len(HALF) - 1)
    for width, stride in zip(FULL + HALF, strides, strict=True):
        layers += [
            nn.Conv2d(before, width, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
        ]
        before = width
    return nn.Sequential(
        OrderedDict(
            features=nn.Sequential(*layers),
            avgpool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            fc=nn.Linear(before, 1),
        )
    )
