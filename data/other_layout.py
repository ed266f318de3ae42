"""What to give instead, where a data set is missing, lies elsewhere, or is laid out otherwise."""

from __future__ import annotations

import os
from collections.abc import Sequence

from data.walk import label_folders, subfolders
from util.errors import UsageError


def refuse_other_layout(root: str, folders: Sequence[str]) -> None:
    """Raise UsageError where the `folders` of a root are called real and fake, or where one of them
    is a data set of its own: it holds train, val and test.
    """
    below = {name: subfolders(os.path.join(root, name)) for name in folders}
    plain = {
        name.lower(): os.path.join(root, name) for name in folders if not label_folders(below[name])
    }
    if {"real", "fake"} <= set(plain):
        raise UsageError(
            f"{root}: holds folders called real and fake, not 0_real and 1_fake; give"
            f" --real {plain['real']} --fake {plain['fake']} in its place, or rename them"
        )
    inner = [
        os.path.join(root, name) for name in folders if {"train", "val", "test"} <= set(below[name])
    ]
    if inner:
        raise UsageError(
            f"{root}: holds no train, val or test itself, but {inner[0]} does: give {inner[0]}"
        )


def require_split(root: str, split: str) -> None:
    """Raise UsageError, which says how to get images, where the folder of a split is missing."""
    path = os.path.join(root, split)
    if os.path.isdir(path):
        return
    if os.path.isdir(root):
        refuse_other_layout(root, subfolders(root))
    raise UsageError(
        f"{path}: no such folder; name a folder that holds train and val, or two plain folders with"
        " --real and --fake (python -m tools.download train val fetches the paper's images, python"
        " -m minibench.build makes a small data set in dataset/mini)"
    )
