"""Plans -> what a dataset makes of them, in worker processes that live from plan to plan."""

from __future__ import annotations

import atexit
import gc
import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader, Sampler

from util.errors import WORKER_KILLED, WorkError, is_killed_worker
from util.interrupt import ignore_worker_deaths


def batch_reader(
    dataset: Any,  # noqa: ANN401
    collate: Callable[[Any], Any],
    *,
    num_workers: int,
    pin_memory: bool,
) -> Callable[[Iterable[list[Any]]], Iterator[Any]]:
    """Return a callable that iterates over the collated batches of a plan (lists of the dataset's
    keys).

    Workers start at the first call, read two batches ahead, serve one plan after another, and end
    with the returned callable. The iterator raises WorkError where a worker was killed as it handed
    over a batch.
    """
    plan = _Plan([])
    loader: DataLoader[Any] = DataLoader(
        dataset,
        batch_sampler=plan,
        num_workers=num_workers,
        persistent_workers=num_workers > 0,
        pin_memory=pin_memory,
        collate_fn=collate,
        worker_init_fn=_start_worker,
        generator=torch.Generator(),  # else torch's default one advances, and a resumed run differs
    )

    def read(batches: Iterable[list[Any]]) -> Iterator[Any]:
        plan.batches = batches
        try:
            yield from loader
        except RuntimeError as error:
            if is_killed_worker(error):
                ignore_worker_deaths()
            raise
        except (ConnectionError, EOFError) as error:  # a worker was killed while handing over
            if not num_workers or str(error).startswith("Caught"):  # raised by its own code
                raise
            raise WorkError(WORKER_KILLED) from error

    return read


class _Plan(Sampler[list[Any]]):
    """The batches that torch's loader, which lives on between plans, reads next."""

    def __init__(self, batches: Iterable[list[Any]]) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator[list[Any]]:
        return iter(self.batches)


def _start_worker(worker: int) -> None:
    for stop in (signal.SIGINT, signal.SIGTERM):  # sent to all processes: the main one answers
        signal.signal(stop, signal.SIG_IGN)
    cv2.setNumThreads(0)  # the workers are the parallelism; more threads would compete
    gc.freeze()  # a collection would write to, and so copy, all inherited memory


@atexit.register
def _end_workers() -> None:
    """Kill the workers that are left when the program ends.

    There are some after an error, as its traceback keeps the reader alive. multiprocessing would
    end them by SIGTERM, which they ignore, and wait for ever.
    """
    ignore_worker_deaths()
    for child in multiprocessing.active_children():
        if child.daemon:
            child.kill()
