"""Unpack zip and split 7z archives: nothing outside the folder, nothing overwritten, resumed."""

from __future__ import annotations

import contextlib
import io
import lzma
import os
import tempfile
import zipfile
import zlib
from collections.abc import Collection, Iterator, Sequence
from pathlib import PurePath
from typing import NamedTuple

import py7zr
from py7zr.exceptions import ArchiveError
from py7zr.io import Py7zIO, WriterFactory

from tools.released.fetch import BLOCK, require_space
from tools.released.members import Archive, Member, members_of, placed
from tools.released.volumes import Joined
from util.errors import UsageError, WorkError
from util.progress import BYTE, Progress, progress

CLUSTER = 4096  # bytes: what a small file takes on most file systems
DAMAGED = (ArchiveError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError)


class Unpacked(NamedTuple):
    """What an archive held."""

    files: int
    written: int  # the others were there already
    folders: tuple[str, ...]  # at the top, below the target


def unpack(volumes: Sequence[str], target: str, known: Collection[str]) -> Unpacked:
    """Unpack an archive (a .zip, or all volumes of a .7z in order) into the folder `target`.

    A top folder that all files share is left out, unless it is one of `known`. Files that are
    there with the archive's size and CRC stay, so that a second call goes on after an interrupt.
    Raises UsageError, before anything is written, for a member that is no plain file or leads
    outside of `target`, for a file that is there with other content, and for want of disk space;
    WorkError where the archive is damaged or the disk refuses.
    """
    try:
        # py7zr even where a 7z program is installed, which can neither go on within a file list
        # nor keep a file from its name until it is whole. Python's lzma decodes in C, too.
        with _open(volumes) as archive:
            members = placed(members_of(archive), known)
            missing = _missing(members, target)
            needed = sum((m.size // CLUSTER + 1) * CLUSTER for m in missing)
            require_space(target, needed, f"unpacking {os.path.basename(volumes[0])}")
            _write(archive, missing, target=target, total=sum(m.size for m in members))
    except DAMAGED as error:
        raise WorkError(f"{volumes[0]}: damaged, or cut short ({error})") from error
    except OSError as error:
        raise WorkError(
            f"unpacking {volumes[0]} stopped: {error}; what is finished stays, the same command"
            " goes on"
        ) from error
    folders = sorted({m.path.split("/")[0] for m in members if "/" in m.path})
    return Unpacked(len(members), len(missing), tuple(folders))


@contextlib.contextmanager
def _open(volumes: Sequence[str]) -> Iterator[Archive]:
    for path in volumes:
        if not os.path.isfile(path):
            raise UsageError(f"{path}: no such volume; fetch it first")
    if volumes[0].endswith(".zip"):
        with zipfile.ZipFile(volumes[0]) as archive:
            yield archive
    else:
        with (
            io.BufferedReader(Joined(volumes), BLOCK) as joined,
            py7zr.SevenZipFile(joined) as archive_7z,
        ):
            yield archive_7z


def _missing(members: list[Member], target: str) -> list[Member]:
    if not os.path.isdir(target):
        return members
    missing, different = [], []
    for member in progress(members, "files already there", unit="file", leave=True):
        path = os.path.join(target, member.path)
        if not os.path.lexists(path):
            missing.append(member)
        elif not _is_same(path, member):
            different.append(path)
    if different:
        more = f" (and {len(different) - 1} more)" if len(different) > 1 else ""
        raise UsageError(
            f"{different[0]}{more} is there with other content than in the archive; nothing is"
            " overwritten: move it away, then run again"
        )
    return missing


def _is_same(path: str, member: Member) -> bool:
    if not os.path.isfile(path) or os.path.getsize(path) != member.size:
        return False
    crc = 0
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            crc = zlib.crc32(block, crc)
    return member.crc in (None, crc)


def _write(archive: Archive, missing: list[Member], *, target: str, total: int) -> None:
    done = total - sum(m.size for m in missing)
    with Progress(total, target, unit=BYTE, initial=done, leave=True) as bar:
        if isinstance(archive, zipfile.ZipFile):
            for member in missing:
                with _File(member, target, bar) as file, archive.open(member.name) as source:
                    while block := source.read(BLOCK):
                        file.write(block)
        elif missing:
            # py7zr asks for each file by the path it would have in a folder: here an empty one
            with tempfile.TemporaryDirectory() as empty, _Writer(missing, target, bar) as writer:
                writer.folder = os.path.realpath(empty)
                archive.extract(writer.folder, [m.name for m in missing], factory=writer)


class _File(Py7zIO):
    """A file that gets its name when all its bytes have come and are the archive's."""

    def __init__(self, member: Member, target: str, bar: Progress) -> None:
        self.member, self.bar = member, bar
        self.path = os.path.join(target, member.path)
        self.left, self.crc = member.size, 0
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        self.file = open(f"{self.path}.part", "wb")  # noqa: SIM115
        self.write(b"")  # an empty file is complete

    def write(self, s: bytes | bytearray) -> int:
        self.file.write(s)
        self.crc = zlib.crc32(s, self.crc)
        self.left -= len(s)
        self.bar.update(len(s))
        if self.left == 0 and not self.file.closed:
            self.file.close()
            if self.member.crc not in (None, self.crc):
                raise zipfile.BadZipFile(f"bad CRC of {self.member.name!r}")
            os.replace(self.file.name, self.path)
        return len(s)

    def __enter__(self) -> _File:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        with contextlib.suppress(FileNotFoundError):  # it has its name
            os.remove(self.file.name)

    # The rest of what py7zr asks of a file

    def read(self, size: int | None = None) -> bytes:
        return b""

    def seek(self, offset: int, whence: int = 0) -> int:
        return 0

    def flush(self) -> None:
        pass

    def size(self) -> int:
        return self.member.size - self.left


class _Writer(WriterFactory):
    """Opens the file that py7zr is to write."""

    def __init__(self, members: list[Member], target: str, bar: Progress) -> None:
        self.members = {str(PurePath(m.name)): m for m in members}
        self.target, self.bar = target, bar
        self.folder = ""
        self.file: _File | None = None

    def create(self, filename: str) -> Py7zIO:
        member = self.members[os.path.relpath(filename, self.folder)]
        self.file = _File(member, self.target, self.bar)
        return self.file

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *_: object) -> None:
        if self.file:
            self.file.__exit__()
