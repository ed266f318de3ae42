"""The options of `python -m tools.reproduce`."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import ClassVar

from options.declare import between, not_with, option
from options.machine import MAX_PROCESSES, ConsoleOptions, MachineOptions
from options.places import writable_folder


def _words(value: str) -> str | None:
    try:
        shlex.split(value)
    except ValueError as error:
        return f"must be options as a shell takes them ({error})"
    return None


@dataclass(frozen=True, kw_only=True)
class ReproduceOptions(ConsoleOptions, MachineOptions):
    """Reproduce the paper: download, verify, train its two models, sweep, compare with its figures.

    The same command goes on where an earlier one broke off.
    """

    examples: ClassVar = (
        "python -m tools.reproduce --dry_run",
        "python -m tools.reproduce --released --root dataset",
    )
    page: ClassVar = "docs/reproduce.md"

    released: bool = option(False, "evaluate the published weights; train nothing")
    dry_run: bool = option(
        False,
        "print every command, what it fetches and how long it takes by what this machine computes"
        " in a second (measured, half a minute), and end",
    )
    root: str = option(
        "dataset",
        "folder that gets test/, val/, train/ and archives/",
        writable_folder,
        metavar="FOLDER",
    )
    no_download: bool = option(False, "take the images (and weights) that are there; fetch none")
    checkpoints_dir: str = option(
        "checkpoints", "folder for the weights", writable_folder, metavar="FOLDER"
    )
    results_dir: str = option(
        "",
        "folder for the tables and the reports of the sweeps [results/reproduce; with --released"
        " results/reproduce-eval]",
        writable_folder,
        metavar="FOLDER",
    )
    testsets: tuple[str, ...] = option((), "test sets to score [all]")
    processes: int = option(
        1,
        "processes that torchrun starts for training and for scoring, one a GPU",
        between(1, MAX_PROCESSES),
    )
    train_options: str = option(
        "",
        'more options for train.py in one text, as in --train_options="--blur_method scipy"',
        _words,
        needs=[not_with("released")],
        metavar="LIST",
    )
