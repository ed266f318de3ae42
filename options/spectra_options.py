"""The options of tools/spectra.py."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import ClassVar

from options.declare import at_least, between, option
from options.machine import MAX_PROCESSES, SEED, ConsoleOptions, SkipOptions
from options.places import writable_file


def _png(value: str) -> str | None:
    fits = value.endswith(".png") and os.path.basename(value) != ".png"
    return writable_file(value) if fits else "must end in .png"


@dataclass(frozen=True, kw_only=True)
class SpectraOptions(ConsoleOptions, SkipOptions):
    """Draw the average spectra of each test set's images, real beside fake, as PNG and PDF."""

    examples: ClassVar = (
        "python -m tools.spectra --dataroot dataset/test",
        "python -m tools.spectra --dataroot dataset/mini/test --size 64 --testsets progan,cyclegan",
    )
    page: ClassVar = "docs/evaluation.md"

    dataroot: str = option("", "folder that holds the test sets, one folder each", metavar="FOLDER")
    testsets: tuple[str, ...] = option((), "test sets to draw [all]")
    out: str = option(
        "results/spectra.png", "PNG to write; a PDF goes beside it", _png, metavar="FILE"
    )
    max_images: int = option(
        2000,
        "most images of each label of a test set; of more, N are chosen at random",
        at_least(1),
    )
    size: int = option(
        224,
        "side of the centre crop whose spectrum is taken; smaller images are left out",
        between(8, 10_000),
    )
    num_threads: int = option(
        min(4, os.cpu_count() or 1),
        "worker processes; 0: read and transform images in the main process",
        between(0, MAX_PROCESSES),
    )
    seed: int = option(0, "seed of the random choice", SEED)

    def conflict(self) -> str | None:
        """Return what is wrong with the options taken together, or None."""
        return None if self.dataroot else "--dataroot is needed"
