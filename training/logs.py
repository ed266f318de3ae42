"""Write a run's history.csv, and draw what its curves are shown with."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw
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
