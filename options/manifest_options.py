"""The options of tools/manifest.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from options.declare import option
from options.machine import ConsoleOptions
from options.places import writable_file
from options.source import SourceOptions


@dataclass(frozen=True, kw_only=True)
class ManifestOptions(ConsoleOptions, SourceOptions):
    """List the images of a data set in one file, which takes its place: --dataroot manifest.csv."""

    examples: ClassVar = (
        "python -m tools.manifest dataset --out dataset/manifest.csv",
        "python -m tools.manifest --real photos --fake made --out own.csv",
    )
    page: ClassVar = "docs/data.md"

    out: str = option(
        "manifest.csv",
        "file to write: CSV, or JSON lines where it ends in .jsonl",
        writable_file,
        metavar="FILE",
    )
    overwrite: bool = option(False, "replace --out if it exists")
