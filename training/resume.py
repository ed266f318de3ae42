"""How a run begins, or goes on where it stopped."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import torch

from data.samples import Samples, fingerprint
from options.train_options import TrainOptions, may_change
from training import run_folder
from training.logs import TensorBoard, write_history
from training.state import Progress, TrainingState
from util import distributed
from util.errors import UsageError


def describe_labels(labels: Any) -> str:  # noqa: ANN401
    """How many images of each label."""
    num_fake = int(labels.sum())
    return f"{len(labels) - num_fake} real and {num_fake} fake images"


def made_from(
    options: TrainOptions, init: str, train: Samples, val: Samples, device: torch.device
) -> dict[str, Any]:
    """Whatever a run's bits follow from, in plain values; `init` is the hash of the weights that it
    starts from, where these are a file.
    """
    machine: dict[str, Any] = {"torch": str(torch.__version__), "device": device.type}
    if device.type == "cpu":
        machine["threads"] = torch.get_num_threads()  # each sums its own part first
    return {
        "options": json.loads(json.dumps(dataclasses.asdict(options))),  # a list for a tuple
        "data": {
            split: f"{fingerprint(samples)} of {describe_labels(samples.labels)}"
            for split, samples in (("train", train), ("val", val))
        },
        "processes": {"processes": distributed.world_size()},
        "machine": machine,
        "init": init,
    }


def resume(folder: str, options: TrainOptions, state: TrainingState) -> bool:
    """Make the run's folder ready and, where a run in it goes on, take its state from there;
    return whether one does. Raises UsageError where it cannot go on as it was.
    """
    found = None
    if distributed.is_main():
        run_folder.open_run(folder, options.continue_train, options.overwrite)
        found = run_folder.read_latest(folder) if options.continue_train else None
        if found:
            before, now = found[1].get("made_from", {}), state.made_from
            allowed = options.allow_changes
            run_folder.refuse_changes(folder, before, now, may_change(options), allowed)
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


def board_of(folder: str, progress: Progress) -> TensorBoard:
    """The run's curves, as far as `progress`: what was drawn beyond it is purged."""
    return TensorBoard(folder, distributed.is_main(), progress.total_steps + 1, progress.rows())


def complete(folder: str, progress: Progress) -> None:
    """Write what a run that was killed at its very end has not: history.csv, the curves of
    TensorBoard, and the time of the end.
    """
    if distributed.is_main() and not run_folder.has_ended(folder):
        write_history(folder, progress.rows())
        board_of(folder, progress).close()
        run_folder.end(folder)
