"""Train a detector of generated images: build, then the epoch loop with the whole step in view."""

from options.parse import parse
from options.train_options import TrainOptions, may_change

if __name__ == "__main__":
    OPTIONS = parse(TrainOptions)  # before the imports below, which take seconds

import contextlib
import dataclasses
import json
import os
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from data.images import UnreadableImage
from data.loaders import eval_reader, train_reader
from data.order import EpochBatches, Pool, epoch_order, steps_per_epoch
from data.samples import fingerprint
from networks.create import create_network
from networks.device import autocast, choose_device
from networks.fit import refuse_what_does_not_fit, smallest_part
from networks.freeze import fix, frozen_part
from networks.normalise import normalise
from report.before_after import before_after, find_all_testsets
from training.build import build_datasets, build_state
from training.epoch import finish_epoch, note_unreadable, save, stop_if_not_finite, validate
from util import distributed, errors, run_folder, schedule
from util.console import say, say_next
from util.interrupt import stop_signals
from util.logs import TensorBoard
from util.training_state import TrainingState


def main(options: TrainOptions) -> None:
    """Train as `options` say, into <checkpoints_dir>/<name>/, and compare as they say."""
    device = choose_device(options.device, options.tf32)
    testsets = find_all_testsets(options.testroots)  # first: what is wrong with them ends it now
    distributed.start(device.type)
    folder = os.path.join(options.checkpoints_dir, options.name)
    train(options, device, folder)
    if testsets and not options.dry_run:
        before_after(
            os.path.join(folder, "before_after"),
            {"after": os.path.join(folder, run_folder.BEST), "before": options.init},
            testsets,
            options.arch,
            options.cropSize,
            options.testroots[0],
            device,
            options.precision,
            options.batch_size,
            options.num_threads,
            options.max_pixels,
        )
    best, scored = os.path.join(folder, run_folder.BEST), os.path.join(options.dataroot, "test")
    if os.path.isfile(best) and not options.dry_run:
        scored = scored if os.path.isdir(scored) else "FOLDER_OF_TEST_SETS"
        say_next("eval.py", "--model_path", best, "--dataroot", scored)
    distributed.stop()


def train(options: TrainOptions, device: torch.device, folder: str) -> None:
    """Build, train epoch by epoch, and save; a run that is finished is left as it is."""
    rank, world_size = distributed.rank(), distributed.world_size()
    torch.manual_seed(options.seed)

    train_set, val_set, pools = build_datasets(options, world_size)
    num_steps, batch_size = steps_per_epoch(pools), sum(pool.per_batch for pool in pools)
    at_a_time = smallest_part(batch_size // world_size, options.accumulate)
    refuse_what_does_not_fit(options.arch, options.cropSize, at_a_time, options.freeze)
    num_images = len(train_set.samples.labels) + len(val_set.samples.labels)
    max_steps = options.max_steps or options.niter * num_steps
    images = f"train: {describe(pools)}; val: {describe_labels(val_set.samples.labels)}"
    if options.dry_run:
        say(json.dumps(dataclasses.asdict(options), indent=1))
        say(f"{images}; {num_steps} steps an epoch, at most {max_steps} in all")
        return

    network = create_network(options.arch, options.init).to(device)
    frozen = frozen_part(network, options.arch, options.freeze)
    fix(frozen)
    model: nn.Module = DistributedDataParallel(network) if world_size > 1 else network
    model = torch.compile(model) if options.compile else model  # type: ignore[assignment]
    loss_function = nn.BCEWithLogitsLoss()
    state = build_state(options, network, max_steps)
    optimizer, scaler = state.optimizer, state.scaler

    resumed = take_up(folder, options, state)
    progress = state.progress
    if resumed and is_finished(options, state, max_steps):
        say(f"{folder}: this run is finished, after {progress.epoch} epochs; nothing to do")
        return
    if distributed.is_main():
        data = {"train": fingerprint(train_set.samples), "val": fingerprint(val_set.samples)}
        about = run_folder.write_about(folder, dataclasses.asdict(options), data, resumed)
    say(
        f"{images}; {options.arch} from {options.init} on {device}, {options.precision};"
        f" {num_steps} steps an epoch"
    )
    if resumed:
        say(f"continues after {progress.total_steps} steps, in epoch {progress.epoch + 1}")
    board = TensorBoard(folder, distributed.is_main(), progress.total_steps + 1)

    workers, pin_memory = options.num_threads, device.type == "cuda"
    read_train = train_reader(train_set, workers, pin_memory)
    lost: list[UnreadableImage] = []
    read_val = eval_reader(
        val_set,
        batch_size=options.batch_size,
        num_workers=workers,
        pin_memory=pin_memory,
        rank=rank,
        world_size=world_size,
        on_error=lost.append,
    )
    every_val = np.arange(len(val_set.samples.labels))
    with stop_signals() as stop_signal, contextlib.ExitStack() as bars:
        while not is_finished(options, state, max_steps):
            order = epoch_order(pools, options.class_bal, options.seed, progress.epoch)
            last = min(num_steps, progress.step + max_steps - progress.total_steps)
            batches = EpochBatches(
                order, progress.epoch, batch_size, progress.step, last, rank, world_size
            )
            bar = tqdm(
                read_train(batches),
                desc=f"epoch {progress.epoch + 1}",
                initial=progress.step,
                total=last,
                unit="step",
                disable=not distributed.is_main(),
            )
            bars.callback(bar.close)  # an error's message is to stand on a line of its own
            start = time.perf_counter() - progress.seconds
            logged_step, logged_at = progress.total_steps, time.perf_counter()
            model.train()
            fix(frozen)
            stopping = 0
            for batch in bar:
                note_unreadable(progress, batch.unreadable, options.max_bad_fraction, num_images)
                images, targets = batch.images.to(device, non_blocking=True), batch.targets
                optimizer.zero_grad()
                batch_loss = 0.0
                parts = zip(
                    images.chunk(options.accumulate),
                    targets.to(device).float().chunk(options.accumulate),
                    strict=True,
                )
                for part, part_targets in parts:
                    with autocast(device, options.precision):
                        logits = model(normalise(part))
                    loss = loss_function(logits.float().squeeze(1), part_targets)
                    loss = loss * (len(part) / len(images))
                    scaler.scale(loss).backward()
                    batch_loss += loss.item()
                stop_if_not_finite(
                    batch_loss, train_set.samples, batch.indices, folder, progress.total_steps
                )
                scaler.step(optimizer)
                scaler.update()
                if state.average:
                    state.average.update_parameters(network)
                if options.schedule == "onecycle":
                    state.schedule.step()

                progress.step += 1
                progress.total_steps += 1
                progress.loss_sum += batch_loss
                progress.seconds = time.perf_counter() - start
                bar.set_postfix(loss=f"{progress.loss_sum / progress.step:.4f}", refresh=False)
                if progress.total_steps == 1:
                    board.images(batch.images, targets, progress.total_steps)
                if progress.total_steps % options.loss_freq == 0:
                    num_seen = (progress.total_steps - logged_step) * batch_size
                    curves = {
                        "loss": batch_loss,
                        "learning_rate": optimizer.param_groups[0]["lr"],
                        "images_per_second": num_seen / (time.perf_counter() - logged_at),
                    }
                    board.scalars("train", curves, progress.total_steps)
                    logged_step, logged_at = progress.total_steps, time.perf_counter()
                if stopping := distributed.largest(stop_signal()):
                    break
                if progress.total_steps % options.save_latest_freq == 0:
                    save(state, folder, run_folder.LATEST)
            bar.close()
            if stopping:
                save(state, folder, run_folder.LATEST)
                board.close()
                raise errors.Interrupted(
                    f"saved after {progress.total_steps} steps in {folder}; the same command with"
                    " --continue_train goes on from there",
                    stopping,
                )

            figures = validate(
                state.in_use(), val_set.samples, read_val(every_val), device, options.precision
            )
            left_out = "it is left out of the validation"
            note_unreadable(progress, lost, options.max_bad_fraction, num_images, left_out)
            finish_epoch(state, figures, folder, board, batch_size, options.save_epoch_freq)

    board.close()
    if distributed.is_main():
        run_folder.end(folder, about)
    best = os.path.join(folder, run_folder.BEST)
    say(f"done: {best} has validation accuracy {progress.best_accuracy:.4f}")


def take_up(folder: str, options: TrainOptions, state: TrainingState) -> bool:
    """Make the run's folder ready and, where a run in it goes on, take its state from there;
    return whether one does.
    """
    goes_on = distributed.is_main() and run_folder.open_run(
        folder,
        dataclasses.asdict(options),
        may_change(options),
        options.continue_train,
        options.overwrite,
    )
    if goes_on := distributed.gather(goes_on)[0]:
        state.resume(run_folder.read_latest(folder))
    return goes_on


def is_finished(options: TrainOptions, state: TrainingState, max_steps: int) -> bool:
    """Whether the last epoch, the last step, or the plateau's end has been reached."""
    progress = state.progress
    if progress.step:  # an epoch is under way, if only its validation is left
        return False
    if progress.epoch >= options.niter or progress.total_steps >= max_steps:
        return True
    return options.schedule == "plateau" and schedule.plateau_ended(state.optimizer)


def describe(pools: Sequence[Pool]) -> str:
    """How many images of each label, new and replayed."""
    told = describe_labels(pools[0].labels)
    for old in pools[1:]:
        told += f", {pools[0].per_batch} in a batch, with {old.per_batch} replayed of "
        told += describe_labels(old.labels)
    return told


def describe_labels(labels: Any) -> str:  # noqa: ANN401
    """How many images of each label."""
    num_fake = int(labels.sum())
    return f"{len(labels) - num_fake} real and {num_fake} fake images"


if __name__ == "__main__":
    errors.run(lambda: main(OPTIONS))
