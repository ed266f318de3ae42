"""The trackers that are asked for, as one; none of them can end the work that it follows."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence

from util.console import note, warn
from util.errors import one_line
from util.trackers.tensorboard import TensorBoard
from util.trackers.tracker import Pixels, Run, Table, Tracker
from util.trackers.trackio import Trackio
from util.trackers.wandb import WeightsAndBiases

TRACKERS: dict[str, Callable[[Run], Tracker]] = {  # --tracker
    "tensorboard": TensorBoard,
    "wandb": WeightsAndBiases,
    "trackio": Trackio,
}


class Trackers:
    """The trackers that work; one that fails is left out from then on, with one warning."""

    def __init__(self, runs: Mapping[str, Run]) -> None:
        """Open a tracker for each name in `runs`."""
        self.working: dict[str, Tracker] = {}
        for name, run in runs.items():
            self._attempt(name, functools.partial(self._open, name, run))

    def each(self, do: Callable[[str, Tracker], None]) -> None:
        """Do something with each tracker, given its name and itself."""
        for name, tracker in list(self.working.items()):
            self._attempt(name, functools.partial(do, name, tracker))

    def image(self, split: str, name: str, *, pixels: Pixels, step: int) -> None:
        """Show a picture in each."""
        self.each(lambda _, tracker: tracker.image(split, name, pixels=pixels, step=step))

    def bars(self, name: str, values: Mapping[str, float]) -> None:
        """Show one number for each label in each."""
        self.each(lambda _, tracker: tracker.bars(name, values))

    def table(self, name: str, table: Table) -> None:
        """Show a table in each."""
        self.each(lambda _, tracker: tracker.table(name, table))

    def files(self, name: str, paths: Sequence[str]) -> None:
        """Keep files and folders in each."""
        self.each(lambda _, tracker: tracker.files(name, paths))

    def flush(self) -> None:
        """Hand over what has been given so far."""
        self.each(lambda _, tracker: tracker.flush())

    def close(self) -> None:
        """Hand over everything, and end."""
        self.each(lambda _, tracker: tracker.close())
        self.working = {}

    def _open(self, name: str, run: Run) -> None:
        self.working[name] = tracker = TRACKERS[name](run)
        if tracker.where:
            note(f"{name}: {tracker.where}")

    def _attempt(self, name: str, do: Callable[[], None]) -> None:
        try:
            do()
        except Exception as error:  # whatever it is, the work goes on
            self.working.pop(name, None)
            why = one_line(error) or type(error).__name__
            warn(f"--tracker {name}: {why}; going on without it")
