"""What tools/audit.py can be told."""

from __future__ import annotations

import os
from dataclasses import dataclass

from options.declare import at_least, between, option
from options.machine import MAX_PROCESSES, SEED, SkipOptions
from options.places import writable_folder
from options.source import SourceOptions


@dataclass(frozen=True, kw_only=True)
class AuditOptions(SkipOptions, SourceOptions):
    """Audit a folder for shortcuts: how far real and fake can be told from the files alone."""

    out: str = option(
        "",
        "the folder to write [results/audit-<name of DATAROOT>]",
        lambda value: writable_folder(value or "results"),
    )
    max_images: int = option(
        5000, "of each label of a set; of more, a random choice is taken", at_least(10)
    )
    seed: int = option(0, "of the random choice and the folds", SEED)
    processes: int = option(
        min(16, 4 * (os.cpu_count() or 1)),
        "how many files are read at a time",
        between(1, MAX_PROCESSES),
    )
