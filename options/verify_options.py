"""What tools/verify.py can be told."""

from __future__ import annotations

import os
from dataclasses import dataclass

from options.declare import between, not_with, option
from options.machine import MAX_PROCESSES, ImageOptions
from options.places import writable_file
from options.source import SourceOptions


def _prefix(value: str) -> str | None:
    fits = not value or os.path.basename(value)
    wrong = None if fits else "must end in a file name, as in results/check/verify"
    return wrong or writable_file(f"{value or 'results/verify'}.json")


@dataclass(frozen=True, kw_only=True)
class VerifyOptions(ImageOptions, SourceOptions):
    """Check the images below a folder: decode each, and compare their number, formats and contents
    with what was published. Exit 0: whole; 1: faults were found; 2: wrong usage.
    """

    sets: tuple[str, ...] = option(
        (), "check these alone: train, val and test sets by name; empty: all that is there"
    )
    quick: bool = option(
        False, "compare names, counts and empty files only: decode nothing, look for no duplicates"
    )
    out: str = option(
        "",
        "the reports: this path with .json and .md added [results/verify-<its name>/verify]",
        _prefix,
    )
    processes: int = option(
        os.cpu_count() or 1,
        "worker processes that decode and hash images; 0 does it in the main process",
        between(0, MAX_PROCESSES),
        needs=[not_with("quick")],
    )
