"""Train a detector of generated images: build, then the epoch loop with the whole step in view."""

from options.parse import parse
from options.train_options import TrainOptions

if __name__ == "__main__":
    OPTIONS = parse(TrainOptions)  # before the imports below, which take seconds

import dataclasses
import functools
import json
import os
import sys
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from data.contents import ContentRecord
from data.eval_batches import EvalSet, eval_reader
from data.images import UnreadableImage
from data.order import EpochBatches, epoch_order, steps_per_epoch
from data.samples import Samples
from data.sources import find_all_testsets
from data.train_batches import train_reader
from networks.architectures import architecture
from networks.create import create_network, create_trained
from networks.detector import as_detector
from networks.device import autocast, choose_device
from networks.fit import check_fit, smallest_part
from networks.freeze import freeze, frozen_part
from networks.gradcam import gradcam
from networks.normalize import normalize
from networks.weights import read_weights
from training import run_folder
from training.comparison import score_before_and_after
from training.epoch import finish_epoch, note_unreadable, print_end, validate
from training.logs import write_history
from training.probe import probe
from training.resume import (
    describe_labels,
    finish_records,
    is_finished,
    made_from,
    open_board,
    resume,
)
from training.setup import (
    build_datasets,
    build_state,
    describe_pools,
    network_name,
    with_input_size,
)
from training.step_log import StepLog
from training.step_profile import StepProfile
from util import distributed, errors, run_lock
from util.console import as_typed, note, say
from util.files import sha256
from util.interrupt import stop_signals
from util.progress import begin, end


def main(options: TrainOptions) -> None:
    """Train as `options` say, into <checkpoints_dir>/<name>/, and compare as they say."""
    begun = begin(options.quiet)
    options = with_input_size(options)
    device = choose_device(options.device, options.tf32)
    # first: what is wrong with the test sets ends it now
    testsets, left_out = find_all_testsets(options.testroots, options.testsets)
    distributed.start(device.type)
    folder = os.path.join(options.checkpoints_dir, options.name)
    if options.overwrite:
        run_folder.refuse_to_remove(folder, options.init)
    if testsets and os.path.isfile(options.init):  # they are scored with these weights, too
        create_trained(network_name(options), read_weights(options.init))
    init = sha256(options.init) if os.path.isfile(options.init) else options.init
    try:
        train(options, device, folder=folder, init=init)
        if testsets and not options.dry_run:
            compare(options, folder, init=init, testsets=testsets, left_out=left_out)
    finally:
        run_lock.release(folder)
    if not options.dry_run:
        end(begun, next_command(options, folder))
    distributed.stop()


def next_command(options: TrainOptions, folder: str) -> str:
    """Return the command that scores the run's best checkpoint; nothing where there is none."""
    best, scored = os.path.join(folder, run_folder.BEST), os.path.join(options.dataroot, "test")
    scored = scored if os.path.isdir(scored) else "FOLDER_OF_TEST_SETS"
    argv = ("--model_path", best, "--dataroot", scored)
    return as_typed("eval.py", *argv) if os.path.isfile(best) else ""


def compare(
    options: TrainOptions,
    folder: str,
    *,
    init: str,
    testsets: Mapping[str, Samples],
    left_out: Sequence[str],
) -> None:
    """Score `testsets` with the weights that training began from, which have the hash `init`, and
    with the best ones, and write what changed.
    """
    from report.before_after import write_before_after  # noqa: PLC0415 (matplotlib takes a second)

    both = score_before_and_after(options, folder, init=init, testsets=testsets, left_out=left_out)
    if distributed.is_main():
        write_before_after(
            os.path.join(folder, "before_after"),
            *(entry.evaluation for entry in both),
            explain=[
                functools.partial(gradcam, entry.detector) for entry in both if options.gradcam
            ],
        )


def train(options: TrainOptions, device: torch.device, *, folder: str, init: str) -> None:
    """Build, train epoch by epoch, and save; a run that is finished is left as it is. `init` is the
    hash of the weights file to start from, where it is one.
    """
    rank, world_size = distributed.rank(), distributed.world_size()
    torch.manual_seed(options.seed)

    # -----------------------------------------------------------------------------
    # data: which images, how many of which kind in a batch, how many steps

    train_set, val_set, pools = build_datasets(options, world_size)
    num_steps, batch_size = steps_per_epoch(pools), sum(pool.per_batch for pool in pools)
    at_a_time = smallest_part(batch_size // world_size, options.accumulate)
    arch = network_name(options)
    check_fit(arch, options.cropSize, train_on=at_a_time, fixed_part=options.freeze)
    num_images = len(train_set.samples.labels) + len(val_set.samples.labels)
    max_steps = options.max_steps or sys.maxsize
    span = min(options.niter * num_steps, max_steps)
    described = f"train: {describe_pools(pools)}; val: {describe_labels(val_set.samples.labels)}"
    if options.dry_run:
        say(json.dumps(dataclasses.asdict(options), indent=1))
        say(f"{described}; {num_steps} steps an epoch, at most {span} in all")
        return

    # -----------------------------------------------------------------------------
    # network, optimizer, schedule: all that changes is in `state`

    its = architecture(arch)
    network = create_network(arch, options.init).to(device)
    frozen = frozen_part(network, arch, options.freeze)
    freeze(frozen)
    ddp = DistributedDataParallel(network) if world_size > 1 else None
    model: nn.Module = ddp or network
    model = torch.compile(model) if options.compile else model  # type: ignore[assignment]
    loss_function = nn.BCEWithLogitsLoss()
    state = build_state(options, network, span)
    optimizer, scaler = state.optimizer, state.scaler

    # -----------------------------------------------------------------------------
    # begin, or go on where an earlier run of this name stopped

    state.made_from = made_from(
        options, init=init, train=train_set.samples, val=val_set.samples, device=device
    )
    if os.path.isfile(options.init):  # what it was trained on, these weights have seen, too
        state.trained_on = ContentRecord(read_weights(options.init).trained_on)
    resumed = resume(folder, options, state)
    progress = state.progress
    if not state.is_plateau():  # the cycle spans what it was made for
        max_steps = state.schedule.total_steps
    if resumed and is_finished(options, state, max_steps):
        finish_records(folder, options, progress)
        say(f"{folder}: this run is finished, after {len(progress.rows())} epochs; nothing to do")
        return
    progress.part = None  # if the run stopped amid an epoch, then that goes on
    if distributed.is_main():
        data = {split: its_data.split()[0] for split, its_data in state.made_from["data"].items()}
        run_folder.write_about(folder, dataclasses.asdict(options), data=data, continues=resumed)
        write_history(folder, progress.rows())
    say(
        f"{described}; {arch} from {options.init} on {device}, {options.precision};"
        f" {num_steps} steps an epoch"
    )
    if resumed:
        say(f"continues after {progress.total_steps} steps, in epoch {progress.epoch + 1}")
    board = open_board(folder, options, progress)
    if options.probe and not resumed:  # the last layer first; then the loop, if more is to train
        probe(options, state, train_set=train_set, val_set=val_set, folder=folder, board=board)

    # -----------------------------------------------------------------------------
    # readers: their worker processes live from one epoch to the next

    workers, pin_memory = options.num_threads, device.type == "cuda"
    read_train = train_reader(train_set, workers, pin_memory)
    lost: list[UnreadableImage] = []
    read_val = eval_reader(
        [EvalSet(val_set)],
        batch_size=options.batch_size,
        num_workers=workers,
        pin_memory=pin_memory,
        rank=rank,
        world_size=world_size,
        on_error=lost.append,
    )
    every_val = np.arange(len(val_set.samples.labels))

    # -----------------------------------------------------------------------------
    # the training loop

    scale = scaler.get_scale()
    with (
        stop_signals() as stop_signal,
        StepProfile(options.profile if distributed.is_main() else 0, folder) as profile,
        StepLog(
            options,
            state,
            folder=folder,
            board=board,
            samples=train_set.samples,
            batch_size=batch_size,
            span=span,
            stop_signal=stop_signal,
        ) as log,
    ):
        while not is_finished(options, state, max_steps):
            order = epoch_order(
                pools, balanced=options.class_bal, seed=options.seed, epoch=progress.epoch
            )
            last = min(num_steps, progress.step + max_steps - progress.total_steps)
            batches = EpochBatches(
                order, progress.epoch, batch_size, progress.step, last, rank, world_size
            )
            model.train()
            freeze(frozen)
            for batch in log.epoch(read_train(batches), last):
                state.trained_on.add(batch.contents)
                note_unreadable(
                    progress, batch.unreadable, most=options.max_bad_fraction, num_images=num_images
                )
                images = batch.images.to(device, non_blocking=True)
                targets = batch.targets.to(device, non_blocking=True).float()

                # forward and backward, in parts that add up to the gradient of the whole batch
                optimizer.zero_grad()
                losses = []
                both = zip(
                    images.chunk(options.accumulate),
                    targets.chunk(options.accumulate),
                    strict=True,
                )
                parts = list(both)
                for number, (part, part_targets) in enumerate(parts, start=1):
                    with distributed.sync_gradients(ddp, number == len(parts)):
                        with autocast(device, options.precision):
                            logits = model(normalize(part, its.mean, its.std))
                        loss = loss_function(logits.float().squeeze(1), part_targets)
                        loss = loss * (len(part) / len(images))
                        scaler.scale(loss).backward()
                    losses.append(loss.detach())

                # step the optimizer, and what follows it
                scaler.step(optimizer)
                scaler.update()
                scale_before, scale = scale, scaler.get_scale()
                if scale >= scale_before:  # else fp16 has overflown, and the step was left out
                    if state.average:
                        state.average.update_parameters(network)
                    if options.schedule == "onecycle":
                        state.schedule.step()
                progress.step += 1
                progress.total_steps += 1

                # now and then: look at the losses, log, save, stop
                log.step(batch, losses, part)
                profile.step()

            # the end of the epoch: validate, step the plateau, save the best and the latest
            detector = as_detector(
                state.in_use(), arch=arch, device=device, precision=options.precision
            )
            [val_batches] = read_val([(0, every_val)])
            metrics = validate(detector, val_set.samples, val_batches)
            left_out = "it is left out of the validation"
            note_unreadable(
                progress,
                lost,
                most=options.max_bad_fraction,
                num_images=num_images,
                instead=left_out,
            )
            is_whole = progress.step >= num_steps or not state.is_plateau()
            finish_epoch(
                state,
                metrics,
                folder=folder,
                board=board,
                num_images=progress.step * batch_size,
                keep_every=options.save_epoch_freq,
                is_whole=is_whole,
            )

    board.close()
    if distributed.is_main():
        run_folder.end(folder)
    if told := log.pace():
        note(told)
    print_end(folder, progress)


if __name__ == "__main__":
    errors.run(lambda: main(OPTIONS))
