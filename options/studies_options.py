"""The options of the commands of studies/."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import ClassVar

from options.declare import at_least, between, not_with, one_of, option
from options.machine import DEVICES, MAX_PROCESSES, SEED, ConsoleOptions, check_device
from options.names import STUDIES
from options.places import writable_file, writable_folder

REPORT = "report"


@dataclass(frozen=True, kw_only=True)
class StudiesOptions(ConsoleOptions):
    """Run studies on the miniature benchmark; what is finished is kept, the same command goes on.

    NAME is a study, several, or all; or report, which writes docs/studies.md from the results.
    """

    examples: ClassVar = (
        "python -m studies all --jobs 4",
        "python -m studies few_shot --first_seed 3 --seeds 2",
    )
    page: ClassVar = "docs/studies.md"

    name: tuple[str, ...] = option(
        (),
        f"{', '.join(STUDIES)}, all or report",
        lambda names: one_of(*STUDIES, "all", REPORT)(names) if names else None,
        positional=True,
    )
    list: bool = option(False, "print what each study asks, and end")
    seeds: int = option(
        3, "runs of each condition, each with the next seed after --first_seed", between(1, 1000)
    )
    first_seed: int = option(
        0,
        "seed of the first run of each condition; rows of other seeds that are in --results stay,"
        " so that a study can be spread over nights and machines",
        between(0, 1_000_000),
    )
    jobs: int = option(
        1, "commands that run at a time; each gets its share of the cores", between(1, 64)
    )
    device: str = option("auto", DEVICES, check_device)
    out: str = option(
        "studies/runs",
        "folder for checkpoints, scores and logs; a folder smoke in it for --smoke",
        writable_folder,
        metavar="FOLDER",
    )
    data: str = option(
        "dataset",
        "folder that gets the miniature, mini, and mini_<family>",
        writable_folder,
        metavar="FOLDER",
    )
    results: str = option(
        "studies/results",
        "folder for a CSV and a JSON file of each study",
        writable_folder,
        needs=[not_with("smoke")],
        metavar="FOLDER",
    )
    smoke: bool = option(
        False,
        "see that everything runs, in minutes: few steps of a small network on few images; the"
        " results mean nothing, and go into --out",
    )
    dry_run: bool = option(False, "print the commands that are still to run, and end")

    def conflict(self) -> str | None:
        """Return what is wrong with the options taken together, or None."""
        if not (self.name or self.list):
            return f"NAME is needed: {', '.join(STUDIES)}, all or {REPORT}"
        if REPORT in self.name and len(self.name) > 1:
            return f"{REPORT} stands alone: it is about all results that are there"
        return None


@dataclass(frozen=True, kw_only=True)
class SubsetOptions:
    """Write a manifest of a part of a miniature: of nested numbers of photographs, or images."""

    examples: ClassVar = (
        "python -m studies.subset --dataroot dataset/mini --photographs 4 --as_many_as 2 "
        "--out four.csv",
        "python -m studies.subset --dataroot dataset/mini --fraction 0.25 --out quarter.csv",
    )
    page: ClassVar = "docs/studies.md"

    dataroot: str = option("dataset/mini", "folder that minibench.build made", metavar="FOLDER")
    out: str = option("subset.csv", "manifest to write", writable_file, metavar="FILE")
    photographs: int | None = option(
        None, "photographs whose training images are taken [all]", at_least(1)
    )
    as_many_as: int | None = option(
        None,
        "take as many training images as N of the photographs have [all images]",
        at_least(1),
    )
    fraction: float = option(1.0, "share of these training images that is taken", between(0, 1))
    most: int | None = option(
        None, "most images of each label in val and in each test set [all]", at_least(1)
    )
    seed: int = option(0, "seed of the choice", SEED)


@dataclass(frozen=True, kw_only=True)
class ProfileOptions:
    """Measure the mean spectra of real and fake images of each test set, as a table."""

    examples: ClassVar = (
        "python -m studies.profile --dataroot dataset/mini/test --out profile.csv",
        "python -m studies.profile --dataroot dataset/test --size 224 --out profile224.csv",
    )
    page: ClassVar = "docs/studies.md"

    dataroot: str = option("dataset/mini/test", "folder of test sets, or a manifest")
    out: str = option("profile.csv", "CSV to write", writable_file, metavar="FILE")
    size: int = option(64, "side of the centre crop whose spectrum is taken", between(32, 10_000))
    num_threads: int = option(
        min(4, os.cpu_count() or 1),
        "worker processes; 0: read and transform images in the main process",
        between(0, MAX_PROCESSES),
    )


@dataclass(frozen=True, kw_only=True)
class CompareStudiesOptions:
    """Say whether studies that were run again agree with the tables that ship."""

    examples: ClassVar = (
        "python -m studies.compare mine",
        "python -m studies.compare mine --shipped theirs",
    )
    page: ClassVar = "docs/studies.md"

    tables: tuple[str, ...] = option((), "what --results of python -m studies was", positional=True)
    shipped: str = option("studies/results", "tables to compare with", metavar="FOLDER")

    def conflict(self) -> str | None:
        """Return what is wrong with the options taken together, or None."""
        return None if len(self.tables) == 1 else "TABLES must be one folder"
