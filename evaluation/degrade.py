"""The degradations of a robustness sweep, each at a fixed level for every image.

A degradation is one entry of DEGRADATIONS. It is applied to the whole image; the centre crop
comes after it, as in training.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from data.augment import Blur, Jpeg, Transform
from data.geometry import Rescale
from util.errors import UsageError

# Name -> (level -> transforms, the level that changes nothing).
DEGRADATIONS: dict[str, tuple[Callable[[float], list[Transform]], float | None]] = {
    "blur": (lambda sigma: [Blur(1.0, (sigma,))], 0),
    "jpeg": (lambda quality: [Jpeg(1.0, (int(quality),), ("pil",))], None),
    "rescale": (lambda factor: [Rescale(factor)], 1),
}
ORIGINAL = "plain"


def level_text(level: float) -> str:
    """Return the level with all its digits, and no more: "90", "0.1", "0.1000001"."""
    return repr(float(level)).removesuffix(".0")


def variant_name(degradation: str, level: float) -> str:
    """Return the name of a degradation at a level: "jpeg_90", or "plain" if it changes nothing."""
    is_plain = level == DEGRADATIONS[degradation][1]
    return ORIGINAL if is_plain else f"{degradation}_{level_text(level)}"


def variant_of(encoder: str) -> str:
    """Return the name of the variant that re-encodes as "jpeg:<quality>": a degradation's, too."""
    name, _, level = encoder.partition(":")
    return variant_name(name, float(level))


def variants(
    levels: Mapping[str, Sequence[float]], aligned: str = ""
) -> dict[str, list[Transform]]:
    """Return the transforms of each degradation at each of its levels, by name; plain first. Those
    of the encoder `aligned` come with them, where one is named.
    """
    found: dict[str, list[Transform]] = {ORIGINAL: []}
    if aligned:
        found[variant_of(aligned)] = reencode_transforms(aligned)
    for degradation, steps_at in levels.items():
        for level in steps_at:
            found.setdefault(variant_name(degradation, level), DEGRADATIONS[degradation][0](level))
    return found


def reencode_transforms(encoder: str) -> list[Transform]:
    """Return the transforms that give every image the same last encoder.

    `encoder` is "jpeg:<quality>" (PIL, 4:2:0), "png", or "" for none. They come before all others,
    as if the files had been stored so. PNG needs no transform: it keeps the decoded pixels, which
    are all that a detector sees. What JPEG did to them earlier remains, with either encoder.
    """
    name, _, level = encoder.partition(":")
    if encoder in ("", "png"):
        return []
    if name == "jpeg" and level.isascii() and level.isdigit() and 1 <= int(level) <= 100:
        return [Jpeg(1.0, (int(level),), ("pil",))]
    raise UsageError(f"--reencode must be png or jpeg:1 to jpeg:100, not {encoder!r}")
