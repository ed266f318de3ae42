"""Handle signals where it suits the program, not where they happen to arrive.

Ctrl-C and SIGTERM (by which a cluster ends a job) become a flag that a loop polls; the death of a
worker process (SIGCHLD) waits while a file is written.
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
    """Yield a function that returns the number of the signal received so far, or 0.

    The first Ctrl-C or SIGTERM is only recorded; a Ctrl-C after it interrupts at once.
    """
    received = 0

    def remember(signum: int, frame: FrameType | None) -> None:
        nonlocal received
        received = signum
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = {stop: signal.signal(stop, remember) for stop in STOPS}
    try:
        yield lambda: received
    finally:
        for stop, handler in before.items():
            signal.signal(stop, handler)


def ignore_worker_deaths() -> None:
    """Ignore the end of further worker processes.

    torch's handler raises at the end of each worker; once one is known to be killed, the others'
    errors would only disturb the clean-up.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)


@contextlib.contextmanager
def defer_worker_deaths() -> Iterator[None]:
    """Defer the error that torch raises for a killed worker process to the end of the block.

    torch raises it from a signal handler, wherever this process happens to be; while a checkpoint
    is written, it would be taken for a failing disk.
    """
    received: list[tuple[int, FrameType | None]] = []
    handler = signal.getsignal(signal.SIGCHLD)
    if not callable(handler) or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGCHLD, lambda signum, frame: received.append((signum, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGCHLD, handler)
    if received:
        handler(*received[0])
