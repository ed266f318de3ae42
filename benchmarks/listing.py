"""Measure listing the training files, and a worker's memory: `python -m benchmarks.listing`."""

from __future__ import annotations

import functools
import os
import statistics
import tempfile
from collections.abc import Callable

from benchmarks import reference
from benchmarks.forked import in_a_child
from benchmarks.profiles import python_profile
from benchmarks.timing import OURS, REFERENCE, Row, alternate, compare, explained, row_of, show
from data.manifest_file import read_manifest, write_manifest
from data.samples import LABELS, find_samples
from options.benchmark_options import ListingOptions
from options.parse import parse
from tools.manifest import rows
from util.errors import run

CLASSES = 20
TARGET = 3.0
NAMES = "reading folders and sorting names alone"
MAX_GROWTH = 1.0  # MB that count as flat
SMAPS = "/proc/self/smaps_rollup"


def make_skeleton(root: str, files: int) -> int:
    """Create about `files` empty files, in CLASSES classes with two labels; return how many."""
    each = files // (CLASSES * len(LABELS))
    for number in range(CLASSES):
        for label in LABELS:
            folder = os.path.join(root, f"class{number:02}", label)
            os.makedirs(folder)
            for image in range(each):
                os.close(os.open(f"{folder}/{image:05}.png", os.O_CREAT | os.O_WRONLY))
    return each * CLASSES * len(LABELS)


def private_megabytes() -> float:
    """Return the memory, in MB, that belongs to this process alone."""
    with open(SMAPS, encoding="ascii") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("Private_")) / 1024


def growth(access: Callable[[int], object], count: int) -> float:
    """Return by how many MB a forked worker's memory grows while it accesses every index once."""

    def access_all() -> float:
        access(0)
        before = private_megabytes()
        for index in range(count):
            access(index)
        return private_megabytes() - before

    return in_a_child(access_all)


def memory_row(root: str, count: int, rounds: int) -> Row:
    """Compare how much the reference's list of tuples and our array grow a worker's memory."""
    folders, samples = reference.listing(root).datasets, find_samples(root)
    tuples = [item for folder in folders for item in folder.samples]  # type: ignore[attr-defined]
    for folder in folders:  # else each string has two owners
        folder.samples = folder.imgs = []  # type: ignore[attr-defined]
    theirs, ours = [], []  # MB
    for _ in range(rounds):
        theirs.append(growth(tuples.__getitem__, count))
        ours.append(growth(samples.path, count))
    ratios = [a / max(b, 0.1) for a, b in zip(theirs, ours, strict=True)]
    return row_of(
        f"memory that one worker's epoch over {count:,} files adds",
        "MB",
        reference=theirs,
        ours=ours,
        ratios=ratios,
        target=f"at most {MAX_GROWTH:g} MB",
        met=max(ours) <= MAX_GROWTH,
        note="ratio: growth there over growth here, below 0.1 MB taken as 0.1",
    )


def main() -> None:
    """Measure both on a skeleton of the training set, on a warm file cache."""
    options = parse(ListingOptions)
    with tempfile.TemporaryDirectory() as root:
        count = make_skeleton(root, 400 if options.quick else options.files)
        ours = functools.partial(find_samples, root)
        sides: dict[str, Callable[[], object]] = {
            REFERENCE: functools.partial(reference.listing, root),
            OURS: ours,
            NAMES: functools.partial(_sorted_names, root),
        }
        seconds = alternate(sides, options.rounds)
        row = compare(
            f"listing {count:,} training files",
            "s",
            seconds,
            target=TARGET,
            alone=(NAMES, seconds[NAMES]),
        )
        found = [explained(row, functools.partial(_details, root, row, ours), options.quick)]
        if os.path.exists(SMAPS):
            memory = memory_row(root, count, min(options.rounds, 5))
            found.append(explained(memory, lambda: memory.note, options.quick))
        else:
            print("memory: left out: it is measured on Linux alone")
    show(found, options.json)


def _sorted_names(root: str) -> list[str]:
    """Return the names of all files by os.walk, sorted: without that no run could be repeated."""
    return sorted(name for _, _, names in os.walk(root) for name in names)


def _details(root: str, row: Row, ours: Callable[[], object]) -> str:
    manifest = os.path.join(root, "manifest.csv")
    write_manifest(manifest, rows({"train": find_samples(root)}, root))
    reading = {"manifest": functools.partial(read_manifest, manifest)}
    seconds = statistics.median(alternate(reading, 5)["manifest"])
    os.remove(manifest)
    return (
        f"The target leaves {row.reference / TARGET:.2f} s. Reading a manifest of the files takes"
        f" {seconds:.2f} s; it saves visits to the folders, which cost little on a local disk whose"
        f" cache is warm, as here. Ours, by cProfile (which slows calls):\n\n{python_profile(ours)}"
    )


if __name__ == "__main__":
    run(main)
