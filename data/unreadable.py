"""What becomes of images that cannot be read: the policy of every command that goes on without."""

from __future__ import annotations

from collections.abc import Sequence

from util.console import warn

MAX_LISTED = 20  # on the console


def tell_unreadable(messages: Sequence[str], skip: bool, all_listed_in: str = "") -> int:
    """Name the images that were left out, each with its reason; return the exit code: 1 or, where
    they are to be skipped (--skip_unreadable) and no more than counted, 0.

    None is ever filled in, cut, or left out without a word. (Training, which cannot go on without,
    puts another image of the label in the place: training/epoch.py.)
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
    rest = f" ({more} more{f', in {all_listed_in}' if all_listed_in else ''})" if more > 0 else ""
    warn(f"{count} could not be read{rest}; with --skip_unreadable they are counted, and exit is 0")
    return 1
