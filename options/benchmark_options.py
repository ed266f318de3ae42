"""What the commands of benchmarks/ can be told."""

from __future__ import annotations

from dataclasses import dataclass

from options.declare import at_least, if_given, option
from options.places import writable_file


@dataclass(frozen=True, kw_only=True)
class BenchmarkOptions:
    """Measure the reference recipe and this code side by side, in turns."""

    rounds: int = option(7, "turns of each side; the medians over them are told", at_least(1))
    quick: bool = option(
        False, "tiny sizes, to see that it runs: its figures mean nothing, and no target is judged"
    )
    json: str = option("", "also write the rows into this file [none]", if_given(writable_file))


@dataclass(frozen=True, kw_only=True)
class ListingOptions(BenchmarkOptions):
    """Measure how training files are listed, and what a worker's memory grows by."""

    files: int = option(720_000, "files to list, in 20 classes with two labels", at_least(40))


@dataclass(frozen=True, kw_only=True)
class BenchOptions:
    """Run every benchmark, one after another, and write the table."""

    rounds: int = option(7, "turns of each side, of each benchmark", at_least(1))
    quick: bool = option(False, "tiny sizes, to see that it runs: its figures mean nothing")
    out: str = option("docs/benchmarks.md", "the Markdown file to write", writable_file)
