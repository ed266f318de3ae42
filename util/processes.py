"""Apply a function to many tasks in several processes, keeping their order."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

import cv2

from util.errors import WorkError

Task = TypeVar("Task")
Result = TypeVar("Result")


def parallel_map(
    function: Callable[[Task], Result], tasks: Sequence[Task], *, processes: int, flag: str
) -> Iterator[Result]:
    """Yield the results in the order of the tasks; with 0 processes, compute them in this one.

    Raises WorkError that names the option `flag` where the system kills a process.
    """
    if not processes or not tasks:
        yield from map(function, tasks)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(processes, len(tasks)), context, _start_worker)
    try:
        yield from pool.map(function, tasks)
    except BrokenProcessPool as error:
        raise WorkError(
            "the system killed a process that reads images, most likely for want of memory; try a"
            f" smaller {flag}"
        ) from error
    except BaseException:  # Ctrl-C: images being processed may take seconds more
        for child in multiprocessing.active_children():
            child.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the main process answers and ends this one
    cv2.setNumThreads(1)  # the processes are the parallelism
