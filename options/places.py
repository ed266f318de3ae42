"""Checks of where a command is to write, so that it is found before the work and not after it."""

from __future__ import annotations

import os
import tempfile


def writable_folder(path: str) -> str | None:
    """Accept a folder that can be written into or, where it is not there, made; leave nothing."""
    there = path or "."
    try:
        while not _is_there(there):
            there = os.path.dirname(there) or "."
        with tempfile.TemporaryDirectory(prefix=".writable-", dir=there):
            return None
    except OSError as error:
        return f"must be a folder that can be written into ({there}: {error.strerror})"


def writable_file(path: str) -> str | None:
    """Accept a file that can be written, with its folder."""
    if os.path.isdir(path):
        return "must name a file to write (this is a folder)"
    if wrong := writable_folder(os.path.dirname(path)):
        return wrong.replace("must be a folder", "must name a file in a folder")
    return None


def _is_there(path: str) -> bool:
    try:
        os.lstat(path)  # a link that leads nowhere is there, and in the way
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True
