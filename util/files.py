"""Files: written so that a reader sees the old content or the new, never a half; hashed."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import os
from collections.abc import Iterator
from typing import IO, Any

from util.errors import WorkError


@contextlib.contextmanager
def atomic_write(path: str, mode: str = "w") -> Iterator[IO[Any]]:
    """Open a temporary file beside `path`; on success flush it to disk and rename it to `path`.

    On any error the temporary file is removed and what `path` held stays as it was; where the disk
    refuses, this is a WorkError that says so. Text is UTF-8 with "\\n" line ends; undecodable
    bytes of file names pass through unchanged.
    """
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    temporary = f"{path}.{os.getpid()}.tmp"
    text = {} if "b" in mode else {"encoding": "utf-8", "errors": "surrogateescape", "newline": ""}
    try:
        with open(temporary, mode, **text) as file:  # type: ignore[call-overload]
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.remove(temporary)
        if isinstance(error, OSError):
            reason = error.strerror or error
            raise WorkError(
                f"{path}: could not be written ({reason}); what it held before is unchanged"
            ) from error
        raise


class _PlainLineEnds:
    def __init__(self, file: IO[str]) -> None:
        self.file = file

    def write(self, row: str) -> int:
        return self.file.write(row.removesuffix("\r\n") + "\n")


def csv_writer(file: IO[str]) -> Any:  # noqa: ANN401 (the csv module does not name its type)
    """A csv.writer whose lines end in "\n". Of line ends the module quotes only those of its own
    line terminator, and a file's name may hold either.
    """
    return csv.writer(_PlainLineEnds(file), lineterminator="\r\n")


def sha256(path: str) -> str:
    """The hash of a file's content, as hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
