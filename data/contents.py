"""Recognize a file's bytes later on: by their hash, or by the file's state."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from data.images import UnreadableImage, find_packed


class FileState(NamedTuple):
    """A file's state in the file system; two equal states mean the same bytes.

    `changed` is compared because a modification time can be set back.
    """

    inode: int
    size: int  # bytes
    modified: int  # mtime, nanoseconds since 1970
    changed: int  # ctime, nanoseconds since 1970


def file_state(path: str) -> FileState:
    """Return the state of a file, or of its pack. Raises UnreadableImage where it is missing."""
    if its := find_packed(path):
        return FileState(*its.state())
    try:
        state = os.stat(path)
    except OSError as error:
        raise UnreadableImage(
            path, f"cannot be read as an image ({error.strerror or error})"
        ) from error
    return FileState(state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)


def content_hash(content: bytes) -> str:
    """Return the BLAKE2b hash of a file's bytes, as 32 hexadecimal digits."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


MAX_RECORDED = 1 << 17  # images in a record, 8 bytes each


class ContentRecord:
    """The images that a network was trained on, by the hashes of their bytes; 1 MB at most.

    Of more than MAX_RECORDED images a sample is recorded: those whose hash is a multiple of `rate`,
    a power of two. A look-up makes the same choice.
    """

    def __init__(self, state: dict[str, Any] | None = None) -> None:
        self.rate: int = state["rate"] if state else 1
        self.keys: set[int] = set(state["keys"].tolist()) if state else set()

    def add(self, contents: Iterable[str]) -> None:
        """Record images by their `content_hash`; halve the sample while it is too large."""
        self.keys.update(key for key in map(_key, contents) if key % self.rate == 0)
        while len(self.keys) > MAX_RECORDED:
            self.rate *= 2
            self.keys = {key for key in self.keys if key % self.rate == 0}

    def merge(self, other: ContentRecord) -> None:
        """Add what `other` has recorded."""
        if other is self:
            return
        self.rate = max(self.rate, other.rate)
        self.keys = {key for key in self.keys | other.keys if key % self.rate == 0}
        self.add(())

    def look_up(self, contents: Sequence[str]) -> tuple[int, int]:
        """Return how many of the images are recorded, and how many fall into the sample at all."""
        keys = [key for key in map(_key, contents) if key % self.rate == 0]
        return sum(key in self.keys for key in keys), len(keys)

    def state(self) -> dict[str, Any]:
        """Return the record for a checkpoint: plain values and a sorted int64 tensor."""
        return {"rate": self.rate, "keys": torch.from_numpy(np.array(sorted(self.keys), np.int64))}


def _key(content: str) -> int:
    return int(content[:16], 16) >> 1  # 63 bits: torch has no larger integers
