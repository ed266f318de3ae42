"""Train a detector of generated images: build, then the epoch loop with the whole step in view."""

from options.parse import parse
from options.train_options import TrainOptions, may_change

if __name__ == "__main__":
    OPTIONS = parse(TrainOptions)  # before the imports below, which take seconds

import dataclasses
import math
import os
import time
from typing import Any

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from data.augment import Blur, Jpeg
from data.dataset import EvalImages, TrainImages
from data.loaders import eval_batches, train_batches
from data.order import EpochBatches, Order, batches_per_epoch, epoch_order, find_pairs
from data.samples import find_samples, fingerprint
from data.transforms import train_transform, val_transform
from networks.create import create_network
from networks.device import autocast, choose_device
from networks.normalise import normalise
from networks.predict import predict, progress_bar
from util import distributed, errors, run_folder, schedule
from util.checkpoint import read_checkpoint, save_checkpoint
from util.interrupt import ctrl_c
from util.logs import TensorBoard, write_history
from util.metrics import measure
from util.training_state import TrainingState


def main(options: TrainOptions) -> None:
    """Train as `options` say, into <checkpoints_dir>/<name>/."""
    device = choose_device(options.device)
    distributed.start(device.type)
    rank, world_size = distributed.rank(), distributed.world_size()
    torch.manual_seed(options.seed)

    train_set, val_set, pairs = build_datasets(options)
    labels = train_set.samples.labels
    steps_per_epoch = batches_per_epoch(len(labels), options.batch_size)
    max_steps = options.max_steps or options.niter * steps_per_epoch

    network = create_network(options.arch, options.init).to(device)
    model = DistributedDataParallel(network) if world_size > 1 else network
    loss_function = nn.BCEWithLogitsLoss()
    state = build_state(options, network, max_steps)
    optimizer, scaler = state.optimizer, state.scaler

    folder = os.path.join(options.checkpoints_dir, options.name)
    resumed = take_up(folder, options, state)
    progress = state.progress
    if resumed and is_finished(options, state, max_steps):
        say(f"{folder}: this run is finished, after {progress.epoch} epochs; nothing to do")
        return
    if distributed.is_main():
        data = {"train": fingerprint(train_set.samples), "val": fingerprint(val_set.samples)}
        about = run_folder.write_about(folder, dataclasses.asdict(options), data, resumed)
    say(
        f"train: {describe(labels)}; val: {describe(val_set.samples.labels)}; {options.arch} from"
        f" {options.init} on {device}, {options.precision}; {steps_per_epoch} steps an epoch"
    )
    if resumed:
        say(f"continues after {progress.total_steps} steps, in epoch {progress.epoch + 1}")
    board = TensorBoard(folder, distributed.is_main(), progress.total_steps + 1)

    with ctrl_c() as interrupted:
        while not is_finished(options, state, max_steps):
            order = epoch_order(labels, pairs, options.class_bal, options.seed, progress.epoch)
            last = min(steps_per_epoch, progress.step + max_steps - progress.total_steps)
            batches = EpochBatches(
                order, progress.epoch, options.batch_size, progress.step, last, rank, world_size
            )
            bar = tqdm(
                train_batches(train_set, batches, options.num_threads, device.type == "cuda"),
                desc=f"epoch {progress.epoch + 1}",
                initial=progress.step,
                total=last,
                unit="step",
                disable=not distributed.is_main(),
            )
            start = time.perf_counter() - progress.seconds
            logged_step, logged_at = progress.total_steps, time.perf_counter()
            model.train()
            for images, targets in bar:
                with autocast(device, options.precision):
                    logits = model(normalise(images.to(device, non_blocking=True)))
                loss = loss_function(logits.float().squeeze(1), targets.to(device).float())
                stop_if_not_finite(loss.item(), progress.total_steps, folder)
                optimizer.zero_grad()
                scaler.scale(loss).backward()
                scaler.step(optimizer)
                scaler.update()
                if options.schedule == "onecycle":
                    state.schedule.step()

                progress.step += 1
                progress.total_steps += 1
                progress.loss_sum += loss.item()
                progress.seconds = time.perf_counter() - start
                bar.set_postfix(loss=f"{progress.loss_sum / progress.step:.4f}", refresh=False)
                if progress.total_steps == 1:
                    board.images(images, targets, progress.total_steps)
                if progress.total_steps % options.loss_freq == 0:
                    num_images = (progress.total_steps - logged_step) * options.batch_size
                    curves = {
                        "loss": loss.item(),
                        "learning_rate": optimizer.param_groups[0]["lr"],
                        "images_per_second": num_images / (time.perf_counter() - logged_at),
                    }
                    board.scalars("train", curves, progress.total_steps)
                    logged_step, logged_at = progress.total_steps, time.perf_counter()
                if interrupted():
                    break
                if progress.total_steps % options.save_latest_freq == 0:
                    save(state, options, folder, run_folder.LATEST)
            bar.close()
            if interrupted():
                save(state, options, folder, run_folder.LATEST)
                board.close()
                raise errors.Interrupted(
                    f"saved after {progress.total_steps} steps in {folder}; the same command with"
                    " --continue_train goes on from there"
                )

            figures = validate(options, network, val_set, device)
            finish_epoch(options, state, figures, folder, board)

    board.close()
    if distributed.is_main():
        run_folder.end(folder, about)
    best = os.path.join(folder, run_folder.BEST)
    say(f"done: {best} has validation accuracy {progress.best_accuracy:.4f}")
    distributed.stop()


def build_datasets(options: TrainOptions) -> tuple[TrainImages, EvalImages, Order | None]:
    """Find the images of both splits, and say what happens to each; the pairs, if asked for."""
    train_samples, val_samples = (
        find_samples(os.path.join(options.dataroot, split), options.classes)
        for split in (options.train_split, options.val_split)
    )
    load_size, crop_size, interpolation = options.loadSize, options.cropSize, options.rz_interp
    blur = Blur(options.blur_prob, options.blur_sig, options.blur_method)
    jpeg = Jpeg(options.jpg_prob, options.jpg_qual, options.jpg_method)
    flip = not options.no_flip
    train_steps = train_transform(load_size, crop_size, interpolation, blur, jpeg, flip)
    val_steps = val_transform(load_size, crop_size, interpolation, blur, jpeg)
    pairs = find_pairs(train_samples) if options.pairs else None
    train_set = TrainImages(train_samples, train_steps, options.seed, pairs)
    return train_set, EvalImages(val_samples, [val_steps], options.seed), pairs


def build_state(options: TrainOptions, network: nn.Module, max_steps: int) -> TrainingState:
    """The optimiser, its schedule over `max_steps`, and the gradient scaler of fp16."""
    common: dict[str, Any] = {
        "lr": options.lr,
        "weight_decay": options.weight_decay,
        "fused": True,  # one kernel for the step: on a CPU over four times as fast
    }
    optimizer: torch.optim.Optimizer
    if options.optim == "adam":
        betas = (options.beta1, 0.999)
        optimizer = torch.optim.Adam(network.parameters(), betas=betas, **common)
    else:
        momentum = options.momentum
        optimizer = torch.optim.SGD(
            network.parameters(), momentum=momentum, nesterov=momentum > 0, **common
        )
    if options.schedule == "onecycle":
        rate: Any = schedule.one_cycle(optimizer, options.lr, max_steps)
    else:
        rate = schedule.plateau(optimizer, options.earlystop_epoch)
    device = next(network.parameters()).device
    scaler = torch.amp.GradScaler(device.type, enabled=options.precision == "fp16")
    return TrainingState(network, optimizer, rate, scaler)


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
        state.resume(read_checkpoint(os.path.join(folder, run_folder.LATEST)))
    return goes_on


def is_finished(options: TrainOptions, state: TrainingState, max_steps: int) -> bool:
    """Whether the last epoch, the last step, or the plateau's end has been reached."""
    progress = state.progress
    if progress.step:  # an epoch is under way, if only its validation is left
        return False
    if progress.epoch >= options.niter or progress.total_steps >= max_steps:
        return True
    return options.schedule == "plateau" and schedule.plateau_ended(state.optimizer)


def stop_if_not_finite(loss: float, steps: int, folder: str) -> None:
    """Raise WorkError before a NaN or an infinity reaches the weights."""
    if not math.isfinite(loss):
        raise errors.WorkError(
            f"the loss is {loss} after {steps} steps; the last checkpoint in {folder} is from"
            " before that. Try a smaller --lr, or --precision fp32"
        )


def validate(
    options: TrainOptions, network: nn.Module, val_set: EvalImages, device: torch.device
) -> dict[str, float]:
    """Every metric on the validation images, the same pixels in each epoch."""
    labels = val_set.samples.labels
    batches = eval_batches(
        val_set,
        options.batch_size,
        options.num_threads,
        device.type == "cuda",
        distributed.rank(),
        distributed.world_size(),
    )
    with progress_bar(len(labels), "validation") as bar:
        logits = predict(network, batches, len(labels), device, options.precision, bar)
    return measure(labels, logits)


def finish_epoch(
    options: TrainOptions,
    state: TrainingState,
    figures: dict[str, float],
    folder: str,
    board: TensorBoard,
) -> None:
    """Add the epoch to the history, step the plateau, and save: the best first, so that a run
    killed between the two repeats the end of the epoch and nothing is lost.
    """
    progress, optimizer = state.progress, state.optimizer
    epoch = progress.epoch + 1
    row = {
        "epoch": epoch,
        "total_steps": progress.total_steps,
        "lr": optimizer.param_groups[0]["lr"],
        "loss": progress.loss_sum / progress.step,
        **{f"val_{name}": value for name, value in figures.items()},
        "images_per_second": progress.step * options.batch_size / progress.seconds,
    }
    progress.history.append(row)
    progress.epoch, progress.step, progress.loss_sum, progress.seconds = epoch, 0, 0.0, 0.0
    if options.schedule == "plateau":
        state.schedule.step(figures["accuracy"])
    is_best = figures["accuracy"] > progress.best_accuracy
    progress.best_accuracy = max(figures["accuracy"], progress.best_accuracy)
    if is_best:
        save(state, options, folder, run_folder.BEST)
    if epoch % options.save_epoch_freq == 0:
        save(state, options, folder, f"model_epoch_{epoch}.pth")
    save(state, options, folder, run_folder.LATEST)
    if distributed.is_main():
        write_history(folder, progress.history)
    board.scalars("val", figures, progress.total_steps)
    say(
        f"epoch {epoch}: loss {row['loss']:.4f}, validation AP {figures['ap']:.4f},"
        f" accuracy {figures['accuracy']:.4f}{' (best so far)' if is_best else ''}"
    )


def save(state: TrainingState, options: TrainOptions, folder: str, name: str) -> None:
    """Write a checkpoint, from the main process alone."""
    if distributed.is_main():
        network = {"arch": options.arch, "crop_size": options.cropSize}  # eval.py takes them
        save_checkpoint(os.path.join(folder, name), {**state.checkpoint(), **network})


def describe(labels: Any) -> str:  # noqa: ANN401
    """How many images of each label."""
    num_fake = int(labels.sum())
    return f"{len(labels) - num_fake} real and {num_fake} fake images"


def say(text: str) -> None:
    """Print from the main process alone."""
    if distributed.is_main():
        print(text, flush=True)


if __name__ == "__main__":
    errors.run(lambda: main(OPTIONS))
