"""List every file below a folder: images by set and label folder, and all that is none."""

from __future__ import annotations

import itertools
import os
import posixpath
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from data.samples import (
    LABELS,
    Samples,
    class_of,
    is_image_name,
    label_folders,
    set_folders,
    subfolders,
)
from util.errors import InputError


class Group(NamedTuple):
    """The images of one label folder."""

    set: str  # "train", "val" or a test set's name, after "test/" where the root holds the splits
    folder: str  # below the set, as in "cat/0_real"
    label: str  # "0_real" or "1_fake"
    prefix: str  # the folder relative to the root, "/" at its end
    names: list[str]  # of the files, relative to that folder
    sizes: list[int]  # in bytes; -1 where the file is not there (a dead link)


class Inventory(NamedTuple):
    """All files below a root."""

    root: str
    sets: dict[str, str]  # name -> its folder relative to the root, "/" at its end, or ""
    groups: list[Group]
    outside: list[str]  # images in no label folder
    ignored: list[tuple[str, str]]  # the other files, and why

    def images(self) -> int:
        """The number of images."""
        return sum(len(group.names) for group in self.groups)


def take_inventory(root: str, known: Collection[str], wanted: Sequence[str] = ()) -> Inventory:
    """List all files of the sets of `root`, or of those `wanted`.

    `known` names test sets: where `root` is called as one of them, or train or val, its folders are
    taken for classes. Raises InputError where there are no images, or for a wanted set that is
    neither there nor known.
    """
    if not os.path.isdir(root):
        raise InputError(f"{root}: no such folder")
    sets = set_folders(root, known)
    bare = {name.removeprefix("test/") for name in sets}
    if lost := [name for name in wanted if name not in {*bare, *known, "train", "val"}]:
        raise InputError(
            f"--sets: no set {', '.join(lost)} in {root}; it holds {', '.join(sets) or 'none'}"
        )
    if wanted:
        sets = {name: at for name, at in sets.items() if name.removeprefix("test/") in wanted}
    inventory = Inventory(root, sets, [], [], [])
    groups: dict[str, Group] = {}
    label_dirs: dict[str, str] = {}  # relative to the root, "/" at the end -> 0_real or 1_fake
    for name, at in sets.items():
        _list(inventory, groups, name, at, label_dirs)
    if not wanted and "" not in sets.values():
        _list(
            inventory, groups, "", "", label_dirs, tuple(sets.values())
        )  # what lies beside the sets
    inventory.groups.extend(groups[prefix] for prefix in sorted(groups))
    if not inventory.groups:
        raise InputError(
            f"{root}: no images in folders 0_real and 1_fake; it holds"
            f" {', '.join(subfolders(root)[:20]) or 'no folders'}"
        )
    return inventory


def inventory_of(sets: Mapping[str, Samples]) -> Inventory:
    """The images of sets that were found otherwise: by a manifest, or in plain folders."""
    inventory = Inventory("", dict.fromkeys(sets, ""), [], [], [])
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


def _list(
    inventory: Inventory,
    groups: dict[str, Group],
    name: str,
    at: str,
    label_dirs: dict[str, str],
    others: tuple[str, ...] = (),
) -> None:
    """Add the files below the folder `at` of the set `name`, but for those in `others`."""
    for directory, names in _walk(inventory, at, label_dirs, others):
        parents = itertools.accumulate(
            directory.split("/")[:-1], lambda a, b: f"{a}{b}/", initial=""
        )
        folder = next((parent for parent in parents if parent in label_dirs), None)
        for file in sorted(names):
            if not is_image_name(file):
                reason = "hidden" if file.startswith(".") else "no known ending"
                inventory.ignored.append((directory + file, reason))
            elif not name or folder is None:
                inventory.outside.append(directory + file)
            else:
                group = groups.get(folder)
                if group is None:
                    label = label_dirs[folder]
                    above = posixpath.dirname(folder[len(at) : -1])
                    group = groups[folder] = Group(
                        name, posixpath.join(above, label), label, folder, [], []
                    )
                group.names.append(directory[len(folder) :] + file)
                group.sizes.append(_bytes(os.path.join(inventory.root, directory + file)))


def _bytes(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return -1


def _walk(
    inventory: Inventory, at: str, label_dirs: dict[str, str], others: tuple[str, ...]
) -> Iterator[tuple[str, list[str]]]:
    """Each directory, relative to the root and "" or ending in "/", and its files."""
    top = os.path.join(inventory.root, at)
    for path, folders, names in os.walk(top, followlinks=True):
        below = os.path.relpath(path, top).replace(os.sep, "/")
        directory = at + ("" if below == "." else f"{below}/")
        passed = []
        for folder in sorted(folders):
            if folder.startswith("."):
                inventory.ignored.append((f"{directory}{folder}/", "hidden folder"))
            elif _is_loop(os.path.join(path, folder)):
                inventory.ignored.append((f"{directory}{folder}/", "link to a folder above it"))
            elif f"{directory}{folder}/" not in others:
                passed.append(folder)
        folders[:] = passed
        for folder, label in label_folders(folders).items():
            label_dirs[f"{directory}{folder}/"] = list(LABELS)[label]
        yield directory, names


def _is_loop(folder: str) -> bool:
    if not os.path.islink(folder):
        return False
    real, target = os.path.realpath(os.path.dirname(folder)), os.path.realpath(folder)
    return f"{real}/".startswith(f"{target}/")
