"""The published numbers of files, and where a folder differs from them."""

from __future__ import annotations

import json
import os
from collections import Counter

from data.samples import LABELS
from tools.checks.findings import Finding
from tools.checks.inventory import Group, Inventory

Counts = dict[tuple[str, str], int]  # (folder below the set as in "cat/0_real", ending) -> files

PATH = os.path.join(os.path.dirname(__file__), "testsets.json")


def published_counts() -> dict[str, Counts]:
    """Of val and the test sets, by name. Of train no exact figure is published."""
    with open(PATH, encoding="utf-8") as file:
        known = json.load(file)
    sets = {entry["folder"]: entry["files"] for entry in known["test"]["sets"]}
    return {
        name: {
            (at, ending): n for at, by_ending in files.items() for ending, n in by_ending.items()
        }
        for name, files in {"val": known["val"]["files"], **sets}.items()
    }


def published_train() -> tuple[list[str], str]:
    """Return the classes of train, and what is said about the number of their images."""
    with open(PATH, encoding="utf-8") as file:
        train = json.load(file)["train"]
    return train["classes"], train["images"]


def known_testsets(counts: dict[str, Counts]) -> list[str]:
    """Return the names among `counts` that are test sets."""
    return [name for name in counts if name != "val"]


def both_labels(counts: Counts) -> tuple[int, int]:
    """Real and fake files, over all folders."""
    real, fake = (
        sum(n for (folder, _), n in counts.items() if folder.split("/")[-1] == label)
        for label in LABELS
    )
    return real, fake


def count(groups: list[Group]) -> Counts:
    """Count the files that are there, of one set's groups."""
    return dict(
        Counter(
            (group.folder, os.path.splitext(name)[1].lower())
            for group in groups
            for name in group.names
        )
    )


def has_one_of(found: Counts, classes: list[str]) -> bool:
    """Whether one of `classes` is among the folders of a set, or there is nothing in it."""
    return not found or any(folder.split("/")[0] in classes for folder, _ in found)


def compare(name: str, at: str, *, found: Counts, expected: Counts) -> list[Finding]:
    """Where the set `name`, in the folder `at`, differs from what was published."""
    findings = []
    for folder, ending in sorted({*found, *expected}):
        here, there = found.get((folder, ending), 0), expected.get((folder, ending), 0)
        if here != there:
            kind = "missing" if here < there else "extra"
            detail = f"{ending}: expected {there:,}, found {here:,}"
            findings.append(Finding(kind, (name,), (f"{at}{folder}",), detail, there, here))
    return findings


def compare_train(at: str, found: Counts, classes: list[str]) -> list[Finding]:
    """Which of the classes of train are missing, and which were never published."""
    expected = {f"{name}/{label}" for name in classes for label in LABELS}
    here = {folder for folder, _ in found}
    findings = [
        Finding("missing", ("train",), (f"{at}{folder}",), "no images", found=0)
        for folder in sorted(expected - here)
    ]
    for folder in sorted(here - expected):
        number = sum(n for (its, _), n in found.items() if its == folder)
        detail = f"not a published class: {number:,} images"
        findings.append(Finding("extra", ("train",), (f"{at}{folder}",), detail, 0, number))
    return findings


def absent(
    inventory: Inventory, counts: dict[str, Counts], wanted: tuple[str, ...]
) -> list[Finding]:
    """Known sets that are not there: a fault for a test set whose fellows are, or one `wanted`.

    Train and val are downloads of their own: without them a root is still whole.
    """
    here = {name.removeprefix("test/") for name in inventory.sets}
    is_root = any(at.startswith(("train/", "val/", "test/")) for at in inventory.sets.values())
    tests = known_testsets(counts)
    if wanted:
        lost = [name for name in wanted if name not in here]
    elif "" in inventory.sets.values() or not here & set(tests):
        lost = []
    else:
        lost = [name for name in tests if name not in here]
    findings = []
    for name in lost:
        numbers = both_labels(counts.get(name, {}))
        detail = f"the whole set: expected {numbers[0]:,} real and {numbers[1]:,} fake"
        if name == "train":
            detail = "the whole set"
        is_test = is_root and name in tests
        place = f"test/{name}" if is_test else name
        findings.append(Finding("missing", (place,), (place,), detail, sum(numbers) or None, 0))
    if is_root and not wanted:
        splits = {name.split("/")[0] for name in inventory.sets}
        for split in ("train", "val", "test"):
            if split not in splits:
                findings.append(Finding("absent", (split,), (split,), "a download of its own"))
    return findings
