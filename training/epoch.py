"""What surrounds the training step: what is checked before it, and how an epoch ends."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence

import torch
from torch import nn

from data.eval_batches import Batch
from data.images import UnreadableImage
from data.samples import Samples
from evaluation.metrics import measure
from evaluation.predict import predict, progress_bar
from networks.detector import NetworkDetector, as_detector
from training import run_folder
from training.board import Board
from training.logs import write_history
from training.state import Progress, TrainingState
from util import distributed
from util.checkpoint import not_finite, save_checkpoint
from util.console import say, warn
from util.errors import WorkError


def note_unreadable(
    progress: Progress,
    found: Sequence[UnreadableImage],
    *,
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


def require_sound(
    network: nn.Module, images: torch.Tensor, *, arch: str, precision: str, folder: str
) -> None:
    """Raise WorkError where `network` gives some of `images` (N, 3, H, W) uint8 a logit that is not
    finite. The loss of a step was that of the weights before it, and finite weights can be too
    large: to be called before weights are saved that have not been validated.
    """
    modes = [(module, module.training) for module in network.modules()]
    # in evaluation mode nothing is drawn, and batch norm's statistics stay
    detector = as_detector(network, arch=arch, device=images.device, precision=precision)
    logits = detector.logits(images)
    for module, mode in modes:
        module.training = mode
    if not torch.isfinite(logits).all():
        raise WorkError(
            "the weights were spoiled by the steps since the last checkpoint: they give logits that"
            f" are not finite; {run_folder.last_good(folder)}. Try a smaller --lr, or --precision"
            " fp32"
        )


def validate(
    detector: NetworkDetector, samples: Samples, batches: Iterable[Batch]
) -> dict[str, float]:
    """Return every metric on the validation images, the same pixels in each epoch; without those
    that could not be read, which the caller has been told of.

    Raises WorkError where a logit is not a finite number.
    """
    # Batch norm's statistics are each process's own until the next step; a checkpoint has the first
    # one's, and with others a run that goes on from it would be validated differently.
    distributed.broadcast(detector.network.buffers())
    with progress_bar(len(samples.labels), "validation") as bar:
        (predicted,) = predict([detector], batches, num_images=len(samples.labels), bar=bar)
    predicted.require_finite(samples.path, detector.precision)
    return measure(samples.labels[predicted.came], predicted.logits[predicted.came])


def finish_epoch(
    state: TrainingState,
    metrics: dict[str, float],
    *,
    folder: str,
    board: Board,
    num_images: int,
    keep_every: int,
    is_whole: bool,
) -> None:
    """Add the epoch, of `num_images` training images, to the history, step the plateau, and save:
    the best first, so that a run killed between the two repeats the end of the epoch and nothing is
    lost. A checkpoint of its own is kept every `keep_every` epochs. A probe is one of no step.

    An epoch that the run's last step has ended amid (not `is_whole`) is listed, but what resumes
    stays as it is amid the epoch, as a plateau may be given more steps later, and is then to go on
    as if there had been no stop. Such an epoch is the best only until there is a whole one.
    """
    progress, optimizer = state.progress, state.optimizer
    gather_unreadable(progress)
    epoch, accuracy = progress.epoch + 1, metrics["accuracy"]
    row = {
        "epoch": epoch,
        "total_steps": progress.total_steps,
        "lr": optimizer.param_groups[0]["lr"],
        "loss": progress.loss_sum / max(progress.step, 1),
        **{f"val_{name}": value for name, value in metrics.items()},
        "unreadable": len(progress.unreadable),
        "images_per_second": num_images / progress.seconds,
    }
    if is_whole:
        progress.history.append(row)
        progress.epoch, progress.step, progress.loss_sum, progress.seconds = epoch, 0, 0.0, 0.0
        if state.is_plateau():
            state.schedule.step(accuracy)
        if is_best := accuracy > progress.best_accuracy:  # which one that is NaN never is
            progress.best_accuracy = accuracy
    else:
        progress.part = row
        is_best = accuracy > -1 == progress.best_accuracy
    if is_best:
        save(state, folder, run_folder.BEST)
    if is_whole and epoch % keep_every == 0:
        save(state, folder, f"model_epoch_{epoch}.pth")
    board.epoch(row)
    board.flush()
    save(state, folder, run_folder.LATEST)
    if distributed.is_main():
        write_history(folder, progress.rows())
    say(
        f"epoch {epoch}{'' if is_whole else ', in part'}: loss {row['loss']:.4f}, validation AP"
        f" {metrics['ap']:.4f}, accuracy {accuracy:.4f}{' (best so far)' if is_best else ''}"
    )


def print_end(folder: str, progress: Progress) -> None:
    """Say where the weights are: the best ones, if any epoch had an accuracy."""
    whole = progress.best_accuracy >= 0
    part = progress.part["val_accuracy"] if progress.part else math.nan
    accuracy = progress.best_accuracy if whole else part
    if math.isnan(accuracy):
        latest = os.path.join(folder, run_folder.LATEST)
        say(f"done: {latest}; validation gave no accuracy, and so no epoch is the best")
    else:
        best = os.path.join(folder, run_folder.BEST)
        say(f"done: {best} has validation accuracy {accuracy:.4f}")


def save(state: TrainingState, folder: str, name: str) -> None:
    """Write a checkpoint, from the main process alone; the latest replaces the one before, which
    is kept beside it. Raises WorkError, and writes nothing, where a value of it is not finite.
    """
    gather_unreadable(state.progress)
    for record in distributed.gather(state.trained_on):
        state.trained_on.merge(record)
    if distributed.is_main():
        checkpoint = state.checkpoint()
        if bad := not_finite(checkpoint):
            raise WorkError(
                f"{name} is not written: after {state.progress.total_steps} steps {bad} holds NaN"
                f" or infinity; {run_folder.last_good(folder)}. Try a smaller --lr, or --precision"
                " fp32"
            )
        is_latest = name == run_folder.LATEST
        previous = os.path.join(folder, run_folder.PREVIOUS) if is_latest else ""
        save_checkpoint(os.path.join(folder, name), checkpoint, previous)


def gather_unreadable(progress: Progress) -> None:
    """Let every process know what any has met; all must call this."""
    met = distributed.gather(progress.unreadable)
    progress.unreadable = sorted({path for paths in met for path in paths})
