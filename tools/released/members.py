"""The files of an archive: which are safe to unpack, and where they go."""

from __future__ import annotations

import os
import re
import stat
import zipfile
from collections import Counter
from collections.abc import Collection
from pathlib import PurePosixPath
from typing import NamedTuple

import py7zr

from data.samples import LABELS
from util.errors import UsageError

Archive = zipfile.ZipFile | py7zr.SevenZipFile
JUNK = {"__MACOSX", ".DS_Store"}  # of macOS; beside the images they would hide a common top folder


class Member(NamedTuple):
    """A file of an archive."""

    name: str  # as the archive has it
    path: str  # where it goes, below the target
    size: int  # bytes, unpacked
    crc: int | None  # CRC-32; None where the archive does not say


def members_of(archive: Archive) -> list[Member]:
    """Return the files of an archive, each with its name as path; folders are left out.

    Raises UsageError for anything that is no plain file, or that leads outside of a folder.
    """
    return _list_zip(archive) if isinstance(archive, zipfile.ZipFile) else _list_7z(archive)


def _list_zip(archive: zipfile.ZipFile) -> list[Member]:
    members = []
    for info in archive.infolist():
        kind = stat.S_IFMT(info.external_attr >> 16)  # 0 where the zip was made on Windows
        _refuse(info.orig_filename, kind in (0, stat.S_IFREG, stat.S_IFDIR))
        if info.flag_bits & 1:
            raise UsageError(f"refused: {info.filename!r} in the archive is encrypted")
        if not info.is_dir():
            members.append(Member(info.filename, info.filename, info.file_size, info.CRC))
    return members


def _list_7z(archive: py7zr.SevenZipFile) -> list[Member]:
    members = []
    for file in archive.files:
        kind = file.st_fmt or 0  # None where the archive was made on Windows
        special = file.is_symlink or file.is_junction or file.is_socket
        _refuse(file.filename, kind in (0, stat.S_IFREG, stat.S_IFDIR) and not special)
        if not file.is_directory:
            members.append(Member(file.filename, file.filename, file.uncompressed, file.crc32))
    return members


def _refuse(name: str, is_plain: bool) -> None:
    parts = name.split("/")
    if not is_plain:
        raise UsageError(f"refused: {name!r} in the archive is a link or a device, no file")
    outside = parts[0] == "" or ".." in parts or re.match("[A-Za-z]:", name)
    # a backslash separates folders on Windows, where a colon opens a drive or a hidden stream
    if outside or "\\" in name or "\0" in name or (os.name == "nt" and ":" in name):
        raise UsageError(f"refused: {name!r} in the archive leads outside of the folder")


def placed(members: list[Member], known: Collection[str]) -> list[Member]:
    """Give each member its path: without the top folders that all share, and without JUNK.

    A folder of `known` or a label folder is no mere top folder, but for one that holds nothing
    except known folders: "train" is the name of a class, and may be that of the whole.
    """
    paths = [(m, PurePosixPath(m.name).parts) for m in members]
    paths = [(m, path) for m, path in paths if not JUNK & set(path)]
    while True:
        tops = {path[0] for _, path in paths if len(path) > 1}
        below = {path[1] for _, path in paths if len(path) > 1}
        if len(tops) != 1 or (tops & {*known, *LABELS} and not below <= set(known)):
            break
        paths = [(m, path[1:] if len(path) > 1 else path) for m, path in paths]
    result = [m._replace(path="/".join(path)) for m, path in paths]
    names = Counter(m.path for m in result)
    if twice := [name for name, count in names.items() if count > 1]:
        raise UsageError(f"refused: the archive holds {twice[0]!r} twice")
    return result
