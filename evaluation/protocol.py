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
from networks.input_spec import Side
from options.machine import MAX_PIXELS

ONLY_FAKE = "@fake"  # ends an encoder that images of label 1 alone get


@dataclass(frozen=True, kw_only=True)
class ScoringProtocol:
    """What is done to every image of a sweep, and in which precision it is scored."""

    crop_size: int | None = 224  # side of the crops; None: whole images
    crops: int = 1  # 1 (the centre), 5 (and the corners) or 10 (and mirrored): their mean logit
    resize: Side | None = None
    """Before the crop: the short side, or height and width; None: as it is."""
    interpolation: str = "bilinear"  # of that
    reencode: str = ""
    """The encoder that every image gets first: "jpeg:<quality>" or "png"; with "@fake" at the end
    those with label 1 alone."""
    precision: str = "fp32"  # of the network's arithmetic: fp32, bf16 or fp16
    max_pixels: int = MAX_PIXELS  # an image that claims more is unreadable

    def transforms(self, degradation: Sequence[Transform] = ()) -> list[list[Transform]]:
        """Return, for each crop, the transforms from the decoded image to what is scored."""
        first = [*reencode_transforms(self.reencode), *degradation]
        first += [Resize(self.resize, (self.interpolation,))] if self.resize else []
        return [[*first, *crop] for crop in eval_crops(self.crop_size, self.crops)]

    def of_label(self, label: int) -> ScoringProtocol:
        """Return what is done to the images of one label."""
        encoder = self.reencode.removesuffix(ONLY_FAKE)
        if encoder == self.reencode:
            return self
        return dataclasses.replace(self, reencode=encoder if label else "")

    def is_padded(self, height: int, width: int) -> bool:
        """Return whether an image of this size is smaller than the crop."""
        resized = (self.resize,) if isinstance(self.resize, int) else self.resize
        return min(resized or (height, width)) < (self.crop_size or 0)

    def key(self) -> str:
        """Return a name for files: two protocols with one name give every image the same logit."""
        parts = [f"{self.crop_size or 'whole'}", self.precision, f"{self.max_pixels}px"]
        parts += [f"{self.crops}crops"] if self.crops > 1 else []
        parts += [f"resize{self.resized_to()}"] if self.resize else []
        parts += [self.interpolation] if self.resize and self.interpolation != "bilinear" else []
        return "-".join([*parts, *([self.reencode.replace(":", "_")] if self.reencode else [])])

    def describe(self) -> str:
        """Return the protocol in the words of a table's caption."""
        crop = f"centre crop {self.crop_size}" if self.crop_size else "whole images"
        if self.crops > 1:
            crop = f"mean logit of {self.crops} crops of {self.crop_size}"
        parts = [crop]
        if self.resize:
            side = "short side " * isinstance(self.resize, int)
            method = f" ({self.interpolation})" * (self.interpolation != "bilinear")
            parts.append(f"{side}resized to {self.resized_to()}{method}")
        parts.append(self.precision)
        if self.reencode:
            encoder = self.reencode.removesuffix(ONLY_FAKE)
            fakes = "fakes alone " * (encoder != self.reencode)
            parts.append(f"{fakes}first re-encoded as {encoder}")
        return ", ".join(parts)

    def resized_to(self) -> str:
        """Return the size that images are resized to, as --resize takes it."""
        sides = self.resize if isinstance(self.resize, tuple) else (self.resize or "none",)
        return "x".join(map(str, sides))

    def to_json(self) -> dict[str, Any]:
        """Return what metrics.json says of it: what differs from the paper's, and always these."""
        always = ("crop_size", "precision")
        found = {
            f.name: getattr(self, f.name)
            for f in dataclasses.fields(self)
            if f.name in always or (f.name != "max_pixels" and getattr(self, f.name) != f.default)
        }
        return {k: list(v) if isinstance(v, tuple) else v for k, v in found.items()}

    @classmethod
    def from_json(cls, head: Mapping[str, Any]) -> ScoringProtocol:
        """Return the protocol that metrics.json tells of; raise TypeError where it is none."""
        if not isinstance(head["crop_size"], (int, type(None))):
            raise TypeError(f"crop_size is {head['crop_size']!r}")
        values = {f.name: head[f.name] for f in dataclasses.fields(cls) if f.name in head}
        if isinstance(values.get("resize"), list):
            values["resize"] = tuple(values["resize"])  # JSON knows no tuples
        return cls(**values)


def size_of(text: str) -> Side | None:
    """Return what --resize asks for: "256", "256x128" (height x width), or "none"."""
    if text == "none":
        return None
    height, *width = map(int, text.split("x"))
    return (height, *width) if width else height  # type: ignore[return-value]
