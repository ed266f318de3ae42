"""Find images and their labels: .../0_real/* and .../1_fake/*, at any depth."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from data.images import ENDINGS
from data.other_layout import refuse_other_layout
from data.walk import (
    GENIMAGE_LABELS,
    LABELS,
    TWICE,
    LeftOut,
    Listing,
    label_folders,
    list_files,
    subfolders,
    tell_left_out,
)
from util.errors import UsageError

SPLITS = ("train", "val")


class Samples(NamedTuple):
    """Images and their labels, sorted by path where they come from one folder."""

    root: str
    paths: npt.NDArray[np.bytes_]  # (N,) relative to root, "/" between parts. One flat array: a
    # list of str would be copied into every worker, page by page, as reference counts change
    labels: npt.NDArray[np.uint8]  # (N,), 0 = real, 1 = fake

    def relative(self, index: int) -> str:
        """The path of image `index`, relative to the root."""
        return os.fsdecode(self.paths[index])

    def path(self, index: int) -> str:
        """The path of image `index`, to open it."""
        return os.path.join(self.root, self.relative(index))

    def take(self, indices: npt.NDArray[np.integer]) -> Samples:
        """Some of the images, in the order of `indices`."""
        return Samples(self.root, self.paths[indices], self.labels[indices])


def find_samples(root: str, classes: Sequence[str] = (), both_labels: bool = True) -> Samples:
    """List the images below the folders `classes` of `root` (none named: below all of them).

    With `both_labels` every class must hold real and fake images; without, one of the label
    folders may be missing, but not be empty. Raises UsageError that names the folder, and what
    was found instead, where a class, a label folder or images are missing.
    """
    if not os.path.isdir(root):
        raise UsageError(f"{root}: no such folder")
    for name in classes:
        if not os.path.isdir(os.path.join(root, name)):
            raise UsageError(f"--classes: no folder {name} in {root}; {_found(root)}")
    starts = [f"{name}/" for name in dict.fromkeys(classes)] or [""]
    listing = list_files(root, starts)
    for left_out in listing.left_out:
        if wrong := both_ways(left_out):
            raise UsageError(f"{os.path.join(root, left_out.path).rstrip('/')}: {wrong}")
    tell_left_out(root, listing)
    _require_label_folders(root, classes, listing, both_labels)
    found: dict[str, list[str]] = {}  # a label folder with "/" at its end -> the images below it
    for path, label_folder, _, images, _ in listing.directories:
        if label_folder:
            below = path[len(label_folder) :]
            found.setdefault(label_folder, []).extend(
                [below + name for name in images] if below else images
            )
    passed = {its.path for its in listing.left_out if its.reason == TWICE}  # listed elsewhere
    for folder in [folder for folder, images in found.items() if not images]:
        if not any(path.startswith(folder) for path in passed):
            place = os.path.join(root, folder).rstrip("/")
            raise UsageError(f"{place}: no images ({' '.join(ENDINGS)})")
        del found[folder]
    # Folder by folder, in their order, is the order of all paths. Many names joined are prefixed
    # and encoded at once, at a fraction of the cost of one path at a time.
    folders = sorted(found)
    paths: list[bytes] = []
    for folder in folders:
        names = f"\0{folder}".join(sorted(found[folder]))
        paths += os.fsencode(folder + names).split(b"\0")
    if any(inner.startswith(outer) for outer, inner in itertools.pairwise(folders)):
        paths.sort()  # `classes` named a folder inside another's label folder: the labels agree
    counts = [len(found[folder]) for folder in folders]
    labels = np.repeat(np.array([label_of(f) for f in folders], np.uint8), counts)
    return Samples(root, np.array(paths), labels)


def label_of(folder: str) -> int:
    """0 or 1, by the first label folder in a relative path that ends with one."""
    parts = folder.rstrip("/").split("/")
    return next(
        (LABELS[part] for part in parts if part in LABELS), GENIMAGE_LABELS.get(parts[-1], 0)
    )


def class_of(path: str) -> str:
    """The folder above the first label folder of an image's path; "" where there is none."""
    parts = path.split("/")[:-1]
    for above, part in zip(["", *parts], parts, strict=False):
        if part in LABELS or part in GENIMAGE_LABELS:
            return "" if above == ".." else above
    return ""


def partner_of(path: str) -> str:
    """The same relative path under the other label; "" where no folder is 0_real or 1_fake."""
    parts = path.split("/")
    at = next((i for i, part in enumerate(parts) if part in LABELS), None)
    if at is None:
        return ""
    (parts[at],) = set(LABELS) - {parts[at]}
    return "/".join(parts)


def subsample(samples: Samples, most: int, seed: int) -> Samples:
    """At most `most` images of each folder, that is, of each class and label, chosen by a hash of
    their names: real and fake images of the same name are both taken, or neither.
    """
    folders: dict[str, list[tuple[bytes, int]]] = {}
    for index in range(len(samples.labels)):
        folder, name = os.path.split(samples.relative(index))
        draw = hashlib.blake2b(os.fsencode(f"{seed} {name}"), digest_size=8).digest()
        folders.setdefault(folder, []).append((draw, index))
    chosen = [index for draws in folders.values() for _, index in sorted(draws)[:most]]
    return samples.take(np.array(sorted(chosen)))


def concat(first: Samples, second: Samples) -> Samples:
    """Both, one after the other; all paths relative to the root of `first`, or absolute."""
    roots = os.path.realpath(second.root), os.path.realpath(first.root)  # links have other parents
    way = os.fsencode(os.path.relpath(*roots).replace(os.sep, "/") + "/")
    moved = [path if path.startswith(b"/") else way + path for path in second.paths.tolist()]
    paths = np.array([*first.paths.tolist(), *moved])
    return Samples(first.root, paths, np.concatenate([first.labels, second.labels]))


def fingerprint(samples: Samples) -> str:
    """A short hash of all names, which also tell the labels: the same names, the same hash."""
    return hashlib.sha256(b"\0".join(samples.paths.tolist())).hexdigest()[:16]


def both_ways(left_out: LeftOut) -> str:
    """What is wrong where a folder is met again under the other label; "" where it is not."""
    own, twin = left_out.label_folder, left_out.twin
    if (
        left_out.reason != TWICE
        or not own
        or not twin
        or label_of(own) == label_of(twin.label_folder)
    ):
        return ""
    return (
        f"is the folder {twin.path.rstrip('/')}, so that its images would be both real and fake;"
        " take the link away"
    )


def _require_label_folders(
    root: str, classes: Sequence[str], listing: Listing, both_labels: bool
) -> None:
    """Raise UsageError where a class has no label folders, or one label only."""
    above = {its.path: label_folders(its.folders) for its in listing.directories}
    holders = [its.path for its in listing.directories if not its.label_folder and above[its.path]]
    folders = listing.directories[0].folders
    tops = classes or ([""] if label_folders(folders) else folders) or [""]
    passed = {left_out.path for left_out in listing.left_out if left_out.reason == TWICE}
    for name in tops:
        start = f"{name}/" if name else ""
        if not any(path.startswith(start) for path in (*holders, *passed)):
            folder = os.path.join(root, name)
            raise UsageError(f"{folder}: no folder 0_real or 1_fake in it; {_found(folder)}")
    for path in holders:
        if both_labels and len(above[path]) < len(LABELS):
            (missing,) = set(LABELS) - set(above[path])
            folder = os.path.join(root, path).rstrip("/")
            raise UsageError(f"{folder}: no folder {missing} in it; {_found(folder)}")


def _found(folder: str) -> str:
    names = subfolders(folder)
    shown = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
    return f"found instead: {shown}" if names else "it holds no folders"


def set_folders(root: str, known: Collection[str]) -> dict[str, str]:
    """The sets of a folder, and where they lie in it ("" or a path that ends in "/"): train, val
    and test/<name> where it holds the splits, else test sets. Some may hold no images.

    A test set may have a class called train: the other folders tell it from a split. `known` are
    names of test sets: a folder that is called so is one, whatever it holds.
    """
    if not os.path.isdir(root):
        raise UsageError(f"{root}: no such folder")
    name = os.path.basename(os.path.abspath(root))
    folders = subfolders(root)
    if label_folders(folders):
        return {name: ""}
    if name in {*known, *SPLITS} and "test" not in folders and not set(folders) & set(known):
        return {name: ""}
    splits = [split for split in (*SPLITS, "test") if split in folders]
    others = [f for f in folders if f not in splits]
    has_classes = any(label_folders(subfolders(os.path.join(root, f))) for f in others)
    if splits and ("test" in splits or not has_classes):
        found = {split: f"{split}/" for split in splits if split != "test"}
        below = subfolders(os.path.join(root, "test")) if "test" in splits else []
        return found | {f"test/{f}": f"test/{f}/" for f in below}
    refuse_other_layout(root, folders)
    return {f: f"{f}/" for f in folders}


def find_images(paths: Sequence[str], recursive: bool) -> Samples:
    """The files among `paths`, and the images in its folders (with `recursive`, at any depth), in
    that order; their labels, unknown, are 0. Raises UsageError where there are none.
    """
    images: list[str] = []
    for path in paths:
        if os.path.isdir(path):
            hint = "" if recursive else "; --recursive looks in its subfolders, too"
            names = plain_images(path, path, hint, recursive)
            images += [os.path.join(path, os.fsdecode(name)) for name in names]
        elif os.path.exists(path):
            images.append(path)
        else:
            raise UsageError(f"{path}: no such file or folder")
    return Samples("", np.array([os.fsencode(i) for i in images]), np.zeros(len(images), np.uint8))


def plain_images(folder: str, told: str, hint: str = "", recursive: bool = True) -> list[bytes]:
    """The paths of the images in a folder, at any depth and whatever its folders are called,
    relative to it and sorted. Raises UsageError, which begins with `told`, where there are none.
    """
    listing = list_files(folder, labelled=False, recursive=recursive)
    tell_left_out(folder, listing, labelled=False)
    names = sorted(
        os.fsencode(its.path + name) for its in listing.directories for name in its.images
    )
    if not names:
        raise UsageError(f"{told}: no images in it ({' '.join(ENDINGS)}){hint}")
    return names
