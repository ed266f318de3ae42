"""Find images and their labels: .../0_real/* and .../1_fake/*, at any depth."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from util.errors import InputError

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".ppm")
LABELS = {"0_real": 0, "1_fake": 1}
SPLITS = ("train", "val")
GENIMAGE_LABELS = {"nature": 0, "ai": 1}  # label folders only where both lie side by side


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


def is_image_name(name: str) -> bool:
    """By the ending, in any case; hidden files and the `._*` of macOS archives are no images."""
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in ENDINGS


def image_names(folder: str) -> Iterator[str]:
    """Paths of the images at any depth below `folder`, relative to it, "/" between parts."""
    for directory, folders, names in _walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        # most names end in a known ending as it stands, which is quick to see
        images = [n for n in names if (n.endswith(ENDINGS) and n[0] != ".") or is_image_name(n)]
        yield from [directory + name for name in images] if directory else images


def find_samples(root: str, classes: Sequence[str] = (), both_labels: bool = True) -> Samples:
    """List the images below the folders `classes` of `root` (none named: below all of them).

    With `both_labels` every class must hold real and fake images; without, one of the label
    folders may be missing, but not be empty. Raises InputError that names the folder, and what
    was found instead, where a class, a label folder or images are missing.
    """
    if not os.path.isdir(root):
        raise InputError(f"{root}: no such folder")
    for name in classes:
        if not os.path.isdir(os.path.join(root, name)):
            raise InputError(f"--classes: no folder {name} in {root}; {_found(root)}")
    found: dict[str, list[str]] = {}  # a label folder with "/" at its end -> the images below it
    for name in dict.fromkeys(classes) or _classes(root):
        for folder in _label_folders(root, name, both_labels):
            images = list(image_names(os.path.join(root, folder)))
            if not images:
                raise InputError(f"{os.path.join(root, folder)}: no images ({' '.join(ENDINGS)})")
            found.setdefault(f"{folder}/", []).extend(images)
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


def label_folders(names: Sequence[str]) -> dict[str, int]:
    """Which of the folders `names`, that lie side by side, hold real (0) and fake (1) images."""
    found = {name: LABELS[name] for name in names if name in LABELS}
    return found or (GENIMAGE_LABELS if set(names) >= set(GENIMAGE_LABELS) else {})


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


def at_most(samples: Samples, most: int, seed: int) -> Samples:
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


def joined(first: Samples, second: Samples) -> Samples:
    """Both, one after the other; all paths relative to the root of `first`, or absolute."""
    way = os.fsencode(os.path.relpath(second.root, first.root).replace(os.sep, "/") + "/")
    moved = [path if path.startswith(b"/") else way + path for path in second.paths.tolist()]
    paths = np.array([*first.paths.tolist(), *moved])
    return Samples(first.root, paths, np.concatenate([first.labels, second.labels]))


def fingerprint(samples: Samples) -> str:
    """A short hash of all names, which also tell the labels: the same names, the same hash."""
    return hashlib.sha256(b"\0".join(samples.paths.tolist())).hexdigest()[:16]


def _classes(root: str) -> list[str]:
    """The class folders of `root`, or "" where it holds 0_real or 1_fake itself."""
    folders = subfolders(root)
    return [""] if label_folders(folders) else folders or [""]


def _label_folders(root: str, name: str, both_labels: bool) -> list[str]:
    """The label folders at any depth below a class, as paths relative to `root`."""
    found: dict[str, list[str]] = {}  # folder -> the label folders in it
    prefix = f"{name}/" if name else ""
    for directory, folders, _ in _walk(os.path.join(root, name)):
        labels = sorted(label_folders(folders))
        if labels:
            found[prefix + directory] = labels
        folders[:] = [f for f in folders if f not in labels and not f.startswith(".")]
    if not found:
        folder = os.path.join(root, name)
        raise InputError(f"{folder}: no folder 0_real or 1_fake in it; {_found(folder)}")
    for directory, labels in found.items():
        if both_labels and len(labels) < len(LABELS):
            (missing,) = set(LABELS) - set(labels)
            folder = os.path.join(root, directory)
            raise InputError(f"{folder}: no folder {missing} in it; {_found(folder)}")
    return [directory + label for directory, labels in found.items() for label in labels]


def _walk(folder: str) -> Iterator[tuple[str, list[str], list[str]]]:
    """As os.walk, the directory relative to `folder`: "" or ending in "/"."""
    for directory, folders, names in os.walk(folder, followlinks=True):
        below = os.path.relpath(directory, folder).replace(os.sep, "/")
        yield "" if below == "." else below + "/", folders, names


def subfolders(folder: str) -> list[str]:
    """The names of the folders in `folder`, hidden ones left out."""
    with os.scandir(folder) as entries:
        return sorted(e.name for e in entries if e.is_dir() and not e.name.startswith("."))


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
        raise InputError(f"{root}: no such folder")
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
    return {f: f"{f}/" for f in folders}


def find_images(paths: Sequence[str], recursive: bool) -> Samples:
    """The files among `paths`, and the images in its folders (with `recursive`, at any depth), in
    that order; their labels, unknown, are 0. Raises InputError where there are none.
    """
    images: list[str] = []
    for path in paths:
        if os.path.isdir(path):
            names = image_names(path) if recursive else filter(is_image_name, os.listdir(path))
            found = sorted(names)
            if not found:
                hint = "" if recursive else "; --recursive looks in its subfolders, too"
                raise InputError(f"{path}: no images in this folder ({' '.join(ENDINGS)}){hint}")
            images += [os.path.join(path, name) for name in found]
        elif os.path.exists(path):
            images.append(path)
        else:
            raise InputError(f"{path}: no such file or folder")
    return Samples("", np.array([os.fsencode(i) for i in images]), np.zeros(len(images), np.uint8))
