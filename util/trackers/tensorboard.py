"""TensorBoard: event files in the run's folder."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from torch.utils.tensorboard import SummaryWriter

from util.trackers.tracker import Picture, Pixels, Run, Table

COLUMNS, ROWS = 8, 4  # of the pictures of a table that are shown


class TensorBoard:
    """A writer for each split, in a folder of its name."""

    appends: ClassVar = (
        False  # a writer makes TensorBoard forget what lies beyond the step it starts from
    )

    def __init__(self, run: Run) -> None:
        self.where = ""
        self.writers = {
            split: SummaryWriter(os.path.join(run.folder, split), purge_step=first)
            for split, first in run.splits.items()
        }
        self.last, self.first = list(run.splits.items())[-1]  # drawn anew each time, as notes are
        self._text("options", {name: str(value) for name, value in run.config.items()})

    def scalars(self, split: str, values: Mapping[str, float], step: int) -> None:
        """Add a point to each curve of a split."""
        for name, value in values.items():
            self.writers[split].add_scalar(name, value, step)

    def image(self, split: str, name: str, *, pixels: Pixels, step: int) -> None:
        """Show a picture."""
        self.writers[split].add_image(name, pixels, step, dataformats="HWC")

    def notes(self, name: str, values: Mapping[str, str], step: int) -> None:
        """Show facts as a table."""
        self._text(name, values)

    def bars(self, name: str, values: Mapping[str, float]) -> None:
        """Show a number for each label as a point of its own."""
        self.scalars(self.last, {f"{name}/{label}": value for label, value in values.items()}, 0)

    def table(self, name: str, table: Table) -> None:
        """Show the first pictures side by side; a table without any as it is."""
        pictures = [cell for row in table.rows for cell in row if isinstance(cell, Picture)]
        if pictures:
            sheet = _side_by_side(pictures[: COLUMNS * ROWS])
            self.image(self.last, name, pixels=sheet, step=0)
        elif table.rows:
            lines = [table.columns, ["---"] * len(table.columns), *table.rows]
            text = "\n".join("| " + " | ".join(map(_plain, line)) + " |" for line in lines)
            self.writers[self.last].add_text(name, text, self.first)

    def files(self, name: str, paths: Sequence[str]) -> None:
        """Leave files where they are: beside TensorBoard's own."""

    def flush(self) -> None:
        """Write all points to disk."""
        for writer in self.writers.values():
            writer.flush()

    def close(self) -> None:
        """Write all points to disk and close the files."""
        for writer in self.writers.values():
            writer.close()

    def _text(self, name: str, values: Mapping[str, str]) -> None:
        lines = ["| | |", "|---|---|", *(f"| {k} | {_plain(v)} |" for k, v in values.items())]
        self.writers[self.last].add_text(name, "\n".join(lines), self.first)


def _plain(cell: object) -> str:
    text = f"{cell:.4f}" if isinstance(cell, float) else "" if cell is None else str(cell)
    return text.replace("|", "\\|")


def _side_by_side(pictures: Sequence[Picture]) -> Pixels:
    """Return the pictures in rows of eight, each in the middle of a square."""
    side = max(max(picture.pixels.shape) for picture in pictures) + 2
    rows, columns = -(-len(pictures) // COLUMNS), min(len(pictures), COLUMNS)
    sheet = np.zeros((rows * side, columns * side, 3), np.uint8)
    for number, picture in enumerate(pictures):
        height, width, _ = picture.pixels.shape
        top = number // COLUMNS * side + (side - height) // 2
        left = number % COLUMNS * side + (side - width) // 2
        sheet[top : top + height, left : left + width] = picture.pixels
    return sheet
