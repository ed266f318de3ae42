"""Find the images of a data set: folders in several layouts, a manifest, or plain folders."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np

from data.held_out import hold_out, part_of, require_both_labels
from data.manifest_file import Manifest, is_manifest, read_manifest
from data.other_layout import refuse_other_layout, require_split
from data.overlap import refuse_both, shared_image, with_label
from data.plain_folders import plain_folder, plain_pair, plain_sets
from data.samples import SPLITS, Samples, concat, find_samples, set_folders
from data.testsets import ORDER, REALS_OF
from data.walk import Listing, label_folders, list_files, subfolders, warn_left_out
from util.errors import UsageError


def training_images(
    dataroot: str,
    splits: tuple[str, str],
    classes: Sequence[str] = (),
    *,
    real: str = "",
    fakes: Sequence[str] = (),
    val_fraction: float = 0.1,
    resized: str = "",
) -> tuple[Samples, Samples]:
    """Return the images to train on and those to validate on.

    They are those of the folders `splits` of `dataroot`, or of these splits where it is a manifest.
    Of a manifest without splits, and of the plain folders `real` and `fakes` (instead of
    `dataroot`), the share `val_fraction` is held out. Raises UsageError where images of a label are
    missing, or one is in both splits, and where those of a pack were resized, but not as `resized`
    says (data/packed.py, `resized_as`).
    """
    if fakes:
        return hold_out(plain_pair(real, fakes), val_fraction)
    if is_manifest(dataroot):
        manifest = read_manifest(dataroot, resized=resized)
        if not any(manifest.splits.names):
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


def replayed_images(
    root: str, splits: tuple[str, str], *, train: Samples, val: Samples, resized: str = ""
) -> Samples:
    """Return the training images of another data set, to be replayed beside `train`.

    Its real images may be among those of `train`. Raises UsageError where a fake is, or where any
    image is in `val`, and as `training_images` does.
    """
    old, _ = training_images(root, splits, resized=resized)
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
    *,
    split: str = "",
    real: str = "",
    fakes: Sequence[str] = (),
    val_fraction: float = 0.1,
) -> dict[str, Samples]:
    """Return the test sets by name.

    They are the folders of `dataroot`, or those `wanted`; `dataroot` itself where it holds label
    folders; those of a manifest; or each of the plain folders `fakes`.

    `split` keeps the images below folders of this name, or a manifest's rows of this split (by
    default "test", if there). Of plain folders, and of a manifest without splits, "train" and "val"
    are what training with the same `val_fraction` takes and holds out. Sets of fakes alone get
    their reals from `real` or, where the set is known, from its neighbour. Raises UsageError for a
    folder without labels or images, a set that is missing, one of several splits, and an image that
    is both real and fake.
    """
    if fakes:
        found = plain_sets(fakes)
    elif is_manifest(dataroot):
        found = _of_manifest(read_manifest(dataroot), wanted, split, val_fraction=val_fraction)
    else:
        found = _of_folder(dataroot, wanted)
        found = {name: _of_split(samples, split) for name, samples in found.items()}
        found = _with_known_reals(dataroot, found, wanted)
    if real:
        reals = plain_folder(real, 0)
        found = {
            name: concat_by_path(samples, reals) if samples.labels.all() else samples
            for name, samples in found.items()
        }
    if fakes and split:
        found = {k: part_of(s, split, val_fraction, name=k) for k, s in found.items()}
    return found


def find_all_testsets(
    roots: Sequence[str], wanted: Sequence[str]
) -> tuple[dict[str, Samples], list[str]]:
    """Return the test sets of several folders, old and new, or those `wanted`, and the names of the
    others. Raises UsageError where two have one name, and where one that is wanted is not there.
    """
    found: dict[str, Samples] = {}
    there: list[str] = []
    for root in roots:
        every = find_testsets(root)
        there += every
        own = {name: its for name, its in every.items() if name in wanted or not wanted}
        if twice := sorted(set(own) & set(found)):
            raise UsageError(f"--testroots: two test sets are called {twice[0]}, one in {root}")
        found |= own
    if lost := sorted(set(wanted) - set(there)):
        raise UsageError(
            f"--testsets: no {', '.join(lost)} in {', '.join(roots)}; they hold {', '.join(there)}"
        )
    return found, sorted(set(there) - set(found))


def testsets_left_out(dataroot: str, wanted: Sequence[str]) -> list[str]:
    """Return the names of the test sets of `dataroot` not `wanted`; none if `wanted` is empty."""
    if not wanted or not os.path.exists(dataroot):
        return []
    names = (
        read_manifest(dataroot).testsets.names if is_manifest(dataroot) else subfolders(dataroot)
    )
    return sorted(set(names) - set(wanted) - set(REALS_OF.values()) - {""})


def find_all_sets(
    dataroot: str,
    *,
    split: str = "",
    real: str = "",
    fakes: Sequence[str] = (),
    val_fraction: float = 0.1,
) -> dict[str, Samples]:
    """Return all images by set; a set may lack one label.

    The sets are "train", "val" and "test/<name>" where `dataroot` holds the splits, else its test
    sets by name. Raises UsageError where nothing is found.
    """
    if fakes:
        return find_testsets(
            dataroot, split=split, real=real, fakes=fakes, val_fraction=val_fraction
        )
    if is_manifest(dataroot):
        manifest = read_manifest(dataroot)
        splits = [name for name in SPLITS if name in manifest.splits.names]
        found = {name: manifest.select(split=name) for name in splits}
        if set(manifest.splits.names) - set(splits):
            tests = find_testsets(dataroot, split=split, real=real, val_fraction=val_fraction)
            found |= {f"test/{name}" if splits else name: tests[name] for name in tests}
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
        tests = find_testsets(below, split=split, real=real)
        found |= {f"test/{name}" if is_root else name: tests[name] for name in tests}
    return found


def concat_by_path(fakes: Samples, reals: Samples) -> Samples:
    """Concatenate, sorted by path. Raises UsageError where an image is in both."""
    refuse_both(fakes, reals, f"--real {reals.root}")
    both = concat(fakes, reals)
    return both.take(np.argsort(both.paths, kind="stable"))


def _of_folder(root: str, wanted: Sequence[str]) -> dict[str, Samples]:
    if not os.path.isdir(root):
        raise UsageError(f"{root}: no such folder")
    (top,), skipped = list_files(root, recursive=False)
    folders = top.folders
    if label_folders(folders):
        return {os.path.basename(os.path.abspath(root)): find_samples(root, both_labels=False)}
    warn_left_out(root, Listing([], skipped))
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
    """Return the images below folders called `split`; all for "".

    Raises UsageError where there are none, or where all include both train and val.
    """
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
    manifest: Manifest, wanted: Sequence[str], split: str, *, val_fraction: float
) -> dict[str, Samples]:
    """Return a manifest's test sets; unnamed rows are the set of the file's name without ending."""
    splits = manifest.splits.names
    part = split if split in SPLITS and not any(splits) else ""
    split = "" if part else split or ("test" if "test" in splits else "")
    if not split and len(splits) > 1:
        raise UsageError(
            f"{manifest.path}: has rows of the splits {', '.join(sorted(splits))};"
            " say which with --split"
        )
    names = manifest.names_of(split)
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
        found = {k: part_of(s, part, val_fraction, name=k) for k, s in found.items()}
    return found


def _with_known_reals(
    root: str, found: Mapping[str, Samples], wanted: Sequence[str]
) -> dict[str, Samples]:
    """Add their known reals (REALS_OF) to sets of fakes alone; drop these as sets of their own."""
    complete = dict(found)
    for name, samples in found.items():
        source = REALS_OF.get(name, "")
        folder = os.path.join(root, source)
        if source and samples.labels.all() and os.path.isdir(folder):
            reals = find_samples(folder, both_labels=False)
            complete[name] = concat_by_path(samples, reals)
            if source not in wanted:
                complete.pop(source, None)  # unless it was asked for
    return complete
