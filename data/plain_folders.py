"""Images of plain folders, each of one label: --real and --fake."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from data.overlap import refuse_both, shared_image
from data.samples import Samples, concat, plain_images
from util.errors import UsageError


def plain_pair(real: str, fakes: Sequence[str]) -> Samples:
    """Return the images of plain folders. Raises UsageError where an image is in two of them."""
    reals = plain_folder(real, 0)
    samples = reals
    for folder in fakes:
        new = plain_folder(folder, 1)
        refuse_both(new, reals, f"--real {real} and --fake {folder}")
        if path := shared_image(new, samples):
            raise UsageError(f"--fake {folder}: {path} is in another of these folders, too")
        samples = concat(samples, new)
    return samples


def plain_folder(folder: str, label: int) -> Samples:
    """Return all images below a folder with one label, whatever its folders are called. Raises
    UsageError where there are none.
    """
    flag = ("--real", "--fake")[label]
    if not os.path.isdir(folder):
        raise UsageError(f"{flag} {folder}: no such folder")
    paths = plain_images(folder, f"{flag} {folder}")
    return Samples(folder, np.array(paths), np.full(len(paths), label, np.uint8))


def plain_sets(fakes: Sequence[str]) -> dict[str, Samples]:
    """Return the images of folders of fakes by the folders' names, of which no two may be alike."""
    found: dict[str, Samples] = {}
    for folder in fakes:
        name = os.path.basename(os.path.abspath(folder))
        if name in found:
            raise UsageError(f"--fake {folder}: two of these folders are called {name}")
        found[name] = plain_folder(folder, 1)
    return found
