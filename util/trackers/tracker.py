"""What every tracker does, and what it is told of a run."""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]  # (height, width, 3)
PROJECT = "cnn-detection"  # under which a service lists the runs


class Picture(NamedTuple):
    """A picture in the cell of a table."""

    pixels: Pixels
    data: bytes  # the same as a file
    ending: str  # of the file: png or jpg


Cell = str | int | float | Picture | None


class Table(NamedTuple):
    """A table: a row has a cell for each column."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a tracker is told of a run when it is opened."""

    name: str
    folder: str  # for the tracker's files, where they lie on this machine
    job: str  # train or eval
    config: Mapping[str, Any]  # plain values: the options
    id: str = ""  # the same when a run is continued; eight hexadecimal digits
    group: str = ""  # of several runs that belong together
    splits: Mapping[str, int] = field(default_factory=lambda: {"": 0})
    """What has curves ("train", "val"; "" where there is one set), and from which step on they are
    drawn anew: what an interrupted run may have drawn beyond it is to be forgotten.
    """


def plain_values(options: Any) -> dict[str, Any]:  # noqa: ANN401 (any dataclass of options)
    """Return options as JSON has them: a tuple is a list."""
    values: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(options)))
    return values


class PictureFiles:
    """Pictures as files of a temporary folder, for trackers that copy them from there."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="tracker-")
        self.number = 0

    def write(self, picture: Picture) -> str:
        """Write a picture, and return the path of its file."""
        self.number += 1
        path = os.path.join(self.folder.name, f"{self.number}.{picture.ending}")
        with open(path, "wb") as file:
            file.write(picture.data)
        return path

    def remove(self) -> None:
        """Remove all files."""
        self.folder.cleanup()


class Tracker(Protocol):
    """A place that shows a run. Any method may fail; who calls it goes on without the tracker."""

    appends: ClassVar[bool]  # it cannot forget a point: none may be given twice
    where: str  # where a person finds the run; "": in its own folder

    def scalars(self, split: str, values: Mapping[str, float], step: int) -> None:
        """Add a point to each curve of a split."""

    def image(self, split: str, name: str, *, pixels: Pixels, step: int) -> None:
        """Show a picture."""

    def notes(self, name: str, values: Mapping[str, str], step: int) -> None:
        """Note facts of the run, by name; they take the place of those noted before."""

    def bars(self, name: str, values: Mapping[str, float]) -> None:
        """Show one number for each label."""

    def table(self, name: str, table: Table) -> None:
        """Show a table, with its pictures."""

    def files(self, name: str, paths: Sequence[str]) -> None:
        """Keep files and folders."""

    def flush(self) -> None:
        """Hand over what has been given so far, as far as the tracker can be told to."""

    def close(self) -> None:
        """Hand over everything and end."""
