"""How a script ends when it cannot go on."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable


class InputError(Exception):
    """Wrong usage or input. The message is one line: what is wrong, where, and what to do."""


class WorkError(Exception):
    """The work failed part-way, in a foreseen manner; what was finished is on disk."""


class Interrupted(Exception):
    """Ctrl-C came, and what there was has been saved. The message says how to go on."""


EXIT_CODES: dict[type[Exception], int] = {InputError: 2, WorkError: 1, Interrupted: 130}


def run(main: Callable[[], int | None]) -> None:
    """Run a script's `main` and exit: 0 done, 1 failed part-way, 2 wrong input, 130 interrupted.

    A foreseen failure is told in one line on standard error; any other keeps its traceback (1).
    """
    program = os.path.basename(sys.argv[0])
    try:
        sys.exit(main() or 0)
    except tuple(EXIT_CODES) as error:
        kind = "stopped" if isinstance(error, Interrupted) else "error"
        print(f"{program}: {kind}: {one_line(error)}", file=sys.stderr)
        sys.exit(EXIT_CODES[type(error)])
    except KeyboardInterrupt:
        print(f"{program}: stopped by Ctrl-C", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # the reader of our output went away, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def one_line(text: object) -> str:
    """`text` with line breaks folded and undecodable bytes of file names escaped."""
    folded = " ".join(str(text).split("\n"))
    return folded.encode("utf-8", "backslashreplace").decode()
