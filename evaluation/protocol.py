"""How an image becomes a logit, but for the detector: the scoring protocol."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from data.augment import Transform
from data.geometry import Resize
from data.transforms import eval_crops
from evaluation.degrade import reencode_transforms
from options.machine import MAX_PIXELS


@dataclass(frozen=True, kw_only=True)
class ScoringProtocol:
    """What is done to every image of a sweep, and in which precision it is scored."""

    crop_size: int | None = 224  # side of the crops; None: whole images
    crops: int = 1  # 1 (the centre), 5 (and the corners) or 10 (and mirrored): their mean logit
    resize: int | None = None  # the short side, before the crop; None: as it is
    reencode: str = ""  # "jpeg:<quality>" or "png": the encoder that every image gets first
    precision: str = "fp32"  # of the network's arithmetic: fp32, bf16 or fp16
    max_pixels: int = MAX_PIXELS  # an image that claims more is unreadable

    def transforms(self, degradation: Sequence[Transform] = ()) -> list[list[Transform]]:
        """Return, for each crop, the transforms from the decoded image to what is scored."""
        first = [*reencode_transforms(self.reencode), *degradation]
        first += [Resize(self.resize)] if self.resize else []
        return [[*first, *crop] for crop in eval_crops(self.crop_size, self.crops)]

    def is_padded(self, height: int, width: int) -> bool:
        """Return whether an image of this size is smaller than the crop."""
        return (self.resize or min(height, width)) < (self.crop_size or 0)

    def key(self) -> str:
        """Return a name for files: two protocols with one name give every image the same logit."""
        parts = [f"{self.crop_size or 'whole'}", self.precision, f"{self.max_pixels}px"]
        parts += [f"{self.crops}crops"] if self.crops > 1 else []
        parts += [f"resize{self.resize}"] if self.resize else []
        return "-".join([*parts, *([self.reencode.replace(":", "_")] if self.reencode else [])])

    def describe(self) -> str:
        """Return the protocol in the words of a table's caption."""
        crop = f"centre crop {self.crop_size}" if self.crop_size else "whole images"
        if self.crops > 1:
            crop = f"mean logit of {self.crops} crops of {self.crop_size}"
        parts = [crop, *([f"short side resized to {self.resize}"] if self.resize else [])]
        parts += [self.precision, *([f"first re-encoded as {self.reencode}"] * bool(self.reencode))]
        return ", ".join(parts)

    def to_json(self) -> dict[str, Any]:
        """Return what metrics.json says of it: what differs from the paper's, and always these."""
        always = ("crop_size", "precision")
        return {
            f.name: getattr(self, f.name)
            for f in dataclasses.fields(self)
            if f.name in always or (f.name != "max_pixels" and getattr(self, f.name) != f.default)
        }

    @classmethod
    def from_json(cls, head: Mapping[str, Any]) -> ScoringProtocol:
        """Return the protocol that metrics.json tells of; raise TypeError where it is none."""
        if not isinstance(head["crop_size"], (int, type(None))):
            raise TypeError(f"crop_size is {head['crop_size']!r}")
        names = [f.name for f in dataclasses.fields(cls) if f.name in head]
        return cls(**{name: head[name] for name in names})
