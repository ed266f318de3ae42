"""Benchmarks by name: which test sets, in which order, and what their mean is over."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from data.testsets import ORDER, PAPER_ELEVEN


class Benchmark(NamedTuple):
    """A set of test sets, as its authors report it. One more is one more value."""

    owner: str  # whose it is, as a caption says it: "the paper's"
    order: tuple[str, ...]  # of the table; other test sets come after them, by name
    mean_over: tuple[str, ...]

    def rank(self, testset: str) -> tuple[int, str]:
        """Return the key that sorts test sets into the order of the table."""
        known = testset in self.order
        return (self.order.index(testset) if known else len(self.order), testset)

    def chosen(self, testsets: Collection[str]) -> list[str]:
        """Return those that the mean is over: of this benchmark's, or all where none is."""
        return [name for name in testsets if name in self.mean_over] or list(testsets)

    def describe_mean(self, testsets: Collection[str]) -> str:
        """Return, in words, over how many of how many test sets the mean is."""
        count = sum(name in self.mean_over for name in testsets)
        if not count:
            return f"all {len(testsets)}"
        return f"{count} of {self.owner} {len(self.mean_over)}"


# Wang et al. 2020, table 2; StyleGAN2 and whichfaceisreal are reported beside the mean
PAPER = Benchmark("the paper's", ORDER, PAPER_ELEVEN)
