"""What tools/manifest.py can be told."""

from __future__ import annotations

from dataclasses import dataclass

from options.declare import option
from options.places import writable_file
from options.source import SourceOptions


@dataclass(frozen=True, kw_only=True)
class ManifestOptions(SourceOptions):
    """List the images of a data set in one file, which takes its place: --dataroot manifest.csv."""

    out: str = option(
        "manifest.csv",
        "the file to write: CSV, or JSON lines where it ends in .jsonl",
        writable_file,
    )
    overwrite: bool = option(False, "replace --out")
