"""Ctrl-C, and the SIGTERM with which a cluster announces the end, as a question that a loop answers
when it is ready to.
"""

from __future__ import annotations

import contextlib
import signal
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
