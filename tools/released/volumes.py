"""The volumes of a split archive, read as the one file they are."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from typing import Any


class Joined(io.RawIOBase):
    """Several files, one after the other."""

    def __init__(self, paths: Sequence[str]) -> None:
        self.files = [open(path, "rb") for path in paths]  # noqa: SIM115
        self.sizes = [os.path.getsize(path) for path in paths]
        self.at = 0

    def readable(self) -> bool:
        """As of io.RawIOBase."""
        return True

    def seekable(self) -> bool:
        """As of io.RawIOBase."""
        return True

    def tell(self) -> int:
        """As of io.RawIOBase."""
        return self.at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As of io.RawIOBase."""
        self.at = offset + (0, self.at, sum(self.sizes))[whence]
        return self.at

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401
        """Read up to the end of a volume at most; 0 at the end of the last."""
        start = 0
        for file, size in zip(self.files, self.sizes, strict=True):
            if start <= self.at < start + size:
                file.seek(self.at - start)
                read = file.readinto(buffer)
                self.at += read
                return read
            start += size
        return 0

    def close(self) -> None:
        """Close all volumes."""
        for file in self.files:
            file.close()
        super().close()
