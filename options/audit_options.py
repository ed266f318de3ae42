"""The options of tools/audit.py."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import ClassVar

from options.declare import at_least, between, option
from options.machine import MAX_PROCESSES, SEED, ConsoleOptions, SkipOptions
from options.places import writable_folder
from options.source import SourceOptions


@dataclass(frozen=True, kw_only=True)
class AuditOptions(ConsoleOptions, SkipOptions, SourceOptions):
    """Audit a folder for shortcuts: how far real and fake can be told from the files alone."""

    examples: ClassVar = (
        "python -m tools.audit dataset",
        "python -m tools.audit --real photos --fake made",
    )
    page: ClassVar = "docs/data.md"

    out: str = option(
        "",
        "folder for the report [results/audit-<name of DATAROOT>]",
        lambda value: writable_folder(value or "results"),
        metavar="FOLDER",
    )
    max_images: int = option(
        5000,
        "most images of each label of a set; of more, N are chosen at random",
        at_least(10),
    )
    seed: int = option(0, "seed of the random choice and of the folds", SEED)
    processes: int = option(
        min(16, 4 * (os.cpu_count() or 1)),
        "files that are read at a time",
        between(1, MAX_PROCESSES),
    )
