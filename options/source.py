"""Options that say where images are, when they are not where they are usually."""

from __future__ import annotations

import os
from dataclasses import dataclass

from options.declare import Condition, between, not_with, option
from options.machine import SCORING

NEEDED = "{} is needed: a folder or a manifest (or --fake, a plain folder)"
PARTS = ("train", "val")  # of images without splits: what training takes, and holds out
PART = Condition(
    lambda o: not o.fake or o.split in ("", *PARTS),
    f"with --fake, unless it is {' or '.join(PARTS)}",
)
_CHOSEN = Condition(  # train.py, which has no --split, takes both
    lambda o: getattr(o, "split", PARTS[0]) in PARTS, f"without --split {' or '.join(PARTS)}"
)
_HELD_OUT = Condition(
    lambda o: o.fake or not os.path.isdir("".join(o.dataroot)), "with a folder as the data set"
)


@dataclass(frozen=True, kw_only=True)
class PlainFolders:
    """Plain folders."""

    real: str = option(
        "",
        "folder of real images, at any depth, whatever its subfolders are called; for --fake, and"
        " for test sets without real images",
        needs=[SCORING],
        metavar="FOLDER",
    )
    fake: tuple[str, ...] = option(
        (),
        "folders of generated images, likewise; in evaluation each is a test set",
        needs=[SCORING],
    )
    val_fraction: float = option(
        0.1,
        "share of the images that training holds out for validation, for --real and --fake and"
        " for manifests without splits; --split val evaluates them",
        between(0.001, 0.9),
        needs=[SCORING, _CHOSEN, _HELD_OUT],
    )


@dataclass(frozen=True, kw_only=True)
class SourceOptions(PlainFolders):
    """A data set: a folder, a manifest (CSV or .jsonl), or plain folders."""

    dataroot: tuple[str, ...] = option(
        (),
        "folder that holds train, val and test, or test sets, or one set; or a manifest",
        positional=True,
        needs=[not_with("fake")],
    )
    split: str = option(
        "",
        "take only images below folders of this name, or a manifest's rows of this split [all];"
        " with --real and --fake: train or val",
        needs=[PART],
    )

    def conflict(self) -> str | None:
        """Return what is wrong with the options taken together, or None."""
        if len(self.dataroot) > 1:
            return "DATAROOT must be one folder or one manifest"
        return None if self.dataroot or self.fake else NEEDED.format("DATAROOT")
