"""The options of tools/pack.py."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import ClassVar

from options.declare import between, not_with, one_of, only_with, option
from options.machine import MAX_PIXELS, MAX_PROCESSES, SIDE, ConsoleOptions
from options.names import INTERPOLATIONS, STORES
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
    loadSize: int | None = option(
        None,
        "resize the short side to this first: for train.py with the same --loadSize and --rz_interp"
        " alone [as they are]",
        SIDE,
        needs=[not_with("store", "original")],
    )
    rz_interp: str = option(
        "bilinear",
        f"how: {', '.join(INTERPOLATIONS)}",
        one_of(*INTERPOLATIONS),
        needs=[only_with("loadSize")],
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
