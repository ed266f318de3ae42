"""Where in a network the maps are that Grad-CAM weighs, and how they lie in memory."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from networks.architectures import Architecture


class Maps(NamedTuple):
    """The output of one module, to be read as maps of the image."""

    module: str  # its path in the network
    layout: str = "NCHW"  # or "NHWC", or "tokens": (N, tokens, C), the image's row by row
    prefix_tokens: int = 0  # before those of the image

    def as_nchw(self, output: Tensor, height: int, width: int) -> Tensor:
        """Return the maps (1, C, h, w) in the output for one image of height x width pixels."""
        if self.layout == "NCHW":
            return output
        if self.layout == "NHWC":
            return output.permute(0, 3, 1, 2)
        tokens = output[:, self.prefix_tokens :]
        rows = round((tokens.shape[1] * height / width) ** 0.5)
        return tokens.transpose(1, 2).unflatten(2, (rows, -1))


def maps_of(its: Architecture) -> Maps | None:
    """Return the last maps of an architecture; None where it has none."""
    return Maps(its.features, its.layout, its.prefix_tokens) if its.features else None
