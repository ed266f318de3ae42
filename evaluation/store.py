"""Scores that are kept, so that no image is scored twice with the same weights and protocol.

A cell is one test set in one variant (plain, or degraded): a CSV file with a logit for the hash of
each image's bytes. It may be incomplete: an interrupted run goes on with the images it lacks.
Beside the cells, contents.csv says which bytes a file held when it was read, by the file's state.
A file that cannot be read as it was written costs time, not an answer: it is made anew.
"""

from __future__ import annotations

import csv
import importlib.metadata
import math
import os
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, TypeVar

from data.contents import FileState
from evaluation.protocol import ScoringProtocol
from util.console import warn
from util.files import atomic_write

SCORING = 1  # of the code between an image's bytes and its logit: raise it where logits change
# Packages that logits depend on, by their minor versions: networks, and the decoders of images.
PACKAGES = ("torch", "torchvision", "pillow", "opencv-python-headless", "simplejpeg")
CELL = ("content", "logit", "height", "width")
CONTENTS = ("inode", "size", "modified", "changed", "content")


Key = TypeVar("Key")
Value = TypeVar("Value")


class Kept(NamedTuple):
    """What is kept of one image in one variant."""

    logit: float  # finite, with 9 significant digits
    height: int  # of the image before any crop
    width: int


def store_folder(results_dir: str, detector_id: str, protocol: ScoringProtocol) -> str:
    """Return where a detector's cells under this protocol lie, below every run's results."""
    versions = [f"{name}{_minor_version(name)}" for name in PACKAGES]
    parts = [detector_id, protocol.key(), f"v{SCORING}", *versions]
    return os.path.join(results_dir, ".scores", "-".join(parts))


def read_cell(folder: str, variant: str) -> dict[str, Kept]:
    """Return what is kept of a variant, by the hash of the image's bytes."""

    def kept(content: str, logit: str, *size: str) -> tuple[str, Kept]:
        if not math.isfinite(float(logit)):
            raise ValueError(f"{logit} is no logit")
        height, width = map(int, size)
        return content, Kept(float(logit), height, width)

    return _read(os.path.join(folder, f"{variant}.csv"), CELL, kept)


def write_cell(folder: str, variant: str, kept: Mapping[str, Kept]) -> None:
    """Keep these logits of a variant beside those that are there; raise ValueError, and write
    nothing, where one is not finite.
    """
    if wrong := [its.logit for its in kept.values() if not math.isfinite(its.logit)]:
        raise ValueError(f"{wrong[0]} is no logit")
    both = {**read_cell(folder, variant), **kept}
    rows = ((content, f"{k.logit:.9g}", k.height, k.width) for content, k in both.items())
    _write(os.path.join(folder, f"{variant}.csv"), CELL, rows)


def read_contents(folder: str) -> dict[FileState, str]:
    """Return the hash that a file's bytes had, by the file's state."""

    def known(*cells: str) -> tuple[FileState, str]:
        return FileState(*map(int, cells[:-1])), cells[-1]

    return _read(os.path.join(folder, "contents.csv"), CONTENTS, known)


def write_contents(folder: str, contents: Mapping[FileState, str]) -> None:
    """Keep these hashes beside those that are there."""
    kept = read_contents(folder)
    if contents.items() <= kept.items():
        return
    rows = ((*state, content) for state, content in {**kept, **contents}.items())
    _write(os.path.join(folder, "contents.csv"), CONTENTS, rows)


def _read(
    path: str, columns: tuple[str, ...], parsed: Callable[..., tuple[Key, Value]]
) -> dict[Key, Value]:
    """Return the rows of a CSV file; none, and a word, where it cannot be read to its end."""
    if not os.path.exists(path):
        return {}
    try:
        with open(path, encoding="utf-8", newline="") as file:
            reader = csv.reader(file, strict=True)
            if next(reader, None) != list(columns):
                raise ValueError(f"line 1 is not {','.join(columns)}")
            return dict(parsed(*row) for row in reader)
    except (OSError, ValueError, TypeError, csv.Error) as error:
        warn(f"{path}: cannot be read ({error}); what it kept is made anew")
        return {}


def _write(path: str, columns: tuple[str, ...], rows: Iterable[Iterable[object]]) -> None:
    with atomic_write(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def _minor_version(package: str) -> str:
    return ".".join(importlib.metadata.version(package).split(".")[:2])
