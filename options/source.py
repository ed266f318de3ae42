"""Options that say where images are, when they are not where they are usually."""

from __future__ import annotations

from dataclasses import dataclass

from options.declare import not_with, option
from options.machine import SCORING

NEEDED = "{} is needed: a folder or a manifest (or --fake, a plain folder)"


@dataclass(frozen=True, kw_only=True)
class PlainFolders:
    """Plain folders."""

    real: str = option(
        "",
        "a folder of real images, at any depth, whatever its folders are called: for --fake, and"
        " for test sets that have none",
        needs=[SCORING],
    )
    fake: tuple[str, ...] = option((), "folders of generated images, likewise", needs=[SCORING])


@dataclass(frozen=True, kw_only=True)
class SourceOptions(PlainFolders):
    """A data set: a folder, a manifest (CSV or .jsonl), or plain folders."""

    dataroot: tuple[str, ...] = option(
        (),
        "a folder that holds train, val and test, or test sets, or one set; or a manifest",
        positional=True,
        needs=[not_with("fake")],
    )
    split: str = option(
        "",
        "only images below folders of this name, or rows of this split [all]",
        needs=[not_with("fake")],
    )

    def conflict(self) -> str | None:
        """What is wrong with the options taken together, or None."""
        if len(self.dataroot) > 1:
            return "DATAROOT must be one folder or one manifest"
        return None if self.dataroot or self.fake else NEEDED.format("DATAROOT")
