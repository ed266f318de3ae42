"""What the steps take, of the released data and at the rates that were measured."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from data.testsets import ORDER
from options.reproduce_options import ReproduceOptions
from options.train_options import TrainOptions
from tools.download import is_complete
from tools.full_scale.steps import Step
from tools.released.counts import published_counts
from tools.released.fetch import free_space
from tools.released.hub import SPLITS, still_to_fetch
from util.markdown import table
from util.progress import amount, duration

if TYPE_CHECKING:  # torch takes seconds
    from tools.full_scale.rates import Rates

NUM_TRAIN = 720_000  # about: no exact figure is published
LOWEST_RATE = 1e-6  # of learning, below which the plateaus end


class Cost(NamedTuple):
    """What a step takes."""

    fetched: float = 0.0  # bytes
    images: int = 0
    steps: int = 0  # of the optimizer
    seconds: float = math.nan  # NaN: not measured


def cost(step: Step, options: ReproduceOptions, *, training: TrainOptions, rates: Rates) -> Cost:
    """Return what a step takes, from its beginning."""
    if step.kind == "download":
        splits = ["testset"] if options.released else list(SPLITS)
        return Cost(sum(to_fetch(options, split) for split in splits))
    counts = {name: sum(its.values()) for name, its in published_counts().items()}
    tests = sum(counts[name] for name in options.testsets or ORDER if name in counts)
    if step.kind == "verify":
        all_tests = sum(counts[name] for name in ORDER)
        return Cost(images=all_tests + (0 if options.released else NUM_TRAIN + counts["val"]))
    if step.kind == "train":
        per_epoch = NUM_TRAIN // training.batch_size
        epochs = fewest_epochs(training)
        steps = min(epochs * per_epoch, training.max_steps or epochs * per_epoch)
        images = steps * training.batch_size
        validated = math.ceil(steps / per_epoch) * counts["val"]
        seconds = images / together(rates, options, compute=rates.train, read=rates.read)
        seconds += validated / together(rates, options, compute=rates.score, read=rates.read)
        return Cost(images=images, steps=steps, seconds=seconds)
    side = training.cropSize or 224
    times = pixels_a_test_image() / side**2 if step.kind == "no_crop" else 1.0
    read = rates.read * 256**2 / pixels_a_test_image()
    return Cost(
        images=tests,
        seconds=tests / together(rates, options, compute=rates.score / times, read=read),
    )


def fewest_epochs(training: TrainOptions) -> int:
    """Return the fewest epochs that the schedule allows: one, then --earlystop_epoch without
    progress at each rate down to 1e-6.
    """
    if training.schedule == "onecycle":
        return training.niter
    drops = max(0, math.floor(math.log10(training.lr / LOWEST_RATE) + 1e-9) + 1)
    return min(training.niter, 1 + drops * training.earlystop_epoch)


def together(rates: Rates, options: ReproduceOptions, *, compute: float, read: float) -> float:
    """Return images in a second where `compute` by each process and `read` by each core go on at
    the same time: the slower of the two, or (on a CPU, whose cores do both) one after the other.
    """
    from tools.full_scale.rates import cores  # noqa: PLC0415 - torch takes seconds

    if rates.shared:
        return 1 / (1 / compute + 1 / (read * cores()))
    readers = max(1, options.num_threads) * options.processes
    return min(compute * options.processes, read * min(cores(), readers))


def pixels_a_test_image() -> float:
    """Return about how many: as many bytes a pixel as the training images, which have 256x256."""
    tests = sum(sum(its.values()) for name, its in published_counts().items() if name != "val")
    return SPLITS["testset"].size / tests / (SPLITS["train"].size / NUM_TRAIN) * 256**2


def to_fetch(options: ReproduceOptions, split: str) -> float:
    """Return the bytes of the archives of a split that are not here, unless it is unpacked."""
    its = SPLITS[split]
    if is_complete(os.path.join(options.root, its.folder)):
        return 0.0
    sizes = {archive: its.size / len(its.archives) for archive in its.archives}
    return still_to_fetch(its.archives, os.path.join(options.root, "archives"), sizes)


def disk_line(options: ReproduceOptions) -> str:
    """Return how many bytes the images need, archives and contents, and how many are free."""
    needed = 0.0
    for split in () if options.no_download else (["testset"] if options.released else SPLITS):
        if not is_complete(os.path.join(options.root, SPLITS[split].folder)):
            needed += to_fetch(options, split) + SPLITS[split].size  # PNG does not shrink
    free = free_space(options.root)
    enough = "enough" if free >= needed else "TOO LITTLE: make room, or name another --root"
    return (
        f"disk of {options.root}: {amount(needed)} needed (archives and their contents),"
        f" {amount(free)} free: {enough}"
    )


def plan_table(steps: Sequence[Step], costs: Sequence[Cost]) -> str:
    """Return a row for each step, and one for all that can be added."""
    fetched = sum(each.fetched for each in costs)
    timed = sum(each.seconds for each in costs if not math.isnan(each.seconds))
    rows = [
        [f"{number}. {step.what}", *_cells(each)]
        for number, (step, each) in enumerate(zip(steps, costs, strict=True), 1)
    ]
    total = Cost(fetched, 0, sum(each.steps for each in costs), timed)
    rows.append(["all that was measured", *_cells(total)])
    return table(["step", "to fetch", "images", "optimizer steps", "time"], rows)


def _cells(its: Cost) -> list[str]:
    seconds = "not measured" if math.isnan(its.seconds) else duration(its.seconds)
    return [
        amount(its.fetched) if its.fetched else "",
        f"{its.images:,}" if its.images else "",
        f"{its.steps:,}" if its.steps else "",
        seconds,
    ]
