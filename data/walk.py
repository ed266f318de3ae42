"""List the files below a folder: the one walk by which every command finds its images."""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Collection, Sequence
from typing import NamedTuple

from data.images import ENDINGS, INSTALL
from util.console import warn
from util.errors import UsageError

LABELS = {"0_real": 0, "1_fake": 1}
GENIMAGE_LABELS = {"nature": 0, "ai": 1}  # label folders only where both lie side by side
SIDE_FILES = (  # endings of files that often lie beside images: no warning
    *(".txt", ".md", ".rst", ".json", ".jsonl", ".csv", ".tsv", ".xml", ".yaml", ".yml"),
    *(".html", ".log", ".ini", ".db"),
)
# Reasons for leaving something out.
HIDDEN = "hidden folder"
ABOVE = "link to a folder above it"
TWICE = "the same folder as"
SPECIAL = "a pipe, socket or device"


class Directory(NamedTuple):
    """A directory and what lies in it; paths are relative to where the walk began."""

    path: str  # "" or ending in "/"
    label_folder: str  # the label folder that it is or lies in, as `path`; "" for none
    folders: list[str]  # names, hidden ones excluded
    images: list[str]
    others: list[str]  # files without an image's name


class LeftOut(NamedTuple):
    """Something that is neither listed nor walked into."""

    path: str  # a folder's ends in "/"
    reason: str
    twin: Directory | None = None  # for TWICE: the same directory as it is listed
    label_folder: str = ""  # the label folder that it would be or lie in


class Listing(NamedTuple):
    """Everything below a folder: what is listed, and what is left out."""

    directories: list[Directory]
    left_out: list[LeftOut]


def is_image_name(name: str) -> bool:
    """Return whether the ending, in any case, is an image's; hidden files (`._*`, too) are none."""
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in ENDINGS


def label_folders(names: Collection[str]) -> dict[str, int]:
    """Return the label folders among the sibling folders `names`, with their labels 0 or 1."""
    found = {name: LABELS[name] for name in names if name in LABELS}
    return found or (GENIMAGE_LABELS if set(names) >= set(GENIMAGE_LABELS) else {})


def list_files(
    root: str,
    starts: Sequence[str] = ("",),
    skipped: Collection[str] = (),
    *,
    labelled: bool = True,
    recursive: bool = True,
) -> Listing:
    """List everything below the folders `starts` of `root`, except those `skipped`.

    Paths of folders are "" or end in "/". Links are followed, but no directory is listed twice,
    whatever links lead to it, nor one that the link itself lies in. It is listed by its own path if
    that is below, else by the first link. (Links to files are files: two of them are two images.)
    With `labelled`, a directory found outside of label folders is listed again where a link makes
    it part of one. Raises UsageError for a folder that cannot be listed.
    """
    directories: list[Directory] = []
    left_out: list[LeftOut] = []
    seen: dict[tuple[int, int], Directory] = {}
    stack = [(start, "") for start in reversed(starts)]  # directories with their label folders
    links: deque[tuple[str, str]] = deque()  # as `stack`; followed once it is empty
    while stack or links:
        path, label_folder = stack.pop() if stack else links.popleft()
        place = os.path.join(root, path) or "."
        try:
            state = os.stat(place)
            twin = seen.get((state.st_dev, state.st_ino))
            if twin and (twin.label_folder or not label_folder):
                if twin.path != path:
                    left_out.append(LeftOut(path, TWICE, twin, label_folder))
                continue
            files, folders, linked, special = _scan(place)
        except OSError as error:
            raise UsageError(f"{place}: cannot be listed ({error.strerror})") from error
        images = [n for n in files if (n.endswith(ENDINGS) and n[0] != ".") or is_image_name(n)]
        others = sorted({*files}.difference(images)) if len(images) < len(files) else []
        hidden = {name for name in (*folders, *linked) if name.startswith(".")}
        above = {name for name in linked - hidden if leads_above(os.path.join(place, name))}
        visible = sorted({*folders, *linked} - hidden - above)
        for reason, names in ((HIDDEN, hidden), (ABOVE, above)):
            left_out += [LeftOut(f"{path}{name}/", reason) for name in sorted(names)]
        left_out += [LeftOut(path + name, SPECIAL) for name in sorted(special)]
        directory = Directory(path, label_folder, visible, images, others)
        seen[state.st_dev, state.st_ino] = directory
        directories.append(directory)
        labels = label_folders(visible) if labelled and not label_folder else {}
        below: list[tuple[str, str]] = []
        for name in visible if recursive else []:
            own = f"{path}{name}/"
            if own not in skipped:
                entry = own, own if name in labels else label_folder
                (links if name in linked else below).append(entry)
        stack += reversed(below)
    return Listing(directories, left_out)


def _scan(folder: str) -> tuple[list[str], list[str], set[str], list[str]]:
    """Return the names of a folder's files, folders, links to folders, and special files.

    Special files are pipes, sockets and devices. A broken link counts as a file: opening it raises.
    """
    files: list[str] = []
    rest: list[os.DirEntry[str]] = []
    with os.scandir(folder) as entries:
        for entry in entries:  # this loop runs for every image
            try:
                is_file = entry.is_file()
            except OSError:  # a link to itself, say
                is_file = True
            if is_file:
                files.append(entry.name)
            else:
                rest.append(entry)
    folders, linked, special = [], set(), []
    for entry in rest:
        if entry.is_dir():
            if entry.is_symlink():
                linked.add(entry.name)
            else:
                folders.append(entry.name)
        elif os.path.exists(entry.path):
            special.append(entry.name)
        else:
            files.append(entry.name)
    return files, folders, linked, special


def leads_above(path: str) -> bool:
    """Return whether `path` is a link to a folder that it lies in, at any depth."""
    if not os.path.islink(path):
        return False
    target, place = os.path.realpath(path), os.path.realpath(os.path.dirname(path) or ".")
    return place == target or place.startswith(os.path.join(target, ""))


def subfolders(folder: str) -> list[str]:
    """Return the folders in `folder` by name, without hidden ones and links that lead above."""
    return list_files(folder, recursive=False).directories[0].folders


def warn_left_out(root: str, listing: Listing, labelled: bool = True) -> None:
    """Warn of what was left out below `root` and might have been meant as images.

    Prints a line for each kind, with their number and the first. Of files with other endings, those
    in label folders count or, without `labelled`, all.
    """
    left_out = listing.left_out
    others = [
        directory.path + name
        for directory in listing.directories
        if directory.label_folder or not labelled
        for name in directory.others
        if not name.startswith(".") and not name.lower().endswith(SIDE_FILES)
    ]
    endings = Counter(os.path.splitext(name)[1].lower() or "none" for name in others)
    counts = ", ".join(f"{ending} ({n:,})" for ending, n in endings.most_common())
    counts += "".join(f"; {INSTALL[ending]}" for ending in endings if ending in INSTALL)
    for paths, one, several, what in (
        (
            [entry.path.rstrip("/") for entry in left_out if entry.reason in (ABOVE, TWICE)],
            "linked folder was",
            "linked folders were",
            "passed over, leading to a folder above or to one that is listed already",
        ),
        (
            [entry.path for entry in left_out if entry.reason == SPECIAL],
            "pipe, socket or device was",
            "pipes, sockets or devices were",
            "left out",
        ),
        (
            others,
            "file with another ending was",
            "files with other endings were",
            f"left out: {counts}",
        ),
    ):
        if paths:
            number = f"{len(paths):,} {one if len(paths) == 1 else several}"
            warn(f"{root or '.'}: {number} {what}; the first: {paths[0]}")
