"""Write a run's history.csv, and TensorBoard's train/ and val/."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch.utils.tensorboard import SummaryWriter
from torchvision.utils import make_grid

from util.files import atomic_write

FRAME = {0: ("real", (40, 160, 60)), 1: ("fake", (200, 40, 40))}  # label -> word and colour


def write_history(folder: str, history: Sequence[dict[str, Any]]) -> None:
    """Write history.csv anew, one row per epoch, so that it always matches the checkpoint.

    A column that a row lacks, as one of an earlier version of the code may, is left empty.
    """
    columns = dict.fromkeys(name for row in reversed(history) for name in row)
    with atomic_write(os.path.join(folder, "history.csv")) as file:
        writer = csv.DictWriter(file, list(columns), lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)


class TensorBoard:
    """Curves and pictures of one run; does nothing unless `enabled` (in the main process)."""

    def __init__(
        self, folder: str, *, enabled: bool, first_step: int, history: Sequence[dict[str, Any]]
    ) -> None:
        """Open the run's curves, to go on at step `first_step`.

        The curves of "val" are redrawn from `history`: after a kill, the point of the last epoch
        may be missing on disk, or there may be one of an epoch that is to be repeated.
        """
        first_steps = {"train": first_step, "val": 1}
        self.writers = {
            split: SummaryWriter(os.path.join(folder, split), purge_step=step)
            for split, step in (first_steps.items() if enabled else ())
        }
        for row in history:
            self.epoch(row)

    def epoch(self, row: dict[str, Any]) -> None:
        """Add a point to each curve of "val", from a row of the history."""
        metrics = {k.removeprefix("val_"): v for k, v in row.items() if k.startswith("val_")}
        self.scalars("val", metrics, row["total_steps"])

    def scalars(self, split: str, values: dict[str, float], step: int) -> None:
        """Add a point to each curve of "train" or "val"."""
        for name, value in values.items():
            if split in self.writers:
                self.writers[split].add_scalar(name, value, step)

    def images(self, images: torch.Tensor, labels: torch.Tensor, step: int) -> None:
        """Show a batch as the network gets it: images (N, 3, H, W) uint8, labels (N,)."""
        if "train" in self.writers:
            self.writers["train"].add_image("augmented", labelled_grid(images, labels), step)

    def flush(self) -> None:
        """Write all points to disk. Call it before saving a checkpoint that counts them."""
        for writer in self.writers.values():
            writer.flush()

    def close(self) -> None:
        """Write all points to disk and close the files."""
        for writer in self.writers.values():
            writer.close()


def labelled_grid(images: torch.Tensor, labels: torch.Tensor, most: int = 32) -> torch.Tensor:
    """Return a grid (3, H, W) uint8 of up to `most` images, each framed and named real or fake."""
    framed = []
    for pixels, label in zip(images[:most], labels[:most], strict=True):
        word, colour = FRAME[int(label)]
        picture = Image.fromarray(np.ascontiguousarray(pixels.permute(1, 2, 0).numpy()))
        draw = ImageDraw.Draw(picture)
        draw.rectangle((0, 0, picture.width - 1, picture.height - 1), outline=colour, width=2)
        draw.rectangle((0, 0, 30, 13), fill=colour)
        draw.text((4, 1), word, fill="white")
        framed.append(torch.from_numpy(np.array(picture)).permute(2, 0, 1))
    return make_grid(framed, nrow=8, padding=2)
