"""What tells that a file's bytes are those of an earlier time: their hash, or the file's state."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from data.images import UnreadableImage


class FileState(NamedTuple):
    """What the file system says of a file. All equal: the bytes are the same. The time of the last
    change of state is what a restored modification time cannot fake.
    """

    inode: int
    size: int  # bytes
    modified: int  # nanoseconds since 1970
    changed: int  # nanoseconds since 1970


def file_state(path: str) -> FileState:
    """Return the state of a file; raise UnreadableImage where it is missing."""
    try:
        state = os.stat(path)
    except OSError as error:
        raise UnreadableImage(
            path, f"cannot be read as an image ({error.strerror or error})"
        ) from error
    return FileState(state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)


def content_hash(content: bytes) -> str:
    """Return the hash of a file's bytes, 32 hexadecimal digits."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


MAX_RECORDED = 1 << 17  # images in a record, 8 bytes each


class ContentRecord:
    """Which images a network was trained on, by the hashes of their bytes; 1 MB at most.

    Of more images a sample is recorded: those whose hash is a multiple of `rate`, a power of two,
    which is the same choice for whoever looks an image up.
    """

    def __init__(self, state: dict[str, Any] | None = None) -> None:
        self.rate: int = state["rate"] if state else 1
        self.keys: set[int] = set(state["keys"].tolist()) if state else set()

    def add(self, contents: Iterable[str]) -> None:
        """Record images by their `content_hash`."""
        self.keys.update(key for key in map(_key, contents) if key % self.rate == 0)
        while len(self.keys) > MAX_RECORDED:
            self.rate *= 2
            self.keys = {key for key in self.keys if key % self.rate == 0}

    def merge(self, other: ContentRecord) -> None:
        """Record what `other` has recorded, too."""
        if other is self:
            return
        self.rate = max(self.rate, other.rate)
        self.keys = {key for key in self.keys | other.keys if key % self.rate == 0}
        self.add(())

    def look_up(self, contents: Sequence[str]) -> tuple[int, int]:
        """Return how many of the images are recorded, and of how many the record can tell."""
        keys = [key for key in map(_key, contents) if key % self.rate == 0]
        return sum(key in self.keys for key in keys), len(keys)

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint holds of it: plain values and a sorted int64 tensor."""
        return {"rate": self.rate, "keys": torch.from_numpy(np.array(sorted(self.keys), np.int64))}


def _key(content: str) -> int:
    return int(content[:16], 16) >> 1  # 63 bits: torch has no larger integers
