"""Signals that wait until there is time for them: Ctrl-C, and the SIGTERM of a cluster that is to
end the job, as a question that a loop answers; the end of a worker, while something is written.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

STOPS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def stop_signals() -> Iterator[Callable[[], int]]:
    """Yield a function that tells the number of the signal that came, or 0. A second Ctrl-C
    interrupts at once.
    """
    came = 0

    def remember(signum: int, frame: FrameType | None) -> None:
        nonlocal came
        came = signum
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = {stop: signal.signal(stop, remember) for stop in STOPS}
    try:
        yield lambda: came
    finally:
        for stop, handler in before.items():
            signal.signal(stop, handler)


def hear_no_more_of_workers() -> None:
    """Let the end of further worker processes raise nothing: one that was killed has been told of,
    and torch's handler would raise anew at the end of each other one, in whatever cleans up.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)


@contextlib.contextmanager
def worker_ends_later() -> Iterator[None]:
    """Let the news that a worker process has died wait for the end of the block.

    By torch's handler a killed worker raises an error wherever this process happens to be; amid a
    checkpoint it would be taken for a failing disk.
    """
    came: list[tuple[int, FrameType | None]] = []
    handler = signal.getsignal(signal.SIGCHLD)
    if not callable(handler) or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGCHLD, lambda signum, frame: came.append((signum, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGCHLD, handler)
    if came:
        handler(*came[0])
