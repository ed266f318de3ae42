"""Where images come from: a folder in one of several layouts, a manifest, or two plain folders."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np

from data.held_out import hold_out, part_of, require_both_labels
from data.manifest_file import Manifest, read_manifest
from data.other_layout import refuse_other_layout, require_split
from data.overlap import refuse_both, shared_image, with_label
from data.samples import (
    SPLITS,
    Samples,
    concat,
    find_samples,
    plain_images,
    set_folders,
)
from data.testsets import ORDER, REALS_OF
from data.walk import Listing, label_folders, list_files, subfolders, tell_left_out
from util.errors import UsageError


def training_images(
    dataroot: str,
    splits: tuple[str, str],
    classes: Sequence[str] = (),
    real: str = "",
    fakes: Sequence[str] = (),
    val_fraction: float = 0.1,
) -> tuple[Samples, Samples]:
    """The images to train on and those to validate on.

    They are the folders `splits` of `dataroot`, or the rows of these splits where that is a
    manifest. Of a manifest without splits, and of the plain folders `real` and `fakes` (which take
    the place of `dataroot`), the share `val_fraction` is held out. Raises UsageError where images
    of a label are missing.
    """
    if fakes:
        return hold_out(_plain_pair(real, fakes), val_fraction)
    if os.path.isfile(dataroot):
        manifest = read_manifest(dataroot)
        if not any(manifest.splits):
            return hold_out(manifest.select(classes=classes), val_fraction)
        train, val = (manifest.select(split=split, classes=classes) for split in splits)
        for split, samples in zip(splits, (train, val), strict=True):
            require_both_labels(samples, f"{dataroot}: split {split}")
    else:
        for split in splits:
            require_split(dataroot, split)
        train, val = (find_samples(os.path.join(dataroot, split), classes) for split in splits)
    if path := shared_image(train, val):
        raise UsageError(
            f"--train_split {splits[0]} and --val_split {splits[1]}: {path} is in both; give two"
            " that have no image in common"
        )
    return train, val


def replayed_images(root: str, splits: tuple[str, str], train: Samples, val: Samples) -> Samples:
    """The training images of another data set, to be replayed beside `train`. The real ones may be
    among those; raises UsageError where a fake is, or where one is in `val`.
    """
    old, _ = training_images(root, splits)
    if path := (
        shared_image(with_label(old, 1), train)
        or shared_image(with_label(old, 0), with_label(train, 1))
        or shared_image(old, val)
    ):
        raise UsageError(
            f"--replay_root {root}: {path} is among the images of --dataroot (or --real and"
            " --fake), too; give the data set that the weights of --init were trained on"
        )
    return old


def find_testsets(
    dataroot: str,
    wanted: Sequence[str] = (),
    split: str = "",
    real: str = "",
    fakes: Sequence[str] = (),
    val_fraction: float = 0.1,
) -> dict[str, Samples]:
    """The test sets by name: the folders of `dataroot`, or those `wanted`; one alone where it holds
    label folders itself; those of a manifest; or each of the plain folders `fakes`.

    `split` leaves out all but the images below folders of this name, or of a manifest's rows of
    this split (by default "test", where it has that); of plain folders, and of a manifest without
    splits, "train" and "val" are what training with the same `val_fraction` takes and holds out.
    Sets of fakes alone get their reals from `real` or, where the set is known, from its neighbour.
    Raises UsageError for a folder without labels or images, for a set that is not there, for one of
    several splits, and for an image that is both real and fake.
    """
    if fakes:
        found = _by_name(fakes)
    elif os.path.isfile(dataroot):
        found = _of_manifest(read_manifest(dataroot), wanted, split, val_fraction)
    else:
        found = _of_folder(dataroot, wanted)
        found = {name: _of_split(samples, split) for name, samples in found.items()}
        found = _with_known_reals(dataroot, found, wanted)
    if real:
        reals = _plain(real, 0)
        found = {
            name: concat_by_path(samples, reals) if samples.labels.all() else samples
            for name, samples in found.items()
        }
    if fakes and split:
        found = {name: part_of(its, split, val_fraction, name) for name, its in found.items()}
    return found


def left_out(dataroot: str, wanted: Sequence[str]) -> list[str]:
    """Return the test sets of `dataroot` that are not `wanted`; none, where all are (empty)."""
    if not wanted or not os.path.exists(dataroot):
        return []
    is_manifest = os.path.isfile(dataroot)
    names = read_manifest(dataroot).testsets if is_manifest else subfolders(dataroot)
    return sorted(set(names) - set(wanted) - set(REALS_OF.values()) - {""})


def find_all_sets(
    dataroot: str,
    split: str = "",
    real: str = "",
    fakes: Sequence[str] = (),
    val_fraction: float = 0.1,
) -> dict[str, Samples]:
    """All images by set: "train", "val" and "test/<name>" where `dataroot` holds the splits, else
    its test sets by name. A set may lack one label. Raises UsageError where nothing is found.
    """
    if fakes:
        return find_testsets(dataroot, (), split, real, fakes, val_fraction)
    if os.path.isfile(dataroot):
        manifest = read_manifest(dataroot)
        splits = [name for name in SPLITS if name in manifest.splits]
        found = {name: manifest.select(split=name) for name in splits}
        if set(manifest.splits) - set(splits):
            tests = find_testsets(dataroot, (), split, real, (), val_fraction)
            found |= {f"test/{name}" if splits else name: its for name, its in tests.items()}
        return found
    folders = set_folders(dataroot, ORDER)
    splits = [name for name in SPLITS if name in folders]
    found = {
        name: find_samples(os.path.join(dataroot, folders[name]), both_labels=False)
        for name in splits
    }
    is_root = any(name.startswith("test/") for name in folders)
    if is_root or not splits:
        below = os.path.join(dataroot, "test") if is_root else dataroot
        tests = find_testsets(below, (), split, real)
        found |= {f"test/{name}" if is_root else name: its for name, its in tests.items()}
    return found


def concat_by_path(fakes: Samples, reals: Samples) -> Samples:
    """Both in one, sorted by path. Raises UsageError where an image is in both."""
    refuse_both(fakes, reals, f"--real {reals.root}")
    both = concat(fakes, reals)
    return both.take(np.argsort(both.paths, kind="stable"))


def _of_folder(root: str, wanted: Sequence[str]) -> dict[str, Samples]:
    if not os.path.isdir(root):
        raise UsageError(f"{root}: no such folder")
    (here,), left_out = list_files(root, recursive=False)
    folders = here.folders
    if label_folders(folders):
        return {os.path.basename(os.path.abspath(root)): find_samples(root, both_labels=False)}
    tell_left_out(root, Listing([], left_out))
    if not folders:
        raise UsageError(f"{root}: holds no test sets (no folders)")
    if not wanted and {"train", "test"} <= set(folders):
        below = os.path.join(root, "test")
        raise UsageError(f"{root}: holds the splits; the test sets are in {below}")
    if not wanted:
        refuse_other_layout(root, folders)
    _require_all(wanted, folders, root)
    names = list(wanted) or folders
    return {name: find_samples(os.path.join(root, name), both_labels=False) for name in names}


def _require_all(wanted: Sequence[str], found: Sequence[str], root: str) -> None:
    if missing := sorted(set(wanted) - set(found)):
        shown = ", ".join(sorted(found)[:20]) + (", ..." if len(found) > 20 else "")
        raise UsageError(f"--testsets: {', '.join(missing)} not in {root}; it holds: {shown}")


def _of_split(samples: Samples, split: str) -> Samples:
    """The images below folders called `split`; all, where it is empty."""
    folders = [os.path.dirname(path).split(b"/") for path in samples.paths.tolist()]
    if not split:
        if all(any(name in f for f in folders) for name in (b"train", b"val")):
            raise UsageError(
                f"{samples.root}: holds images of both train and val; say which with --split val"
            )
        return samples
    kept = np.flatnonzero([os.fsencode(split) in folder for folder in folders])
    if not kept.size:
        raise UsageError(
            f"--split {split}: no images below a folder of this name in {samples.root}"
        )
    return samples.take(kept)


def _of_manifest(
    manifest: Manifest, wanted: Sequence[str], split: str, val_fraction: float
) -> dict[str, Samples]:
    part = split if split in SPLITS and not any(manifest.splits) else ""
    split = "" if part else split or ("test" if "test" in manifest.splits else "")
    if not split and len(set(manifest.splits)) > 1:
        raise UsageError(
            f"{manifest.path}: has rows of the splits {', '.join(sorted(set(manifest.splits)))};"
            " say which with --split"
        )
    names = sorted(
        {
            name
            for name, its in zip(manifest.testsets, manifest.splits, strict=True)
            if its == split or not split
        }
    )
    if not names:
        raise UsageError(f"--split {split}: no rows of it in {manifest.path}")
    _require_all(wanted, names, manifest.path)
    stem = os.path.splitext(os.path.basename(manifest.path))[0]
    if {"", stem} <= set(names):
        raise UsageError(
            f"{manifest.path}: rows without a testset are called {stem}, as another testset is;"
            " name them, or rename the file"
        )
    found = {name or stem: manifest.select(split=split, testset=name) for name in wanted or names}
    if part:
        found = {name: part_of(its, part, val_fraction, name) for name, its in found.items()}
    return found


def _with_known_reals(
    root: str, found: Mapping[str, Samples], wanted: Sequence[str]
) -> dict[str, Samples]:
    complete = dict(found)
    for name, samples in found.items():
        source = REALS_OF.get(name, "")
        folder = os.path.join(root, source)
        if source and samples.labels.all() and os.path.isdir(folder):
            reals = find_samples(folder, both_labels=False)
            complete[name] = concat_by_path(samples, reals)
            if source not in wanted:
                complete.pop(source, None)  # no test set of its own
    return complete


def _plain_pair(real: str, fakes: Sequence[str]) -> Samples:
    reals = _plain(real, 0)
    samples = reals
    for folder in fakes:
        new = _plain(folder, 1)
        refuse_both(new, reals, f"--real {real} and --fake {folder}")
        if path := shared_image(new, samples):
            raise UsageError(f"--fake {folder}: {path} is in another of these folders, too")
        samples = concat(samples, new)
    return samples


def _plain(folder: str, label: int) -> Samples:
    """All images at any depth below a folder, with one label, whatever their folders are called."""
    flag = ("--real", "--fake")[label]
    if not os.path.isdir(folder):
        raise UsageError(f"{flag} {folder}: no such folder")
    paths = plain_images(folder, f"{flag} {folder}")
    return Samples(folder, np.array(paths), np.full(len(paths), label, np.uint8))


def _by_name(fakes: Sequence[str]) -> dict[str, Samples]:
    found: dict[str, Samples] = {}
    for folder in fakes:
        name = os.path.basename(os.path.abspath(folder))
        if name in found:
            raise UsageError(f"--fake {folder}: two of these folders are called {name}")
        found[name] = _plain(folder, 1)
    return found
