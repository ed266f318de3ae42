"""Run a function in a forked process, whose memory is then its own to measure."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import TypeVar

Answer = TypeVar("Answer")


def in_a_child(work: Callable[[], Answer]) -> Answer:
    """Return what `work` returns, which can be pickled, in a forked process, as PyTorch's workers
    on Linux are. Raises EOFError where that process dies.
    """
    receive, send = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(target=_answer, args=(work, send))
    child.start()
    send.close()  # else the end of the child would not be noticed
    try:
        answer: Answer = receive.recv()
    finally:
        child.join()
    return answer


def _answer(work: Callable[[], object], send: Connection) -> None:
    send.send(work())
