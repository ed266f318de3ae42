"""How a script ends when it cannot go on."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable

from util.interrupt import hear_no_more_of_workers


class UsageError(Exception):
    """Wrong usage or input. The message is one line: what is wrong, where, and what to do."""


class WorkError(Exception):
    """The work failed part-way, in a foreseen manner; what was finished is on disk."""


class Interrupted(Exception):
    """Ctrl-C or SIGTERM came, and what there was has been saved. The message says how to go on."""

    def __init__(self, message: str, signal_number: int = signal.SIGINT) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number  # as shells count: 130, or 143 for SIGTERM


class Terminated(KeyboardInterrupt):
    """SIGTERM came: what answers Ctrl-C answers it, too."""


def signal_of(error: KeyboardInterrupt) -> int:
    """Return the number of the signal that interrupted."""
    return signal.SIGTERM if isinstance(error, Terminated) else signal.SIGINT


WORKER_KILLED = (
    "the system killed a process that reads images, most likely for want of memory; try a smaller"
    " --num_threads, or give more shared memory (docker run --shm-size=8g)"
)


def tells_of_killed_worker(error: RuntimeError) -> bool:
    """Return whether torch raised it because the system has killed a worker process."""
    told = r"DataLoader worker .* (is killed by signal|exited unexpectedly)"
    return re.match(told, str(error)) is not None


def run(main: Callable[[], int | None]) -> None:
    """Run a script's `main` and exit: 0 done, 1 failed part-way, 2 wrong input, 130 interrupted,
    143 told to end (SIGTERM).

    A foreseen failure is told in one line on standard error; any other keeps its traceback (1).
    """
    program = os.path.basename(sys.argv[0])
    signal.signal(signal.SIGTERM, _terminate)
    try:
        try:
            code = main() or 0
        finally:  # torch's handler would tell of a killed worker once more, as we leave
            hear_no_more_of_workers()
        sys.exit(code)
    except (UsageError, WorkError) as error:
        print(f"{program}: error: {one_line(error)}", file=sys.stderr)
        sys.exit(2 if isinstance(error, UsageError) else 1)
    except Interrupted as error:
        print(f"{program}: stopped: {one_line(error)}", file=sys.stderr)
        sys.exit(error.exit_code)
    except RuntimeError as error:  # torch raises this one wherever the main process happens to be
        if not tells_of_killed_worker(error):
            raise
        print(f"{program}: error: {WORKER_KILLED}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt as error:
        number = signal_of(error)
        by = "Ctrl-C" if number == signal.SIGINT else "SIGTERM"
        print(f"{program}: stopped by {by}", file=sys.stderr)
        sys.exit(128 + number)
    except BrokenPipeError:  # the reader of our output went away, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _terminate(signum: int, frame: object) -> None:
    raise Terminated


def one_line(text: object) -> str:
    """Return `text` with line breaks of every kind folded, and undecodable bytes of file names
    escaped.
    """
    folded = " ".join(str(text).splitlines())
    return folded.encode("utf-8", "backslashreplace").decode()
