"""Files: written so that a reader sees the old content or the new, never a half; hashed."""

from __future__ import annotations

import contextlib
import csv
import ctypes
import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any

from util.errors import UsageError, WorkError


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


@contextlib.contextmanager
def atomic_folder(path: str, is_ours: Callable[[str], bool]) -> Iterator[str]:
    """Yield a new folder that takes the place of `path`, in one step, when all of it is written.

    On any error it is removed, and `path` stays as it was; where the disk refuses, this is a
    WorkError. Files of the old folder that are not ours (`is_ours`, of a path relative to it) move
    into the new one; the others are removed with it.
    """
    parent, name = os.path.split(os.path.abspath(path))
    os.makedirs(parent, exist_ok=True)
    temporary = os.path.join(parent, f".{name}.{os.getpid()}.tmp")
    try:
        os.mkdir(temporary)
        yield temporary
        if not os.path.exists(path):
            os.rename(temporary, path)
            return
        _exchange(temporary, os.path.abspath(path))
        for folder, _, files in os.walk(temporary):
            for file in files:
                old = os.path.join(folder, file)
                relative = os.path.relpath(old, temporary)
                if not is_ours(relative):
                    os.renames(old, os.path.join(path, relative))
    except OSError as error:
        raise WorkError(f"{path}: could not be written ({error.strerror or error})") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _exchange(first: str, second: str) -> None:
    """Let two folders swap their names: in one step where the system can (Linux), else in three."""
    libc = ctypes.CDLL(None)
    if sys.platform == "linux" and hasattr(libc, "renameat2"):
        here, exchange = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of renameat2(2)
        if not libc.renameat2(here, os.fsencode(first), here, os.fsencode(second), exchange):
            return
    aside = f"{second}.old"
    os.rename(second, aside)
    os.rename(first, second)
    os.rename(aside, first)


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
    as Excel sets it, is no part of it. Raises UsageError where it is UTF-16.
    """
    with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        if file.read(2) in ("\udcff\udcfe", "\udcfe\udcff"):
            raise UsageError(f"{path}: is UTF-16; save it as CSV UTF-8")
        file.seek(0)
        yield file
