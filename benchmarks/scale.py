"""Find where reading images limits training: `python -m benchmarks.scale`.

The loaders are train.py's. A step of a process takes its batch / rate seconds, through which the
process sleeps, as it would wait for a GPU; all processes then wait for the last, as they do when
gradients are averaged.
"""

from __future__ import annotations

import itertools
import math
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.synchronize import Barrier
from typing import NamedTuple

import cv2
import numpy as np
import torch

from benchmarks.loading import train_images
from benchmarks.material import crops, write_images
from data.order import EpochBatches
from data.train_batches import train_reader
from options.parse import parse
from options.scale_options import ScaleOptions
from tools.full_scale.rates import cores
from util.errors import run
from util.machine import processor
from util.markdown import table

FILES, QUICK_FILES = 240, 8
SHARES = (0.5, 0.8, 1.25, 2.0)  # of what is read where steps take no time
MAX_WAITED = 0.1  # of the time: above, reading is the limit


class Steps(NamedTuple):
    """What each process of a simulated training does."""

    processes: int
    rate: float  # images a second that a process's steps take
    batch_size: int  # of each process
    num_threads: int  # workers of each process
    timed: int  # steps, after some that are not

    def asked(self) -> float:
        """Return how many images a second all processes would take together."""
        return self.processes * self.rate


class Measured(NamedTuple):
    """What came of one simulation."""

    steps: Steps
    reached: float  # images a second, of all processes together

    def waited(self) -> float:
        """Return the share of the time, 0 to 1, in which no step was taken."""
        return max(0.0, 1 - self.reached / self.steps.asked())


def simulate(folder: str, steps: Steps) -> Measured:
    """Train on the images in `folder`, but for the arithmetic."""
    context = multiprocessing.get_context()
    barrier = context.Barrier(steps.processes)
    with ProcessPoolExecutor(
        steps.processes, mp_context=context, initializer=_meet_at, initargs=(barrier,)
    ) as pool:
        ranks = [pool.submit(_train, folder, steps, rank) for rank in range(steps.processes)]
        seconds = max(rank.result() for rank in ranks)
    return Measured(steps, steps.timed * steps.batch_size * steps.processes / seconds)


_barrier: Barrier  # of this process's simulation: it cannot be sent to a process that runs


def _meet_at(barrier: Barrier) -> None:
    global _barrier  # noqa: PLW0603
    _barrier = barrier


def _train(folder: str, steps: Steps, rank: int) -> float:
    """Take the steps of one process; return the seconds from the first timed one to the last."""
    try:
        torch.set_num_threads(1)
        dataset = train_images(folder)
        untimed = 2 * steps.num_threads + 2  # until what was read beforehand is used up
        size, last = steps.batch_size * steps.processes, untimed + steps.timed
        every = np.random.default_rng(0).permutation(len(dataset.samples.labels))
        order = np.resize(every, last * size)
        plan = EpochBatches(order, 0, size, 0, last, rank, steps.processes)
        begun = 0.0
        for number, _ in enumerate(train_reader(dataset, steps.num_threads, False)(plan), 1):
            time.sleep(steps.batch_size / steps.rate)
            _barrier.wait()
            if number == untimed:
                begun = time.perf_counter()
        return time.perf_counter() - begun
    except BaseException:
        _barrier.abort()  # else the others wait for ever
        raise


def read_alone(folder: str, seconds: float) -> float:
    """Return how many images a second one core reads."""
    cv2.setNumThreads(0)  # as in the workers
    torch.set_num_threads(1)
    dataset = train_images(folder)
    count, begun = len(dataset.samples.labels), time.perf_counter()
    for number in itertools.count():
        dataset[number // count, number % count]
        if (spent := time.perf_counter() - begun) > seconds:
            return (number + 1) / spent
    raise AssertionError


def crossing(found: Sequence[Measured]) -> str:
    """Say, of simulations of as many processes, at which of the rates reading is the limit."""
    slow = [its.steps.rate for its in found if its.waited() > MAX_WAITED]
    fast = [its.steps.rate for its in found if its.waited() <= MAX_WAITED]
    number = found[0].steps.processes
    who = f"{number} process{'es' if number > 1 else ''}"
    if not slow:
        return f"{who}: the steps are the limit up to {max(fast):,.0f} images/s each"
    before = f"not yet at {max(fast):,.0f}" if fast else "nothing slower was tried"
    return f"{who}: reading is the limit from {min(slow):,.0f} images/s each on ({before})"


def measure(folder: str, options: ScaleOptions, processes: int) -> tuple[float, list[Measured]]:
    """Return how many images a second so many processes read where their steps take no time, and
    what they reach at each rate: medians over the rounds, in each of which all take turns.
    """
    size, rounds = options.batch_size * processes, 1 if options.quick else options.rounds
    guess = read_alone(folder, 0.1) * cores()

    def steps(rate: float) -> Steps:
        count = math.ceil(options.seconds * min(processes * rate, guess) / size)
        least = 2 if options.quick else max(count, 4)
        return Steps(processes, rate, options.batch_size, options.num_threads, least)

    most = simulate(folder, steps(math.inf)).reached
    rates = options.rates or tuple(share * most / processes for share in SHARES)
    every = [math.inf, *rates]
    turns = [[simulate(folder, steps(rate)).reached for rate in every] for _ in range(rounds)]
    most, *reached = (statistics.median(found) for found in zip(*turns, strict=True))
    return most, [Measured(steps(r), its) for r, its in zip(rates, reached, strict=True)]


def main() -> None:
    """Simulate every number of processes at every rate, and print what was reached."""
    options = parse(ScaleOptions)
    rows: list[list[str]] = []
    said: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        files = QUICK_FILES if options.quick else FILES
        write_images(folder, crops(files, 256, 256), f".{options.ending}")
        alone = read_alone(folder, 0.1 if options.quick else options.seconds)
        print(
            f"{processor()[0]}, {cores()} cores; one alone reads {alone:,.0f}"
            f" {options.ending.upper()} images/s, 256x256, with blur and JPEG at 0.5\n"
        )
        for processes in options.processes:
            most, found = measure(folder, options, processes)
            rows += [_row(its, most) for its in found]
            said.append(crossing(found))
    heads = ("processes", "images/s each", "asked", "read at most", "reached", "waited", "limit")
    print(table(heads, rows, 0) + "\n")
    print("\n".join(said))


def _row(its: Measured, most: float) -> list[str]:
    return [
        f"{its.steps.processes}",
        f"{its.steps.rate:,.0f}",
        f"{its.steps.asked():,.0f}",
        f"{most:,.0f}",
        f"{its.reached:,.0f}",
        f"{100 * its.waited():.0f} %",
        "reading" if its.waited() > MAX_WAITED else "the steps",
    ]


if __name__ == "__main__":
    run(main)
