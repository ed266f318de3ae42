"""The options of tools/verify.py."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import ClassVar

from options.declare import between, not_with, option
from options.machine import MAX_PROCESSES, ConsoleOptions, ImageOptions
from options.places import writable_file
from options.source import SourceOptions


def _prefix(value: str) -> str | None:
    fits = not value or os.path.basename(value)
    wrong = None if fits else "must end in a file name, as in results/check/verify"
    return wrong or writable_file(f"{value or 'results/verify'}.json")


@dataclass(frozen=True, kw_only=True)
class VerifyOptions(ConsoleOptions, ImageOptions, SourceOptions):
    """Check a data set: decode every image, compare counts and formats with the published ones.

    Exit code 0: whole; 1: faults were found; 2: wrong usage.
    """

    examples: ClassVar = (
        "python -m tools.verify dataset --quick",
        "python -m tools.verify dataset --sets progan,san",
    )
    page: ClassVar = "docs/data.md"

    sets: tuple[str, ...] = option(
        (), "check only these: train, val and test sets by name [all that are there]"
    )
    quick: bool = option(
        False,
        "compare names and counts and find empty files; decode nothing, look for no duplicates",
    )
    out: str = option(
        "",
        "path of the reports, to which .json and .md are added [results/verify-<name>/verify]",
        _prefix,
        metavar="FILE",
    )
    processes: int = option(
        os.cpu_count() or 1,
        "worker processes; 0: decode and hash images in the main process",
        between(0, MAX_PROCESSES),
        needs=[not_with("quick")],
    )
