"""What a script says to the person who started it, once, however many processes there are."""

from __future__ import annotations

import os
import shlex
import sys

from tqdm import tqdm

from util.errors import one_line


def _is_main() -> bool:
    return os.environ.get("RANK", "0") == "0"  # torchrun's; without torch, which takes seconds


def say(text: str) -> None:
    """Print from the main process alone."""
    if _is_main():
        print(text, flush=True)


def note(text: str) -> None:
    """One line on standard error, from the main process: how far the work has come."""
    if _is_main():
        tqdm.write(one_line(text), file=sys.stderr)


def warn(text: str, everywhere: bool = False) -> None:
    """One line on standard error, from the main process or (`everywhere`) from this one anyhow."""
    if everywhere or _is_main():
        program = os.path.basename(sys.argv[0])
        tqdm.write(f"{program}: warning: {one_line(text)}", file=sys.stderr)


def say_next(script: str, *argv: str) -> None:
    """Print the command that comes next, to be copied into a shell where this one was started."""
    python, here = sys.executable, os.getcwd() + os.sep
    python = python.removeprefix(here) if python.startswith(here) else os.path.basename(python)
    say(f"next: {one_line(shlex.join([python, script, *argv]))}")
