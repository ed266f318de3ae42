"""Find images that two listings have in common, whatever links lead to them."""

from __future__ import annotations

import contextlib
import os

import numpy as np

from data.samples import Samples
from util.errors import UsageError

Identity = tuple[int, int]  # of a directory: device and inode


def shared_image(first: Samples, second: Samples) -> str:
    """Return the path of an image of `first` that is also in `second`; "" where there is none.

    Compares the directories by identity, and the names in those that both have: one `os.stat` per
    directory, not per image. A link to a file counts as an image of its own (tools/verify.py
    compares contents).
    """
    ours, theirs = _directories(first), _directories(second)
    common = set(ours.values()) & set(theirs.values())
    if not common:
        return ""
    known = {
        (theirs[folder], name)
        for folder, _, name in (path.rpartition(b"/") for path in second.paths)
        if theirs.get(folder) in common
    }
    for index, path in enumerate(first.paths):
        folder, _, name = path.rpartition(b"/")
        if (ours.get(folder), name) in known:
            return first.path(index)
    return ""


def with_label(samples: Samples, label: int) -> Samples:
    """Return the images of one label."""
    return samples.take(np.flatnonzero(samples.labels == label))


def refuse_both(fakes: Samples, reals: Samples, where: str) -> None:
    """Raise UsageError that begins with `where` if an image is among both."""
    if path := shared_image(fakes, reals):
        raise UsageError(
            f"{where}: {path} is among the real images and among the fakes; an image is one or the"
            " other"
        )


def _directories(samples: Samples) -> dict[bytes, Identity]:
    """Return the identities of the images' directories by path; missing ones are left out."""
    found: dict[bytes, Identity] = {}
    for folder in {path.rpartition(b"/")[0] for path in samples.paths}:  # no list: of 65 MB
        with contextlib.suppress(OSError):
            state = os.stat(os.path.join(samples.root, os.fsdecode(folder)) or ".")
            found[folder] = state.st_dev, state.st_ino
    return found
