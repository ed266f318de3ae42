"""Find labelled images: .../0_real/* and .../1_fake/*, at any depth."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from data.contents import FileState, content_hash, file_state
from data.images import (
    ENDINGS,
    Pixels,
    decode,
    find_packed,
    image_size,
    read_plain,
    unpack,
)
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
    warn_left_out,
)
from options.machine import MAX_PIXELS
from util.errors import UsageError

SPLITS = ("train", "val")
RUN = 1 << 14  # paths in a list at a time: a list is three times as large as an array


class Samples(NamedTuple):
    """Images and their labels, sorted by path where they come from one folder."""

    root: str
    paths: npt.NDArray[np.bytes_]  # (N,) relative to root, "/" between parts. One flat array: a
    # list of str would be copied into every worker, page by page, as its reference counts change
    labels: npt.NDArray[np.uint8]  # (N,), 0 = real, 1 = fake

    def relative(self, index: int) -> str:
        """Return the path of image `index`, relative to the root."""
        return os.fsdecode(self.paths[index])

    def path(self, index: int) -> str:
        """Return the path of image `index`, root included."""
        return os.path.join(self.root, self.relative(index))

    def load(self, index: int, max_pixels: int = MAX_PIXELS) -> tuple[str, Pixels]:
        """Return the `content_hash` of image `index` and its pixels, (H, W, 3) uint8.

        Raises UnreadableImage as `open_image` does.
        """
        path = self.path(index)
        if its := find_packed(path):
            return its.content(), unpack(its, path, max_pixels)
        content = read_plain(path)
        return content_hash(content), decode(content, path, max_pixels)

    def content(self, index: int) -> str:
        """Return the `content_hash` of image `index`; raise UnreadableImage."""
        path = self.path(index)
        its = find_packed(path)
        return its.content() if its else content_hash(read_plain(path))

    def size(self, index: int) -> tuple[int, int]:
        """Return the height and width of image `index` by its header; (0, 0) where it has none."""
        return image_size(self.path(index))

    def state(self, index: int) -> FileState:
        """Return what changes when the bytes of image `index` do; raise UnreadableImage."""
        return file_state(self.path(index))

    def counts(self) -> tuple[int, int]:
        """Return the number of real and of fake images."""
        return count_labels(self.labels)

    def take(self, indices: npt.NDArray[np.integer]) -> Samples:
        """Return the images at `indices`, in their order."""
        return self._replace(paths=self.paths[indices], labels=self.labels[indices])


def count_labels(labels: npt.NDArray[np.integer]) -> tuple[int, int]:
    """Return how many labels are 0 (real) and how many 1 (fake)."""
    num_fake = int(np.count_nonzero(labels))
    return len(labels) - num_fake, num_fake


def find_samples(root: str, classes: Sequence[str] = (), both_labels: bool = True) -> Samples:
    """List the images below the folders `classes` of `root`, or below all of them if none is named.

    With `both_labels` every class must hold real and fake images; without, a label folder may be
    missing, but none may be empty. Raises UsageError that names the folder, and what was found
    instead, where a class, a label folder or images are missing.
    """
    if not os.path.isdir(root):
        raise UsageError(f"{root}: no such folder")
    for name in classes:
        if not os.path.isdir(os.path.join(root, name)):
            raise UsageError(f"--classes: no folder {name} in {root}; {_found(root)}")
    starts = [f"{name}/" for name in dict.fromkeys(classes)] or [""]
    listing = list_files(root, starts)
    for entry in listing.left_out:
        if wrong := label_conflict(entry):
            raise UsageError(f"{os.path.join(root, entry.path).rstrip('/')}: {wrong}")
    warn_left_out(root, listing)
    _require_label_folders(root, classes, listing, both_labels=both_labels)
    found: dict[str, list[str]] = {}  # label folder, ending in "/" -> images below it
    for path, label_folder, _, images, _ in listing.directories:
        if label_folder:
            below = path[len(label_folder) :]
            found.setdefault(label_folder, []).extend(
                [below + name for name in images] if below else images
            )
    skipped = {entry.path for entry in listing.left_out if entry.reason == TWICE}
    for folder in [folder for folder, images in found.items() if not images]:
        if not any(path.startswith(folder) for path in skipped):  # else listed elsewhere
            place = os.path.join(root, folder).rstrip("/")
            raise UsageError(f"{place}: no images ({' '.join(ENDINGS)})")
        del found[folder]
    # Sorted folders with sorted names give all paths in order. The names of a folder are prefixed
    # and encoded in one go, at a fraction of the cost of one path at a time.
    folders = sorted(found)
    paths: list[bytes] = []
    for folder in folders:
        names = f"\0{folder}".join(sorted(found[folder]))
        paths += os.fsencode(folder + names).split(b"\0")
    if any(inner.startswith(outer) for outer, inner in itertools.pairwise(folders)):
        paths.sort()  # `classes` may name a folder inside a label folder; the labels agree
    counts = [len(found[folder]) for folder in folders]
    labels = np.repeat(np.array([label_of(f) for f in folders], np.uint8), counts)
    return Samples(root, np.array(paths), labels)


def label_of(folder: str) -> int:
    """Return 0 or 1 by the first label folder in a relative path that ends with one."""
    parts = folder.rstrip("/").split("/")
    return next(
        (LABELS[part] for part in parts if part in LABELS), GENIMAGE_LABELS.get(parts[-1], 0)
    )


def class_of(path: str) -> str:
    """Return the folder above the first label folder of an image's path; "" without one."""
    parts = path.split("/")[:-1]
    for above, part in zip(["", *parts], parts, strict=False):
        if part in LABELS or part in GENIMAGE_LABELS:
            return "" if above == ".." else above
    return ""


def partner_of(path: str) -> str:
    """Return the relative path under the other label; "" if no folder is 0_real or 1_fake."""
    parts = path.split("/")
    at = next((i for i, part in enumerate(parts) if part in LABELS), None)
    if at is None:
        return ""
    (parts[at],) = set(LABELS) - {parts[at]}
    return "/".join(parts)


def pair_name(path: str) -> str:
    """Return a relative path without label and ending: real and fake of a pair have the same."""
    as_real = path if "0_real" in path.split("/") else partner_of(path) or path
    return os.path.splitext(as_real)[0]


def subsample(samples: Samples, most: int, seed: int, *, per_label: bool = False) -> Samples:
    """Return at most `most` images of each folder (of each class and label), or of each label.

    They are chosen by a hash of `seed` and name: a real and a fake of one name draw the same.
    """
    groups: dict[object, list[tuple[bytes, int]]] = {}
    for index, label in enumerate(samples.labels.tolist()):
        path = samples.relative(index)
        group, name = (label, pair_name(path)) if per_label else os.path.split(path)
        draw = hashlib.blake2b(os.fsencode(f"{seed} {name}"), digest_size=8).digest()
        groups.setdefault(group, []).append((draw, index))
    chosen = [index for draws in groups.values() for _, index in sorted(draws)[:most]]
    return samples.take(np.array(sorted(chosen), np.int64))


def concat(first: Samples, second: Samples) -> Samples:
    """Concatenate two listings; paths become relative to the root of `first`, or stay absolute."""
    # Real paths, since ".." behind a link leads to another parent.
    roots = os.path.realpath(second.root), os.path.realpath(first.root)
    prefix = os.fsencode(os.path.relpath(*roots).replace(os.sep, "/") + "/")
    moved = [path if path.startswith(b"/") else prefix + path for path in second.paths.tolist()]
    paths = np.array([*first.paths.tolist(), *moved])
    return Samples(first.root, paths, np.concatenate([first.labels, second.labels]))


def fingerprint(samples: Samples) -> str:
    """Return a hash of all paths, and so of their labels: 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for first in range(0, len(samples.paths), RUN):
        run = samples.paths[first : first + RUN].tolist()
        digest.update(b"\0".join([b"", *run] if first else run))
    return digest.hexdigest()[:16]


def label_conflict(left_out: LeftOut) -> str:
    """Return the error for a folder that is linked under the other label; "" if it is not."""
    own, twin = left_out.label_folder, left_out.twin
    if left_out.reason != TWICE or not own or not twin:
        return ""
    if label_of(own) == label_of(twin.label_folder):
        return ""
    return (
        f"is the folder {twin.path.rstrip('/')}, so that its images would be both real and fake;"
        " take the link away"
    )


def _require_label_folders(
    root: str, classes: Sequence[str], listing: Listing, *, both_labels: bool
) -> None:
    """Raise UsageError where a class has no label folders or, with `both_labels`, only one."""
    labels = {entry.path: label_folders(entry.folders) for entry in listing.directories}
    holders = [e.path for e in listing.directories if not e.label_folder and labels[e.path]]
    folders = listing.directories[0].folders
    tops = classes or ([""] if label_folders(folders) else folders) or [""]
    skipped = {entry.path for entry in listing.left_out if entry.reason == TWICE}
    for name in tops:
        start = f"{name}/" if name else ""
        if not any(path.startswith(start) for path in (*holders, *skipped)):
            folder = os.path.join(root, name)
            raise UsageError(f"{folder}: no folder 0_real or 1_fake in it; {_found(folder)}")
    for path in holders:
        if both_labels and len(labels[path]) < len(LABELS):
            (missing,) = set(LABELS) - set(labels[path])
            folder = os.path.join(root, path).rstrip("/")
            raise UsageError(f"{folder}: no folder {missing} in it; {_found(folder)}")


def _found(folder: str) -> str:
    names = subfolders(folder)
    shown = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
    return f"found instead: {shown}" if names else "it holds no folders"


def set_folders(root: str, known: Collection[str]) -> dict[str, str]:
    """Return the sets of a folder by name, with their path in it ("" or ending in "/").

    These are train, val and test/<name> where it holds the splits, else test sets; some may hold no
    images. A test set may have a class called train: the other folders tell it from a split. A
    folder named in `known` is a test set, whatever it holds. Raises UsageError without the folder.
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
    """List the files among `paths`, and the images in the folders among them, in that order.

    With `recursive`, folders are searched at any depth. Labels, which are unknown, are 0. Raises
    UsageError where a path does not exist, or a folder holds no images.
    """
    images: list[str] = []
    for path in paths:
        if os.path.isdir(path):
            hint = "" if recursive else "; --recursive looks in its subfolders, too"
            names = plain_images(path, path, hint=hint, recursive=recursive)
            images += [os.path.join(path, os.fsdecode(name)) for name in names]
        elif os.path.exists(path):
            images.append(path)
        else:
            raise UsageError(f"{path}: no such file or folder")
    return Samples("", np.array([os.fsencode(i) for i in images]), np.zeros(len(images), np.uint8))


def plain_images(folder: str, where: str, *, hint: str = "", recursive: bool = True) -> list[bytes]:
    """Return the sorted relative paths of the images in a folder, whatever its folders are called.

    Raises UsageError that begins with `where` and ends with `hint` where there are none.
    """
    listing = list_files(folder, labelled=False, recursive=recursive)
    warn_left_out(folder, listing, labelled=False)
    names = sorted(
        os.fsencode(entry.path + name) for entry in listing.directories for name in entry.images
    )
    if not names:
        raise UsageError(f"{where}: no images in it ({' '.join(ENDINGS)}){hint}")
    return names
