"""The options of the commands of minibench/."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import ClassVar

from options.declare import at_least, between, if_given, option
from options.machine import DEVICES, MAX_PROCESSES, SEED, ConsoleOptions, check_device
from options.places import writable_file, writable_folder


@dataclass(frozen=True, kw_only=True)
class BuildOptions(ConsoleOptions):
    """Build the miniature benchmark: 14,200 images of 64x64 pixels."""

    examples: ClassVar = (
        "python -m minibench.build --out dataset/mini",
        "python -m minibench.build --only cyclegan --out dataset/mini_cyclegan",
    )
    page: ClassVar = "minibench/README.md"

    out: str = option("dataset/mini", "folder to make", writable_folder, metavar="FOLDER")
    only: str = option(
        "", "make only the train and val folders of this family, to fine-tune on [all families]"
    )
    seed: int = option(0, "seed of the crops and of the noise", SEED)
    processes: int = option(
        os.cpu_count() or 1,
        "processes that build at a time; the images do not depend on it",
        between(1, MAX_PROCESSES),
    )
    overwrite: bool = option(False, "replace --out if it is another miniature benchmark")


@dataclass(frozen=True, kw_only=True)
class GeneratorOptions(ConsoleOptions):
    """Train the miniature benchmark's generators on its train photographs."""

    examples: ClassVar = (
        "python -m minibench.train_generators",
        "python -m minibench.train_generators --families san --steps 100 --out results/weights",
    )
    page: ClassVar = "minibench/README.md"

    families: tuple[str, ...] = option(
        (), "families to train, named as their test sets [all thirteen]"
    )
    steps: int = option(3000, "optimiser steps, of 32 crops, of each network", at_least(1))
    seed: int = option(0, "seed, to which each network adds its place in their order", SEED)
    out: str = option(
        "minibench/weights", "folder for the weights", writable_folder, metavar="FOLDER"
    )
    processes: int = option(2, "networks trained at a time", between(1, MAX_PROCESSES))
    device: str = option("auto", DEVICES, check_device)


@dataclass(frozen=True, kw_only=True)
class SheetOptions:
    """Draw a contact sheet of the miniature benchmark: real beside fake for each test set."""

    examples: ClassVar = (
        "python -m minibench.contact_sheet",
        "python -m minibench.contact_sheet --data dataset/mini --out results/sheet.png",
    )
    page: ClassVar = "minibench/README.md"

    data: str = option("dataset/mini", "folder that minibench.build made", metavar="FOLDER")
    out: str = option(
        "docs/images/contact_sheet.png", "PNG to write", writable_file, metavar="FILE"
    )


@dataclass(frozen=True, kw_only=True)
class TracesOptions(ConsoleOptions):
    """Measure, for each family of the miniature benchmark, what upsampling leaves in its fakes."""

    examples: ClassVar = ("python -m minibench.traces --data dataset/mini",)
    page: ClassVar = "minibench/README.md"

    data: str = option("dataset/mini", "folder that minibench.build made", metavar="FOLDER")


@dataclass(frozen=True, kw_only=True)
class SpreadOptions:
    """Gather the tables of several runs of the demo, a seed each, into the figures that ship."""

    examples: ClassVar = (
        "python -m minibench.spread results/demo0 results/demo1 --overwrite",
        "python -m minibench.spread results/demo0 results/demo1 --out results/spread.csv",
    )
    page: ClassVar = "minibench/README.md"

    results: tuple[str, ...] = option((), "results folders of eval.py", positional=True)
    out: str = option(
        "minibench/demo_results.csv",
        "CSV to write; beside it goes a .json with versions, processor, seeds and commands",
        writable_file,
        metavar="FILE",
    )
    overwrite: bool = option(False, "replace --out if it exists")

    def conflict(self) -> str | None:
        """Return what is wrong with the options taken together, or None."""
        return None if self.results else "RESULTS are needed: results folders of eval.py"


@dataclass(frozen=True, kw_only=True)
class CompareOptions:
    """Say which figures of a run of the demo lie inside the spread of those that ship."""

    examples: ClassVar = (
        "python -m minibench.compare results/demo",
        "python -m minibench.compare results/demo --shipped results/spread.csv",
    )
    page: ClassVar = "minibench/README.md"

    results: tuple[str, ...] = option((), "results folder of eval.py", positional=True)
    shipped: str = option(
        "minibench/demo_results.csv", "the file that minibench.spread wrote", metavar="FILE"
    )

    def conflict(self) -> str | None:
        """Return what is wrong with the options taken together, or None."""
        return None if len(self.results) == 1 else "RESULTS must be one results folder of eval.py"


@dataclass(frozen=True, kw_only=True)
class ShallowOptions(ConsoleOptions):
    """Edit a part of each photograph, without any generator, and write both as a test set."""

    examples: ClassVar = (
        "python -m minibench.shallow --real photos --out dataset/test/shallow",
        "python -m minibench.shallow --real photos --out dataset/test/shallow --size 512 --seed 1",
    )
    page: ClassVar = "minibench/README.md"

    real: str = option("", "folder of photographs, with any folders inside", metavar="FOLDER")
    out: str = option(
        "", "folder to make, with 0_real and 1_fake", if_given(writable_folder), metavar="FOLDER"
    )
    size: int = option(
        224,
        "side in pixels of the square that is cut from each photograph; smaller ones are left out",
        between(32, 10_000),
    )
    seed: int = option(0, "seed of the crops and of the edits", SEED)
    overwrite: bool = option(False, "replace --out if it is another set of edits")

    def conflict(self) -> str | None:
        """Return what is wrong with the options taken together, or None."""
        return None if self.real and self.out else "--real and --out are needed: two folders"
