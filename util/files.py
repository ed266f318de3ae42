"""Write files and folders so that a reader sees the old or the new, never half; hash files."""

from __future__ import annotations

import contextlib
import csv
import ctypes
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any

from util.errors import UsageError, WorkError


@contextlib.contextmanager
def atomic_write(path: str, mode: str = "w") -> Iterator[IO[Any]]:
    """Open a temporary file beside `path`; on success flush it to disk and rename it to `path`.

    On any error the temporary file is removed and `path` keeps its old content. Raises WorkError
    for an OSError, such as a full disk. Text is UTF-8 with "\\n" line ends; undecodable bytes of
    file names pass through unchanged.
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


def write_json(path: str, values: Any) -> None:  # noqa: ANN401
    """Write plain values as JSON, as `atomic_write` does; NaN and infinity are errors."""
    text = json.dumps(values, indent=1, allow_nan=False)
    with atomic_write(path) as file:
        file.write(text + "\n")


@contextlib.contextmanager
def atomic_folder(path: str, is_ours: Callable[[str], bool]) -> Iterator[str]:
    """Yield a new folder that replaces `path`, in one step, once all of it is written.

    Of the old folder, files for which `is_ours` (given their relative path) is false move into the
    new one; the others are removed. On any error the new folder is removed and `path` stays as it
    was. Raises WorkError for an OSError, such as a full disk.
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
    """Swap the names of two folders: in one step on Linux, else in three renames."""
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
    """Return a csv.writer whose lines end in "\\n" and whose cells may hold any line break.

    The csv module quotes only the line breaks of its own line terminator: hence "\\r\\n" inside.
    """
    return csv.writer(_PlainLineEnds(file), lineterminator="\r\n")


def sha256(path: str) -> str:
    """Return the SHA-256 of a file's content, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def wrong_separator(header: Sequence[str]) -> str:
    """Return what is wrong with the separators of a CSV file, and what to do; "" if nothing is.

    Programs such as Excel write semicolons or tabs: the whole header is then one cell.
    """
    text = header[0] if len(header) == 1 else ""
    for separator, name in ((";", "semicolons"), ("\t", "tabs")):
        if separator in text:
            return f"its columns are separated by {name}; save it with commas (Excel: CSV UTF-8)"
    return ""


@contextlib.contextmanager
def open_csv(path: str) -> Iterator[IO[str]]:
    """Open a CSV or JSON lines file for reading, encoded as `atomic_write` writes text.

    A byte order mark, as Excel writes it, is skipped. Raises UsageError for UTF-16.
    """
    with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        if file.read(2) in ("\udcff\udcfe", "\udcfe\udcff"):
            raise UsageError(f"{path}: is UTF-16; save it as CSV UTF-8")
        file.seek(0)
        yield file
