"""The options of the commands of benchmarks/."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from options.declare import at_least, if_given, option
from options.machine import DEVICES, check_device
from options.places import writable_file, writable_folder


@dataclass(frozen=True, kw_only=True)
class BenchmarkOptions:
    """Measure the reference recipe and this code side by side, in turns."""

    examples: ClassVar = (
        "python -m benchmarks.sweep",
        "python -m benchmarks.loading --quick",
    )
    page: ClassVar = "docs/benchmarks.md"

    rounds: int = option(7, "turns of each side; medians over them are reported", at_least(1))
    quick: bool = option(
        False,
        "use tiny sizes, to see that it runs; the results mean nothing, and no target is judged",
    )
    json: str = option(
        "", "also write the rows into this file [none]", if_given(writable_file), metavar="FILE"
    )


@dataclass(frozen=True, kw_only=True)
class ListingOptions(BenchmarkOptions):
    """Measure how training files are listed, and what a worker's memory grows by."""

    examples: ClassVar = (
        "python -m benchmarks.listing",
        "python -m benchmarks.listing --files 10000 --rounds 3",
    )
    page: ClassVar = "docs/benchmarks.md"

    files: int = option(720_000, "files to list, in 20 classes with two labels", at_least(40))


@dataclass(frozen=True, kw_only=True)
class BenchOptions:
    """Run every benchmark, one after another, and write the table."""

    examples: ClassVar = (
        "python -m benchmarks",
        "python -m benchmarks --quick --out results/benchmarks.md",
    )
    page: ClassVar = "docs/benchmarks.md"

    rounds: int = option(7, "turns of each side in each benchmark", at_least(1))
    quick: bool = option(
        False, "use tiny sizes, to see that it runs; the results mean nothing and are not kept"
    )
    results: str = option(
        "benchmarks/results",
        "folder that keeps the last run on each processor; the page shows all of them",
        writable_folder,
        metavar="FOLDER",
    )
    out: str = option("docs/benchmarks.md", "Markdown file to write", writable_file, metavar="FILE")


@dataclass(frozen=True, kw_only=True)
class GpuOptions:
    """Measure what a GPU trains, scores and is fed, and write the table."""

    examples: ClassVar = (
        "python -m benchmarks.gpu",
        "python -m benchmarks.gpu --quick --out results/benchmarks-gpu.md",
    )
    page: ClassVar = "docs/benchmarks-gpu.md"

    device: str = option("auto", DEVICES, check_device)
    rounds: int = option(7, "turns of each side, of which medians are reported", at_least(1))
    quick: bool = option(
        False, "use tiny sizes, to see that it runs; the results mean nothing and are not kept"
    )
    results: str = option(
        "benchmarks/results/gpu",
        "folder that keeps the last run on each device; the page shows all of them",
        writable_folder,
        metavar="FOLDER",
    )
    out: str = option(
        "docs/benchmarks-gpu.md", "Markdown file to write", writable_file, metavar="FILE"
    )
