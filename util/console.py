"""Messages to the user, printed once however many processes there are."""

from __future__ import annotations

import os
import shlex
import sys
from contextvars import ContextVar

from tqdm import tqdm

from util.errors import one_line

_QUIET = ContextVar("quiet", default=False)  # of the command that runs


def be_quiet(quiet: bool) -> None:
    """Let results, warnings and errors alone be printed from now on, or (False) all else, too."""
    _QUIET.set(quiet)


def is_quiet() -> bool:
    """Return whether what tells of progress is to be left out."""
    return _QUIET.get()


def on_main() -> bool:
    """Return whether this is the process that prints: of torchrun's, the first."""
    return os.environ.get("RANK", "0") == "0"  # importing torch takes seconds


def say(text: str) -> None:
    """Print `text` on standard output, in the main process alone."""
    if on_main():
        print(text, flush=True)


def note(text: str) -> None:
    """Print a line of progress on standard error, in the main process alone, unless it is quiet."""
    if on_main() and not is_quiet():
        tqdm.write(one_line(text), file=sys.stderr)


def warn(text: str, everywhere: bool = False) -> None:
    """Print a warning line on standard error, in the main process or (`everywhere`) in any."""
    if everywhere or on_main():
        program = os.path.basename(sys.argv[0])
        tqdm.write(f"{program}: warning: {one_line(text)}", file=sys.stderr)


def as_typed(script: str, *argv: str) -> str:
    """Return a command of this project (`-m` and a module, too) as a shell takes it in the current
    folder.
    """
    python, here = sys.executable, os.getcwd() + os.sep
    python = python.removeprefix(here) if python.startswith(here) else os.path.basename(python)
    return one_line(shlex.join([python, script, *argv]))


def print_next_command(script: str, *argv: str) -> None:
    """Print the command to run next."""
    say(f"next: {as_typed(script, *argv)}")
