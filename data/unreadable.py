"""The policy for unreadable images, of every command that goes on without them."""

from __future__ import annotations

from collections.abc import Sequence

from util.console import warn

MAX_LISTED = 20  # on the console


def report_unreadable(messages: Sequence[str], skip: bool, listed_in: str = "") -> int:
    """Warn of the images that were left out, each with its reason; return the exit code.

    It is 1 or, with `skip` (--skip_unreadable), where they are only counted, 0. None is ever filled
    in, cropped, or left out silently. (Training puts another image of the label in the place:
    training/epoch.py.)
    """
    if not messages:
        return 0
    count = "1 image" if len(messages) == 1 else f"{len(messages)} images"
    if skip:
        warn(f"{count} could not be read and left out")
        return 0
    for message in messages[:MAX_LISTED]:
        warn(message)
    more = len(messages) - MAX_LISTED
    rest = f" ({more} more{f', in {listed_in}' if listed_in else ''})" if more > 0 else ""
    warn(f"{count} could not be read{rest}; with --skip_unreadable they are counted, and exit is 0")
    return 1
