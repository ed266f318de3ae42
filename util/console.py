"""Messages to the user, printed once however many processes there are."""

from __future__ import annotations

import os
import shlex
import sys

from tqdm import tqdm

from util.errors import one_line


def _is_main() -> bool:
    return os.environ.get("RANK", "0") == "0"  # of torchrun; importing torch takes seconds


def say(text: str) -> None:
    """Print `text` on standard output, in the main process alone."""
    if _is_main():
        print(text, flush=True)


def note(text: str) -> None:
    """Print a line of progress on standard error, in the main process alone."""
    if _is_main():
        tqdm.write(one_line(text), file=sys.stderr)


def warn(text: str, everywhere: bool = False) -> None:
    """Print a warning line on standard error, in the main process or (`everywhere`) in any."""
    if everywhere or _is_main():
        program = os.path.basename(sys.argv[0])
        tqdm.write(f"{program}: warning: {one_line(text)}", file=sys.stderr)


def print_next_command(script: str, *argv: str) -> None:
    """Print the command to run next, as a shell takes it in the current folder."""
    python, here = sys.executable, os.getcwd() + os.sep
    python = python.removeprefix(here) if python.startswith(here) else os.path.basename(python)
    say(f"next: {one_line(shlex.join([python, script, *argv]))}")
