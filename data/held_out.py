"""Hold out a share of a data set without splits for validation."""

from __future__ import annotations

import hashlib
import os

import numpy as np
import numpy.typing as npt

from data.samples import SPLITS, Samples
from util.errors import UsageError


def held_out(samples: Samples, fraction: float) -> npt.NDArray[np.bool_]:
    """Return (N,) bool: whether each image is in the share `fraction` held out for validation.

    Decided by a hash of the file's name without ending: the same on every machine, in any folder.
    """
    names = [os.path.splitext(os.path.basename(path))[0] for path in samples.paths.tolist()]
    draws = [hashlib.blake2b(name, digest_size=8).digest() for name in names]
    return np.array([int.from_bytes(draw, "big") < fraction * 2**64 for draw in draws])


def hold_out(samples: Samples, fraction: float) -> tuple[Samples, Samples]:
    """Return all images but those `held_out`, and these; images of one name stay together.

    Raises UsageError where a label is missing in either part.
    """
    is_out = held_out(samples, fraction)
    parts = samples.take(np.flatnonzero(~is_out)), samples.take(np.flatnonzero(is_out))
    for part in parts:
        require_both_labels(part, f"--val_fraction {fraction:g} of {len(is_out)} images")
    return parts


def part_of(samples: Samples, split: str, fraction: float, *, name: str) -> Samples:
    """Return the images that training takes (`split` "train") or holds out ("val").

    Raises UsageError that names the data set `name` where there are none.
    """
    chosen = np.flatnonzero(held_out(samples, fraction) == (split == SPLITS[1]))
    if not chosen.size:
        raise UsageError(f"--split {split}: --val_fraction {fraction:g} leaves no image of {name}")
    return samples.take(chosen)


def require_both_labels(samples: Samples, where: str) -> None:
    """Raise UsageError that begins with `where` if there are no images of a label."""
    for label, name in enumerate(("real", "fake")):
        if not (samples.labels == label).any():
            raise UsageError(f"{where}: no {name} images among them")
