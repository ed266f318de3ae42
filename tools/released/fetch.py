"""Bytes from a web server onto the disk: continued where they broke off, hashed, with progress."""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import IO

from util.errors import UsageError, WorkError
from util.progress import BYTE, Progress, amount

ATTEMPTS = 5  # in a row that bring nothing
PAUSE = 2.0  # seconds before the second attempt, twice as long before each further one
TIMEOUT = 60.0  # seconds without a byte
BLOCK = 1 << 20  # bytes


def fetch(url: str, path: str, by_hand: str) -> str:
    """Download `url` to `path`.part, from where an earlier call left it; returns that name.

    The caller checks the file and gives it its name. Breaks are mended by asking for the rest.
    Raises WorkError, which ends in `by_hand`, where the server refuses, answers with a web page,
    or nothing comes in several attempts.
    """
    part = f"{path}.part"
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    failures, pause, connected = 0, PAUSE, False
    while True:
        before = _size(part)
        try:
            _fetch_rest(url, part, name=os.path.basename(path), by_hand=by_hand)
            return part
        except urllib.error.HTTPError as error:
            if error.code == 416 and _size(part):
                if _is_whole(error, part):
                    return part
                os.remove(part)  # of another file than the server's: from the start, then
            elif error.code not in (408, 429) and error.code < 500:
                raise WorkError(f"{url}: {error.code} {error.reason}; {by_hand}") from error
            reason: Exception = error
            connected = True
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, urllib.error.URLError) and not connected:
                failures = ATTEMPTS  # there is no way to the server: tell it at once
            reason = error
        if _size(part) > before:
            connected = True
            failures, pause = 0, PAUSE
        failures += 1
        if failures >= ATTEMPTS:
            found = getattr(reason, "reason", None) or reason
            raise WorkError(f"{url}: no answer or no progress ({found}); {by_hand}") from reason
        time.sleep(pause)
        pause *= 2


def fetch_checked(url: str, path: str, *, check: Callable[[str], None], by_hand: str) -> bool:
    """Download `url` to `path` unless it is there, as `fetch` does; return whether it was.

    `check` takes a path and raises UsageError for a wrong file. One that was there stays; one that
    was fetched is set aside, which is a WorkError that ends in `by_hand`.
    """
    if os.path.exists(path):
        check(path)
        return True
    part = fetch(url, path, by_hand)
    try:
        check(part)
    except UsageError as error:
        aside = set_aside(part, path)
        raise WorkError(f"{error}; it is now {aside}; {by_hand}") from error
    os.replace(part, path)
    return False


def _fetch_rest(url: str, part: str, *, name: str, by_hand: str) -> None:
    start = _size(part)
    headers = {"User-Agent": "cnn-detection", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
        page = f"{url}: the server sent a web page instead of the file; {by_hand}"
        if response.headers.get_content_type() == "text/html":
            raise WorkError(page)
        if not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            start = 0  # the server cannot continue: all of it once more
        length = response.headers.get("Content-Length")
        end = start + int(length) if length else None
        with (
            _open(part, "ab" if start else "wb") as file,
            Progress(end, name, unit=BYTE, initial=start, leave=True) as bar,
        ):
            while block := response.read(BLOCK):
                if file.tell() == 0 and block.lstrip()[:1] == b"<":
                    raise WorkError(page)
                try:
                    file.write(block)
                    file.flush()
                except OSError as error:  # a full disk: trying again would not help
                    raise WorkError(f"{part}: could not be written ({error.strerror})") from error
                bar.update(len(block))
            if end is not None and file.tell() < end:
                raise ConnectionError(f"broke off after {file.tell():,} of {end:,} bytes")


def _open(path: str, mode: str) -> IO[bytes]:
    try:
        return open(path, mode)
    except OSError as error:
        raise WorkError(f"{path}: could not be written ({error.strerror})") from error


def _is_whole(error: urllib.error.HTTPError, part: str) -> bool:
    """Whether the server refused to continue because nothing is left."""
    found = re.fullmatch(r"bytes \*/(\d+)", error.headers.get("Content-Range", ""))
    return found is not None and int(found[1]) == _size(part)


def _size(path: str) -> int:
    return os.path.getsize(path) if os.path.exists(path) else 0


def set_aside(path: str, name: str) -> str:
    """Rename a damaged file to `name`.damaged, which nothing reads; returns the new name."""
    os.replace(path, f"{name}.damaged")
    return f"{name}.damaged"


def sha256_shown(path: str) -> str:
    """Return the hash of a large file as hexadecimal digits, with a progress bar."""
    digest = hashlib.sha256()
    name = f"{os.path.basename(path)}: SHA-256"
    with (
        open(path, "rb") as file,
        Progress(_size(path), name, unit=BYTE, leave=True) as bar,
    ):
        while block := file.read(BLOCK):
            digest.update(block)
            bar.update(len(block))
    return digest.hexdigest()


def require_space(folder: str, needed: float, what: str) -> None:
    """Raise UsageError where the disk of `folder`, which may not exist yet, has no `needed` bytes
    free.
    """
    free = free_space(folder)
    if free < needed:
        raise UsageError(
            f"{folder}: {what} needs {amount(needed)}, and {amount(free)} are free;"
            " make room, or name a folder on another disk"
        )


def free_space(folder: str) -> int:
    """Return the free bytes on the disk of `folder`, which may not exist yet."""
    existing = os.path.abspath(folder)
    while not os.path.isdir(existing):
        existing = os.path.dirname(existing)
    return shutil.disk_usage(existing).free
