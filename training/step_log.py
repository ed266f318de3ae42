"""What happens beside the steps of an epoch: the bar, curves, checkpoints, and signals to stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType

import torch

from data.samples import Samples
from data.train_batches import TrainBatch
from options.train_options import TrainOptions
from training import run_folder
from training.board import Board
from training.epoch import require_sound, save
from training.state import TrainingState
from training.watch import Watch
from util.errors import Interrupted
from util.progress import Progress, duration, no_progress, pace


class StepLog:
    """Looks at the steps of a run now and then, as its options say."""

    def __init__(
        self,
        options: TrainOptions,
        state: TrainingState,
        *,
        folder: str,
        board: Board,
        samples: Samples,
        batch_size: int,
        span: int,
        stop_signal: Callable[[], int],
    ) -> None:
        """Begin at the step that `state` is at, of the `span` steps that the run may take."""
        self.options, self.state, self.folder, self.board = options, state, folder, board
        self.batch_size, self.span = batch_size, span
        self.watch = Watch(samples, folder, stop_signal)
        self.bar = no_progress()
        self.begun_step, self.begun = state.progress.total_steps, time.perf_counter()
        self.seconds = self.waited = 0.0  # of all epochs' steps, and of these for images

    def __enter__(self) -> StepLog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.bar.close()  # an error's message is to stand on a line of its own

    def epoch(self, batches: Iterable[TrainBatch], last: int) -> Iterator[TrainBatch]:
        """Yield the batches of an epoch, up to its step `last`, behind a bar."""
        progress = self.state.progress
        self.bar = Progress(
            last, f"epoch {progress.epoch + 1}", unit="step", initial=progress.step, leave=True
        )
        self.last = last
        self.start = time.perf_counter() - progress.seconds
        self.logged_step, self.logged_at = progress.total_steps, time.perf_counter()
        begun = asked = time.perf_counter()
        for batch in batches:
            self.waited += time.perf_counter() - asked
            yield batch
            self.bar.update()
            asked = time.perf_counter()
        self.seconds += time.perf_counter() - begun
        self.bar.close()

    def pace(self) -> str:
        """Return in words how fast the epochs were that are over; "" where there are none."""
        images = (self.state.progress.total_steps - self.begun_step) * self.batch_size
        return pace("images", images, seconds=self.seconds, waited=self.waited) if images else ""

    def step(self, batch: TrainBatch, losses: list[torch.Tensor], part: torch.Tensor) -> None:
        """Take note of a step that was taken: its batch, the loss of each of its parts, and the
        last part, (N, 3, H, W) uint8 on the device. All processes must call this.

        Raises WorkError where a loss or the weights are not finite, and Interrupted, when the run
        was told to stop and is saved.
        """
        progress, options = self.state.progress, self.options
        is_due = self.watch.add(losses, batch.indices)
        logs = progress.total_steps % options.loss_freq == 0
        saves = progress.total_steps % options.save_latest_freq == 0
        if progress.total_steps == 1:
            self.board.images(batch.images, batch.targets, progress.total_steps)
        if not (is_due or logs or saves or progress.step == self.last):
            return
        batch_loss, signal = self.watch.look(progress)
        progress.seconds = time.perf_counter() - self.start
        self.bar.tell(f"loss {progress.loss_sum / progress.step:.4f}, {self._time_left()}")
        if logs:
            self._draw_curves(batch_loss)
        if saves or signal:
            require_sound(
                self.state.network,
                part,
                arch=self.state.kind["arch"],
                precision=options.precision,
                folder=self.folder,
            )
            self.board.flush()
            save(self.state, self.folder, run_folder.LATEST)
        if signal:
            self.bar.close()
            self.board.close()
            raise Interrupted(
                f"saved after {progress.total_steps} steps in {self.folder}; the same command with"
                " --continue_train goes on from there",
                signal,
            )

    def _time_left(self) -> str:
        """Return, in words, how long the run still takes at the pace so far, with validation."""
        steps = self.state.progress.total_steps
        pace = (time.perf_counter() - self.begun) / (steps - self.begun_step)
        at_most = "at most " if self.state.is_plateau() else ""  # it may end with any epoch
        return f"run: {at_most}{duration((self.span - steps) * pace)} left"

    def _draw_curves(self, loss: float) -> None:
        step, now = self.state.progress.total_steps, time.perf_counter()
        num_images = (step - self.logged_step) * self.batch_size
        curves = {
            "loss": loss,
            "learning_rate": self.state.optimizer.param_groups[0]["lr"],
            "images_per_second": num_images / (now - self.logged_at),
        }
        self.board.scalars("train", curves, step)
        self.logged_step, self.logged_at = step, now
