"""The share of a data set without splits that training holds out for validation."""

from __future__ import annotations

import hashlib
import os

import numpy as np
import numpy.typing as npt

from data.samples import SPLITS, Samples
from util.errors import UsageError


def held_out(samples: Samples, fraction: float) -> npt.NDArray[np.bool_]:
    """(N,) whether an image is in the share `fraction` that is held out for validation: by a hash
    of its name without ending, the same on every machine and in every folder.
    """
    names = [os.path.splitext(os.path.basename(path))[0] for path in samples.paths.tolist()]
    draws = [hashlib.blake2b(name, digest_size=8).digest() for name in names]
    return np.array([int.from_bytes(draw, "big") < fraction * 2**64 for draw in draws])


def hold_out(samples: Samples, fraction: float) -> tuple[Samples, Samples]:
    """All images but those `held_out`, and these; images of one name stay together."""
    is_out = held_out(samples, fraction)
    parts = samples.take(np.flatnonzero(~is_out)), samples.take(np.flatnonzero(is_out))
    for part in parts:
        require_both_labels(part, f"--val_fraction {fraction:g} of {len(is_out)} images")
    return parts


def part_of(samples: Samples, split: str, fraction: float, name: str) -> Samples:
    """What training takes (the split train) or holds out (val)."""
    chosen = np.flatnonzero(held_out(samples, fraction) == (split == SPLITS[1]))
    if not chosen.size:
        raise UsageError(f"--split {split}: --val_fraction {fraction:g} leaves no image of {name}")
    return samples.take(chosen)


def require_both_labels(samples: Samples, where: str) -> None:
    """Raise UsageError, which begins with `where`, if the images of a label are missing."""
    for label, name in enumerate(("real", "fake")):
        if not (samples.labels == label).any():
            raise UsageError(f"{where}: no {name} images among them")
