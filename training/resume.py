"""Begin a run, or resume it where it stopped."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import torch

from data.samples import Samples, count_labels, fingerprint
from options.probe import only_probes
from options.train_options import TrainOptions, may_change
from training import run_folder, schedule
from training.board import Board
from training.logs import write_history
from training.state import Progress, TrainingState
from util import distributed
from util.errors import UsageError
from util.trackers.tracker import plain_values


def describe_labels(labels: Any) -> str:  # noqa: ANN401
    """Return how many images there are of each label, in words; `labels` is (N,), 0 or 1."""
    return "{} real and {} fake images".format(*count_labels(labels))


def made_from(
    options: TrainOptions, *, init: str, train: Samples, val: Samples, device: torch.device
) -> dict[str, Any]:
    """Return, in plain values, everything that determines a run's bits.

    `init` is the SHA-256 of the weights file that the run starts from, or the word given to --init.
    """
    machine: dict[str, Any] = {"torch": str(torch.__version__), "device": device.type}
    if device.type == "cpu":
        machine["threads"] = torch.get_num_threads()  # sums are split among them
    return {
        "options": json.loads(json.dumps(dataclasses.asdict(options))),  # tuples become lists
        "data": {
            split: f"{fingerprint(samples)} of {describe_labels(samples.labels)}"
            for split, samples in (("train", train), ("val", val))
        },
        "processes": {"processes": distributed.world_size()},
        "machine": machine,
        "init": init,
    }


def resume(folder: str, options: TrainOptions, state: TrainingState) -> bool:
    """Prepare the run's folder and load `state` from its checkpoint, where a run is continued.

    Returns whether one is. Raises UsageError where the run cannot go on as it was. All processes
    must call this; the main one alone opens the folder.
    """
    found = None
    if distributed.is_main():
        run_folder.open_run(folder, options.continue_train, options.overwrite)
        found = run_folder.read_latest(folder) if options.continue_train else None
        if found:
            before, now = found[1].get("made_from", {}), state.made_from
            run_folder.refuse_changes(
                folder,
                before,
                now,
                may_change=may_change(options),
                allowed=options.allow_changes,
            )
            if options.testroots and before.get("init", now["init"]) != now["init"]:
                raise UsageError(
                    f"--init {options.init}: holds other weights than those that {folder} was"
                    " started from, with which --testroots compares"
                )
    if not (path := distributed.gather(found and found[0])[0]):
        return False
    found = found or (path, run_folder.read_checkpoint(path))
    state.made_from["init"] = found[1].get("made_from", state.made_from)["init"]
    state.resume(found[1], path)
    return True


def open_board(folder: str, options: TrainOptions, progress: Progress) -> Board:
    """Open the run in its trackers at `progress`, in the main process alone."""
    return Board(
        options.tracker if distributed.is_main() else (),
        folder,
        options=plain_values(options),
        first_step=progress.total_steps + 1,
        history=progress.rows(),
    )


def is_finished(options: TrainOptions, state: TrainingState, max_steps: int) -> bool:
    """Return whether the last step, the last epoch, or the plateau's end has been reached; of a
    probe, whether it is made.
    """
    progress = state.progress
    if only_probes(options):
        return progress.epoch > 0
    if progress.step and not progress.part:  # under way, if only its validation is left
        return False
    if progress.total_steps >= max_steps:
        return True
    if not state.is_plateau():  # a cycle ends with its last step
        return False
    return progress.epoch >= options.niter or schedule.plateau_ended(state.optimizer)


def finish_records(folder: str, options: TrainOptions, progress: Progress) -> None:
    """Write what a run killed after its last checkpoint may lack.

    That is history.csv, the curves and the time of the end; does nothing where the run
    has ended in full.
    """
    if distributed.is_main() and not run_folder.has_ended(folder):
        write_history(folder, progress.rows())
        open_board(folder, options, progress).close()
        run_folder.end(folder)
