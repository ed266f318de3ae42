"""List every file below a folder: images by set and label folder, and all that is none."""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from data.samples import Samples, class_of, label_conflict, label_of, set_folders
from data.walk import LABELS, TWICE, list_files, subfolders, warn_left_out
from util.errors import UsageError


class Group(NamedTuple):
    """The images of one label folder."""

    set: str  # "train", "val" or a test set's name, after "test/" where the root holds the splits
    folder: str  # below the set, as in "cat/0_real"
    label: str  # "0_real" or "1_fake"
    prefix: str  # the folder relative to the root, "/" at its end
    names: list[str]  # of the files, relative to that folder
    sizes: list[int]  # in bytes; -1 where there is no file (a dead link, say)


class Inventory(NamedTuple):
    """All files below a root."""

    root: str
    sets: dict[str, str]  # name -> its folder relative to the root, "/" at its end, or ""
    groups: list[Group]
    outside: list[str]  # images in no label folder
    ignored: list[tuple[str, str]]  # the other files, and why
    contrary: list[tuple[str, str, str]]  # a set, and a folder of it that is the other label's

    def images(self) -> int:
        """Return the number of images."""
        return sum(len(group.names) for group in self.groups)


def take_inventory(root: str, known: Collection[str], wanted: Sequence[str] = ()) -> Inventory:
    """List all files of the sets of `root`, or of those `wanted`.

    `known` names test sets: where `root` is called as one of them, or train or val, its folders are
    taken for classes. Raises UsageError where there are no images, or for a wanted set that is
    neither there nor known.
    """
    if not os.path.isdir(root):
        raise UsageError(f"{root}: no such folder")
    sets = set_folders(root, known)
    bare = {name.removeprefix("test/") for name in sets}
    if lost := [name for name in wanted if name not in {*bare, *known, "train", "val"}]:
        raise UsageError(
            f"--sets: no set {', '.join(lost)} in {root}; it holds {', '.join(sets) or 'none'}"
        )
    if wanted:
        sets = {name: at for name, at in sets.items() if name.removeprefix("test/") in wanted}
    inventory = Inventory(root, sets, [], [], [], [])
    for name, at in sets.items():
        _list(inventory, name=name, at=at)
    if not wanted and "" not in sets.values():
        _list(inventory, name="", at="", others=tuple(sets.values()))  # what lies beside the sets
    inventory.groups.sort(key=lambda group: group.prefix)
    if not inventory.groups:
        raise UsageError(
            f"{root}: no images in folders 0_real and 1_fake; it holds"
            f" {', '.join(subfolders(root)[:20]) or 'no folders'}"
        )
    return inventory


def inventory_of(sets: Mapping[str, Samples]) -> Inventory:
    """Return the images of sets that were found by a manifest, or in plain folders."""
    inventory = Inventory("", dict.fromkeys(sets, ""), [], [], [], [])
    for name, samples in sets.items():
        groups: dict[tuple[str, int], Group] = {}
        for index, label in enumerate(samples.labels.tolist()):
            folder, file = os.path.split(samples.path(index))
            group = groups.get((folder, label))
            if group is None:
                above = class_of(samples.relative(index))
                own = "" if above == name.removeprefix("test/") else f"{above}/" if above else ""
                label_name = list(LABELS)[label]
                group = groups[folder, label] = Group(
                    name, own + label_name, label_name, f"{folder}/", [], []
                )
            group.names.append(file)
            group.sizes.append(_bytes(os.path.join(folder, file)))
        inventory.groups.extend(groups.values())
    return inventory


def _list(inventory: Inventory, *, name: str, at: str, others: tuple[str, ...] = ()) -> None:
    """Add the files below the folder `at` of the set `name`, but for those in `others`."""
    listing = list_files(inventory.root, (at,), others)
    if name:
        warn_left_out(inventory.root, listing)
    groups: dict[str, Group] = {}
    for directory in listing.directories:
        path, folder = directory.path, directory.label_folder
        inventory.ignored.extend(
            (path + file, "hidden" if file.startswith(".") else "no known ending")
            for file in directory.others
        )
        if not name or not folder:
            inventory.outside.extend(path + file for file in sorted(directory.images))
            continue
        if folder not in groups:
            label = list(LABELS)[label_of(folder)]
            own = posixpath.join(posixpath.dirname(folder[len(at) : -1]), label)
            groups[folder] = Group(name, own, label, folder, [], [])
        for file in sorted(directory.images):
            groups[folder].names.append(path[len(folder) :] + file)
            groups[folder].sizes.append(_bytes(os.path.join(inventory.root, path + file)))
    inventory.groups.extend(group for group in groups.values() if group.names)
    for left_out in listing.left_out:
        twin = left_out.twin.path if left_out.twin else ""
        if label_conflict(left_out):
            inventory.contrary.append((name, left_out.path, twin))
        else:
            reason = f"{left_out.reason} {twin}" if left_out.reason == TWICE else left_out.reason
            inventory.ignored.append((left_out.path, reason))


def _bytes(path: str) -> int:
    try:
        state = os.stat(path)
    except OSError:
        return -1
    return state.st_size if stat.S_ISREG(state.st_mode) else -1
