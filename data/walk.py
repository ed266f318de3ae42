"""List what lies below a folder: every command finds its images by this one walk."""

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
SIDE_FILES = (  # endings of what usually lies beside images, and is not worth a word
    *(".txt", ".md", ".rst", ".json", ".jsonl", ".csv", ".tsv", ".xml", ".yaml", ".yml"),
    *(".html", ".log", ".ini", ".db"),
)
# Why something is left out.
HIDDEN = "hidden folder"
ABOVE = "link to a folder above it"
TWICE = "the same folder as"
SPECIAL = "a pipe, socket or device"


class Directory(NamedTuple):
    """One directory, and what lies in it; paths are relative to where the walk began."""

    path: str  # "" or ending in "/"
    label_folder: str  # the label folder that it is, or lies in, likewise; "" for none
    folders: list[str]  # names, without hidden ones
    images: list[str]
    others: list[str]  # files that are no images by their names


class LeftOut(NamedTuple):
    """Something that is neither listed nor walked into."""

    path: str  # a folder's ends in "/"
    reason: str
    twin: Directory | None = None  # where that is TWICE: the same directory, as it is listed
    label_folder: str = ""  # that it would be, or lie in


class Listing(NamedTuple):
    """All that lies below a folder."""

    directories: list[Directory]
    left_out: list[LeftOut]


def is_image_name(name: str) -> bool:
    """By the ending, in any case; hidden files and the `._*` of macOS archives are no images."""
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in ENDINGS


def label_folders(names: Collection[str]) -> dict[str, int]:
    """Which of the folders `names`, that lie side by side, hold real (0) and fake (1) images."""
    found = {name: LABELS[name] for name in names if name in LABELS}
    return found or (GENIMAGE_LABELS if set(names) >= set(GENIMAGE_LABELS) else {})


def list_files(
    root: str,
    starts: Sequence[str] = ("",),
    skipped: Collection[str] = (),
    labelled: bool = True,
    recursive: bool = True,
) -> Listing:
    """List all below the folders `starts` of `root`, but for those `skipped` ("" or ending in "/").

    Links are followed, but no directory is listed twice, whatever leads to it, nor one above it:
    by its own path if it has one here, else by the link that comes first. (Links to files are
    files: two of them are two images.) With `labelled`, one that was met outside of label folders
    is listed again where a link makes it part of one. Raises UsageError for a folder that cannot
    be listed.
    """
    directories: list[Directory] = []
    left_out: list[LeftOut] = []
    seen: dict[tuple[int, int], Directory] = {}
    ways = [(start, "") for start in reversed(starts)]  # a directory, and its label folder
    links: deque[tuple[str, str]] = deque()  # likewise; they wait until there is nothing else
    while ways or links:
        path, label_folder = ways.pop() if ways else links.popleft()
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
                way = own, own if name in labels else label_folder
                (links if name in linked else below).append(way)
        ways += reversed(below)
    return Listing(directories, left_out)


def _scan(folder: str) -> tuple[list[str], list[str], set[str], list[str]]:
    """The names of the files in a folder, of its folders, of the links to folders, and of pipes,
    sockets and devices. A link that leads nowhere is a file: opening it will tell.
    """
    files: list[str] = []
    rest: list[os.DirEntry[str]] = []
    with os.scandir(folder) as entries:
        for entry in entries:  # what stands here is done for every image
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
    """Whether `path` is a link to a folder that it lies in, at any depth."""
    if not os.path.islink(path):
        return False
    target, place = os.path.realpath(path), os.path.realpath(os.path.dirname(path) or ".")
    return place == target or place.startswith(os.path.join(target, ""))


def subfolders(folder: str) -> list[str]:
    """The names of the folders in `folder`; hidden ones, and links that lead above, left out."""
    return list_files(folder, recursive=False).directories[0].folders


def tell_left_out(root: str, listing: Listing, labelled: bool = True) -> None:
    """Warn of what is not listed below `root` and might have been meant: a line for each kind, with
    their number and the first. Other files count where images would (with `labelled`: in label
    folders).
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
    told = ", ".join(f"{ending} ({n:,})" for ending, n in endings.most_common())
    told += "".join(f"; {INSTALL[ending]}" for ending in endings if ending in INSTALL)
    for paths, one, several, what in (
        (
            [its.path.rstrip("/") for its in left_out if its.reason in (ABOVE, TWICE)],
            "linked folder was",
            "linked folders were",
            "passed over, leading to a folder above or to one that is listed already",
        ),
        (
            [its.path for its in left_out if its.reason == SPECIAL],
            "pipe, socket or device was",
            "pipes, sockets or devices were",
            "left out",
        ),
        (
            others,
            "file with another ending was",
            "files with other endings were",
            f"left out: {told}",
        ),
    ):
        if paths:
            number = f"{len(paths):,} {one if len(paths) == 1 else several}"
            warn(f"{root or '.'}: {number} {what}; the first: {paths[0]}")
