"""The options of tools/pack.py."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import ClassVar

from options.declare import between, one_of, option
from options.machine import MAX_PIXELS, MAX_PROCESSES, ConsoleOptions
from options.names import STORES
from options.places import writable_folder


@dataclass(frozen=True, kw_only=True)
class PackOptions(ConsoleOptions):
    """Put a data set into a few large files, which take its place: --dataroot FOLDER."""

    examples: ClassVar = (
        "python -m tools.pack dataset --out dataset/packed",
        "python -m tools.pack dataset/mini --out dataset/mini_pack --store original",
    )
    page: ClassVar = "docs/data.md"

    dataroot: tuple[str, ...] = option(
        (),
        "folder that holds train, val and test, or test sets, or one set; or a manifest",
        positional=True,
    )
    out: str = option("packed", "folder to make", writable_folder, metavar="FOLDER")
    store: str = option(
        "zstd",
        "what is kept of an image: pixels (decoded, largest, fastest), zstd (the same, compressed"
        " without loss) or original (its file, byte for byte)",
        one_of(*STORES),
    )
    max_pixels: int = option(
        MAX_PIXELS, "images with more pixels are not decoded", between(1, 1 << 40)
    )
    processes: int = option(
        min(4, os.cpu_count() or 1),
        "processes that read images; 0: read in the main process",
        between(0, MAX_PROCESSES),
    )

    def conflict(self) -> str | None:
        """Return what is wrong with the options taken together, or None."""
        return None if len(self.dataroot) == 1 else "DATAROOT must be one folder or one manifest"
