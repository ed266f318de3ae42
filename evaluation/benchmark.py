"""A benchmark: which test sets, in which order, what their mean is over, what was published."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from data.layouts import Layout
from data.testsets import ORDER, PAPER_ELEVEN
from evaluation.protocol import ScoringProtocol
from networks.input_spec import Side


class PapersProtocol(NamedTuple):
    """How a benchmark's papers make a logit of an image."""

    words: str = ""
    ways: tuple[tuple[int | None, Side | None], ...] | None = None
    """Crop and resize of each way that is theirs, as a `ScoringProtocol` has them; None where the
    papers set none."""

    def is_other(self, protocol: ScoringProtocol) -> bool:
        """Return whether images scored by `protocol` are not what the papers score."""
        if self.ways is None:
            return False
        plain = protocol.crops == 1 and not protocol.reencode
        return not plain or (protocol.crop_size, protocol.resize) not in self.ways


class Published(NamedTuple):
    """What was published of one detector."""

    source: str
    figures: Mapping[str, Mapping[str, float]]
    """Test set, or row of the mean or of all images -> metric -> fraction."""


class Benchmark(NamedTuple):
    """A set of test sets, as its authors report it. One more is one entry of benchmarks.json."""

    owner: str  # whose it is, as a caption says it: "the paper's"
    order: tuple[str, ...]  # of the table; other test sets come after them, by name
    mean_over: tuple[str, ...]
    name: str = ""  # by which --benchmark asks for it; "": not asked for
    title: str = ""
    metrics: tuple[str, ...] = ()  # those that its papers report
    pooled: str = ""  # name of a row over the images of all test sets; "": none
    miniature: bool = False  # whether its images are those of minibench
    layout: Layout = Layout()
    layout_words: str = ""  # how its release lies on disk
    protocol: PapersProtocol = PapersProtocol()
    note: str = ""
    source: str = ""
    published: Mapping[str, Published] = {}  # by detector

    def rank(self, testset: str) -> tuple[int, str]:
        """Return the key that sorts test sets into the order of the table."""
        known = testset in self.order
        return (self.order.index(testset) if known else len(self.order), testset)

    def has(self, testset: str) -> bool:
        """Return whether its table has this test set: any, where it was not asked for."""
        return not self.name or testset in self.order

    def chosen(self, testsets: Collection[str]) -> list[str]:
        """Return those that the mean is over: of this benchmark's, or all where none is."""
        return [name for name in testsets if name in self.mean_over] or list(testsets)

    def describe_mean(self, testsets: Collection[str]) -> str:
        """Return, in words, over how many of how many test sets the mean is."""
        count = sum(name in self.mean_over for name in testsets)
        if not count:
            return f"all {len(testsets)}"
        return f"{count} of {self.owner} {len(self.mean_over)}"

    def lacking(self, testsets: Collection[str]) -> list[str]:
        """Return its test sets that are not among `testsets`; none if it was not asked for."""
        return [name for name in self.order if name not in testsets] if self.name else []

    def is_partial(self, testsets: Collection[str]) -> bool:
        """Return whether the mean, or the row over all images, lacks some of its test sets."""
        return bool({*self.lacking(testsets)} & {*self.mean_over})


# Wang et al. 2020, table 2; StyleGAN2 and whichfaceisreal are reported beside the mean
PAPER = Benchmark("the paper's", ORDER, PAPER_ELEVEN)
