"""What surrounds the training step: what is checked before it, and how an epoch ends."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence

import torch
from torch import nn

from data.images import UnreadableImage
from data.loaders import Batch
from data.samples import Samples
from networks.predict import predict, progress_bar
from util import distributed, run_folder
from util.checkpoint import save_checkpoint
from util.console import say, warn
from util.errors import WorkError
from util.logs import TensorBoard, write_history
from util.metrics import measure
from util.training_state import Progress, TrainingState

MOST_NAMED = 4  # files in an error about a batch


def note_unreadable(
    progress: Progress,
    found: Sequence[UnreadableImage],
    most: float,
    num_images: int,
    instead: str = "another image of its label stands in for it",
) -> None:
    """Tell of images that cannot be read, once each, and what is done `instead`; raise WorkError
    where they are more than the share `most` of all.
    """
    for error in found:
        if error.path not in progress.unreadable:
            progress.unreadable.append(error.path)
            warn(f"{error}; {instead}", everywhere=True)
    if len(progress.unreadable) > most * num_images:
        raise WorkError(
            f"{len(progress.unreadable)} of {num_images} images could not be read, more"
            f" than --max_bad_fraction {most:g} allows, first {progress.unreadable[0]}"
        )


def stop_if_not_finite(
    loss: float, samples: Samples, indices: Sequence[int], folder: str, steps: int
) -> None:
    """Raise WorkError, which names the batch's files, before a NaN or an infinity reaches the
    weights.
    """
    if not math.isfinite(loss):
        names = ", ".join(samples.path(index) for index in indices[:MOST_NAMED])
        more = len(indices) - MOST_NAMED
        raise WorkError(
            f"the loss is {loss} after {steps} steps, on {names}"
            f"{f' and {more} more' if more > 0 else ''}; the last checkpoint in {folder} is from"
            " before that. Try a smaller --lr, or --precision fp32"
        )


def validate(
    network: nn.Module,
    samples: Samples,
    batches: Iterable[Batch],
    device: torch.device,
    precision: str,
) -> dict[str, float]:
    """Return every metric on the validation images, the same pixels in each epoch; without those
    that could not be read, which the caller has been told of.

    Raises WorkError where a logit is not a finite number.
    """
    # Batch norm's statistics are each process's own until the next step; a checkpoint has the first
    # one's, and with others a run that goes on from it would be validated differently.
    distributed.share(network.buffers())
    with progress_bar(len(samples.labels), "validation") as bar:
        predicted = predict(network, batches, len(samples.labels), device, precision, bar)
    predicted.require_finite(samples.path, precision)
    return measure(samples.labels[predicted.came], predicted.logits[predicted.came])


def finish_epoch(
    state: TrainingState,
    figures: dict[str, float],
    folder: str,
    board: TensorBoard,
    batch_size: int,
    keep_every: int,
) -> None:
    """Add the epoch to the history, step the plateau, and save: the best first, so that a run
    killed between the two repeats the end of the epoch and nothing is lost. A checkpoint of its
    own is kept every `keep_every` epochs.
    """
    progress, optimizer = state.progress, state.optimizer
    gather_unreadable(progress)
    epoch = progress.epoch + 1
    row = {
        "epoch": epoch,
        "total_steps": progress.total_steps,
        "lr": optimizer.param_groups[0]["lr"],
        "loss": progress.loss_sum / progress.step,
        **{f"val_{name}": value for name, value in figures.items()},
        "unreadable": len(progress.unreadable),
        "images_per_second": progress.step * batch_size / progress.seconds,
    }
    progress.history.append(row)
    progress.epoch, progress.step, progress.loss_sum, progress.seconds = epoch, 0, 0.0, 0.0
    if state.is_plateau():
        state.schedule.step(figures["accuracy"])
    is_best = figures["accuracy"] > progress.best_accuracy
    progress.best_accuracy = max(figures["accuracy"], progress.best_accuracy)
    if is_best:
        save(state, folder, run_folder.BEST)
    if epoch % keep_every == 0:
        save(state, folder, f"model_epoch_{epoch}.pth")
    save(state, folder, run_folder.LATEST)
    if distributed.is_main():
        write_history(folder, progress.history)
    board.scalars("val", figures, progress.total_steps)
    say(
        f"epoch {epoch}: loss {row['loss']:.4f}, validation AP {figures['ap']:.4f},"
        f" accuracy {figures['accuracy']:.4f}{' (best so far)' if is_best else ''}"
    )


def save(state: TrainingState, folder: str, name: str) -> None:
    """Write a checkpoint, from the main process alone; the latest replaces the one before, which
    is kept beside it.
    """
    gather_unreadable(state.progress)
    if distributed.is_main():
        is_latest = name == run_folder.LATEST
        previous = os.path.join(folder, run_folder.PREVIOUS) if is_latest else ""
        save_checkpoint(os.path.join(folder, name), state.checkpoint(), previous)


def gather_unreadable(progress: Progress) -> None:
    """Every process knows what any has met; all must call this."""
    met = distributed.gather(progress.unreadable)
    progress.unreadable = sorted({path for paths in met for path in paths})
