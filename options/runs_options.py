"""The options of tools/runs.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from options.declare import each, file_name, option
from options.machine import ConsoleOptions


@dataclass(frozen=True, kw_only=True)
class RunsOptions(ConsoleOptions):
    """List training runs and where they were evaluated or, given the NAMEs of two, compare them."""

    examples: ClassVar = (
        "python -m tools.runs",
        "python -m tools.runs blur_jpg_prob0.5 blur_jpg_prob0.1",
    )
    page: ClassVar = "docs/train.md"

    name: tuple[str, ...] = option(
        (), "two runs to compare [list all]", each(file_name), positional=True
    )
    checkpoints_dir: str = option(
        "./checkpoints", "folder that holds the runs' folders", metavar="FOLDER"
    )
    results_dir: str = option(
        "results", "folder that holds the results' folders of eval.py", metavar="FOLDER"
    )

    def conflict(self) -> str | None:
        """Return what is wrong with the options taken together, or None."""
        return None if len(self.name) in (0, 2) else "NAME: give two runs to compare, or none"
