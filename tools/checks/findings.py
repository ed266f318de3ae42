"""What a check of the data can find: faults, which make it fail, and observations."""

from __future__ import annotations

from typing import NamedTuple

FAULTS = {  # kind -> title
    "missing": "Missing",
    "extra": "More than published",
    "empty": "Empty files",
    "unreadable": "Unreadable",
    "misnamed": "Content of another format than the name says",
    "across_labels": "The same file as real and as fake",
    "across_splits": "The same file in two of train, val and test",
}
OBSERVATIONS = {
    "absent": "Not there",
    "uncounted": "Not compared, or in part, for want of published numbers",
    "outside": "Images outside 0_real and 1_fake, which are never used",
    "ignored": "Files that are not images by name, which are never used",
    "within_set": "The same file twice in one set, under one label",
    "shared": "The same file in several sets of one split, under one label",
}


class Finding(NamedTuple):
    """One thing found."""

    kind: str  # a key of FAULTS or OBSERVATIONS
    sets: tuple[str, ...]  # the sets it is in
    paths: tuple[str, ...]  # files, or the folder whose files were counted; relative to the root
    detail: str = ""
    expected: int | None = None  # files, where they were counted
    found: int | None = None


class Row(NamedTuple):
    """One set in figures."""

    set: str
    real: int
    fake: int
    expected: tuple[int, int] | None  # real and fake, where published
    state: str


class Content(NamedTuple):
    """What the images of one set and label are."""

    set: str
    label: str
    formats: dict[str, int]  # format -> images, the most frequent first
    sizes: list[tuple[int, int, int]]  # (height, width, images), the most frequent first
    smallest: tuple[int, int]  # (height, width) with the fewest pixels
    largest: tuple[int, int]


class Report(NamedTuple):
    """All of a check."""

    root: str
    note: str  # what a benchmark that is not the paper's says of itself
    quick: bool
    images: int
    rows: list[Row]
    findings: list[Finding]
    contents: list[Content]

    def of(self, kind: str) -> list[Finding]:
        """Return the findings of one kind."""
        return [finding for finding in self.findings if finding.kind == kind]

    def is_whole(self) -> bool:
        """Whether there are no faults."""
        return not any(finding.kind in FAULTS for finding in self.findings)
