"""Foreseen errors, and the exit codes and one-line messages that scripts make of them."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable

from util.interrupt import ignore_worker_deaths


class UsageError(Exception):
    """Wrong usage or input; the message says in one line what is wrong, where, and what to do."""


class WorkError(Exception):
    """A foreseen failure part-way through the work; what was finished is on disk."""


class Interrupted(Exception):
    """A stop by Ctrl-C or SIGTERM after the work was saved; the message says how to go on."""

    def __init__(self, message: str, signal_number: int = signal.SIGINT) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number  # the shells' convention: 130, or 143 for SIGTERM


class Terminated(KeyboardInterrupt):
    """SIGTERM, as an exception that every handler of Ctrl-C catches, too."""


def signal_of(error: KeyboardInterrupt) -> int:
    """Return the number of the signal that raised `error`."""
    return signal.SIGTERM if isinstance(error, Terminated) else signal.SIGINT


WORKER_KILLED = (
    "the system killed a process that reads images, most likely for want of memory; try a smaller"
    " --num_threads, or give more shared memory (docker run --shm-size=8g)"
)


def is_killed_worker(error: RuntimeError) -> bool:
    """Return whether torch raised `error` because the system killed a worker process."""
    message = r"DataLoader worker .* (is killed by signal|exited unexpectedly)"
    return re.match(message, str(error)) is not None


def run(main: Callable[[], int | None]) -> None:
    """Run a script's `main` and exit with its code, or with that of the error it raised.

    Exit codes: 0 done, 1 failed part-way, 2 wrong usage or input, 130 interrupted by Ctrl-C, 143
    by SIGTERM. A foreseen error is printed as one line on standard error; any other keeps its
    traceback (and exits with 1).
    """
    program = os.path.basename(sys.argv[0])
    signal.signal(signal.SIGTERM, _terminate)
    try:
        try:
            code = main() or 0
        finally:  # else torch's handler may report a killed worker again on the way out
            ignore_worker_deaths()
        sys.exit(code)
    except (UsageError, WorkError) as error:
        print(f"{program}: error: {one_line(error)}", file=sys.stderr)
        sys.exit(2 if isinstance(error, UsageError) else 1)
    except Interrupted as error:
        print(f"{program}: stopped: {one_line(error)}", file=sys.stderr)
        sys.exit(error.exit_code)
    except RuntimeError as error:  # torch raises it from a signal handler, anywhere
        if not is_killed_worker(error):
            raise
        print(f"{program}: error: {WORKER_KILLED}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt as error:
        number = signal_of(error)
        by = "Ctrl-C" if number == signal.SIGINT else "SIGTERM"
        print(f"{program}: stopped by {by}", file=sys.stderr)
        sys.exit(128 + number)
    except BrokenPipeError:  # the reader of our output is gone, as with `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _terminate(signum: int, frame: object) -> None:
    raise Terminated


def one_line(text: object) -> str:
    """Return `text` as one line: line breaks become spaces, undecodable bytes are escaped."""
    folded = " ".join(str(text).splitlines())
    return folded.encode("utf-8", "backslashreplace").decode()
