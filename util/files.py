"""Files: written so that a reader sees the old content or the new, never a half; hashed."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import os
from collections.abc import Iterator, Sequence
from typing import IO, Any

from util.errors import InputError, WorkError


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


def wrong_separator(header: Sequence[str]) -> str:
    """What is wrong with a CSV file whose header is one cell, as other programs write it, and what
    to do; "" where nothing is to be seen.
    """
    text = header[0] if len(header) == 1 else ""
    for separator, name in ((";", "semicolons"), ("\t", "tabs")):
        if separator in text:
            return f"its columns are separated by {name}; save it with commas (Excel: CSV UTF-8)"
    return ""


@contextlib.contextmanager
def open_csv(path: str) -> Iterator[IO[str]]:
    """Open a CSV file (or JSON lines) to be read, as `atomic_write` writes text; a byte order mark,
    as Excel sets it, is no part of it. Raises InputError where it is UTF-16.
    """
    with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        if file.read(2) in ("\udcff\udcfe", "\udcfe\udcff"):
            raise InputError(f"{path}: is UTF-16; save it as CSV UTF-8")
        file.seek(0)
        yield file
