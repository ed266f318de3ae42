"""What the commands of minibench/ can be told."""

from __future__ import annotations

import os
from dataclasses import dataclass

from options.declare import at_least, between, option
from options.machine import MAX_PROCESSES, SEED
from options.places import writable_file, writable_folder


@dataclass(frozen=True, kw_only=True)
class BuildOptions:
    """Build the miniature benchmark: 13,800 images of 64x64 pixels."""

    out: str = option("dataset/mini", "the folder to make", writable_folder)
    only: str = option(
        "", "make train and val folders of this family alone, to fine-tune on, and no test sets"
    )
    seed: int = option(0, "of the crops and the noise", SEED)
    processes: int = option(
        os.cpu_count() or 1,
        "how many build at a time; the images do not depend on it",
        between(1, MAX_PROCESSES),
    )
    overwrite: bool = option(False, "replace --out, if it is another miniature benchmark")


@dataclass(frozen=True, kw_only=True)
class GeneratorOptions:
    """Train the miniature benchmark's generators on its train photographs."""

    families: tuple[str, ...] = option((), "which to train, by test set; empty: all thirteen")
    steps: int | None = option(
        None, "optimiser steps of 16 crops for each [1500; progan, crn, imle 3000]", at_least(1)
    )
    seed: int = option(0, "each family adds its place in the paper's order to it", SEED)
    out: str = option("minibench/weights", "folder for the weights", writable_folder)
    processes: int = option(2, "families trained at a time", between(1, MAX_PROCESSES))


@dataclass(frozen=True, kw_only=True)
class SheetOptions:
    """Draw a contact sheet of the miniature benchmark: real beside fake for each test set."""

    data: str = option("dataset/mini", "a folder that minibench.build made")
    out: str = option("docs/images/contact_sheet.png", "the PNG to write", writable_file)


@dataclass(frozen=True, kw_only=True)
class SpreadOptions:
    """Gather the tables of several runs of the demo, a seed each, into the figures that ship."""

    results: tuple[str, ...] = option((), "results folders of eval.py", positional=True)
    out: str = option(
        "minibench/demo_results.csv",
        "the CSV to write; beside it, with .json, versions, processor, seeds and commands",
        writable_file,
    )
    overwrite: bool = option(False, "replace --out")

    def conflict(self) -> str | None:
        """What is wrong with the options taken together, or None."""
        return None if self.results else "RESULTS are needed: results folders of eval.py"


@dataclass(frozen=True, kw_only=True)
class CompareOptions:
    """Say which figures of a run of the demo lie inside the spread of those that ship."""

    results: tuple[str, ...] = option((), "the results folder of eval.py", positional=True)
    shipped: str = option("minibench/demo_results.csv", "what minibench.spread wrote")

    def conflict(self) -> str | None:
        """What is wrong with the options taken together, or None."""
        return None if len(self.results) == 1 else "RESULTS must be one results folder of eval.py"
