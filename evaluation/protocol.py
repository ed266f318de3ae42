"""How an image becomes a logit, but for the network: the scoring protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from data.augment import Transform
from data.transforms import eval_transform
from evaluation.degrade import reencode_transforms
from options.machine import MAX_PIXELS


@dataclass(frozen=True, kw_only=True)
class ScoringProtocol:
    """What is done to every image of a sweep, and in which precision it is scored."""

    crop_size: int | None = 224  # side of the centre crop; None: whole images
    reencode: str = ""  # "jpeg:<quality>" or "png": the encoder that every image gets first
    precision: str = "fp32"  # of the network's arithmetic: fp32, bf16 or fp16
    max_pixels: int = MAX_PIXELS  # an image that claims more is unreadable

    def transforms(self, degradation: Sequence[Transform] = ()) -> list[Transform]:
        """Return the transforms from the decoded image to what the network sees."""
        return [*reencode_transforms(self.reencode), *degradation, *eval_transform(self.crop_size)]

    def key(self) -> str:
        """Return a name for files: two protocols with one name give every image the same logit."""
        parts = [f"{self.crop_size or 'whole'}", self.precision, f"{self.max_pixels}px"]
        return "-".join([*parts, *([self.reencode.replace(":", "_")] if self.reencode else [])])

    def describe(self) -> str:
        """Return the protocol in the words of a table's caption."""
        crop = f"centre crop {self.crop_size}" if self.crop_size else "whole images"
        first = f", first re-encoded as {self.reencode}" if self.reencode else ""
        return f"{crop}, {self.precision}{first}"

    def about(self) -> dict[str, Any]:
        """Return what metrics.json says of it."""
        reencode = {"reencode": self.reencode} if self.reencode else {}
        return {"crop_size": self.crop_size, "precision": self.precision, **reencode}
