"""What tools/spectra.py can be told."""

from __future__ import annotations

import os
from dataclasses import dataclass

from options.declare import at_least, between, option
from options.machine import MAX_PROCESSES, SEED, SkipOptions
from options.places import writable_file


def _png(value: str) -> str | None:
    fits = value.endswith(".png") and os.path.basename(value) != ".png"
    return writable_file(value) if fits else "must end in .png"


@dataclass(frozen=True, kw_only=True)
class SpectraOptions(SkipOptions):
    """Draw the average spectra of each test set's images, real beside fake, as PNG and PDF."""

    dataroot: str = option("", "the folder that holds the test sets, one folder each")
    testsets: tuple[str, ...] = option((), "test sets to draw; empty: every one found")
    out: str = option("results/spectra.png", "the PNG to write; a PDF goes beside it", _png)
    max_images: int = option(
        2000, "of each label of a test set; of more, a random choice is taken", at_least(1)
    )
    size: int = option(
        224,
        "side of the centre crop that is transformed; smaller images are left out",
        between(8, 10_000),
    )
    num_threads: int = option(
        min(4, os.cpu_count() or 1),
        "worker processes that read and transform images; 0 does it in the main process",
        between(0, MAX_PROCESSES),
    )
    seed: int = option(0, "of the random choice", SEED)

    def conflict(self) -> str | None:
        """What is wrong with the options taken together, or None."""
        return None if self.dataroot else "--dataroot is needed"
