"""A run's curves and pictures, in each of its trackers, as if the run had never been stopped."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from training import run_folder
from training.logs import labelled_grid
from util.files import sha256, write_json
from util.trackers.together import Trackers
from util.trackers.tracker import Run, Tracker

TRAIN, VAL = "train", "val"


class Board:
    """Shows a run in each of its trackers; without any, as in all processes but the main one, it
    does nothing.

    TensorBoard forgets what was drawn beyond the last checkpoint, and "val" is drawn anew from the
    history. Other trackers only append. So trackers.json in the run's folder holds how far each has
    been given the curves, beside the id by which the service knows the run: a step that is repeated
    after a kill gives the same numbers, and is not drawn twice.
    """

    def __init__(
        self,
        names: Sequence[str],
        folder: str,
        *,
        options: Mapping[str, Any],
        first_step: int,
        history: Sequence[dict[str, Any]],
    ) -> None:
        """Open the run in the trackers `names`, to go on at step `first_step`."""
        self.folder, self.step = folder, first_step - 1
        self.path = os.path.join(folder, run_folder.TRACKERS)
        self.given: dict[str, Any] = (run_folder.read_json(self.path) or {}) if names else {}
        runs = {
            name: Run(
                name=os.path.basename(os.path.abspath(folder)),
                folder=folder,
                job="train",
                config=options,
                id=self.given.setdefault(name, {"id": secrets.token_hex(4)})["id"],
                splits={TRAIN: first_step, VAL: 1},
            )
            for name in names
        }
        self.trackers = Trackers(runs)
        for row in history:
            self.epoch(row)

    def epoch(self, row: Mapping[str, Any]) -> None:
        """Add a point to each curve of "val", from a row of the history."""
        metrics = {k.removeprefix("val_"): v for k, v in row.items() if k.startswith("val_")}
        self.scalars(VAL, metrics, row["total_steps"])

    def scalars(self, split: str, values: Mapping[str, float], step: int) -> None:
        """Add a point to each curve of "train" or "val"."""
        self._give(split, step, lambda tracker: tracker.scalars(split, values, step))

    def images(self, images: torch.Tensor, labels: torch.Tensor, step: int) -> None:
        """Show a batch as the network gets it: images (N, 3, H, W) uint8, labels (N,)."""
        if self.trackers.working:
            grid = np.ascontiguousarray(labelled_grid(images, labels).permute(1, 2, 0).numpy())
            self._give(
                "grid", step, lambda its: its.image(TRAIN, "augmented", pixels=grid, step=step)
            )

    def flush(self) -> None:
        """Write all points to disk. Call it before saving a checkpoint that counts them."""
        self.trackers.flush()

    def close(self) -> None:
        """Note the hashes of the checkpoints, and hand over everything."""
        if self.trackers.working:
            kept = [name for name in run_folder.CHECKPOINTS if self._has(name)]
            hashes = {name: sha256(os.path.join(self.folder, name)) for name in kept}
            self._give("hashes", self.step, lambda its: its.notes("sha256", hashes, self.step))
        self.trackers.close()

    def _give(self, what: str, step: int, give: Callable[[Tracker], None]) -> None:
        """Give something of a step to each tracker that has it not yet."""
        self.step = max(self.step, step)

        def give_once(name: str, tracker: Tracker) -> None:
            if tracker.appends and step <= self.given[name].get(what, -1):
                return
            if tracker.appends:  # noted first: a kill between the two doubles no point
                self.given[name][what] = step
                write_json(self.path, self.given)
            give(tracker)

        self.trackers.each(give_once)

    def _has(self, name: str) -> bool:
        return os.path.exists(os.path.join(self.folder, name))
