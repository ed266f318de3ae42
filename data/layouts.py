"""Find the test sets of a named benchmark, as its release lies on disk or in our own layout."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from data.manifest_file import is_manifest, read_manifest
from data.samples import Samples, find_samples
from data.sources import concat_by_path, find_testsets
from data.testsets import REALS_OF
from data.walk import label_folders, subfolders
from util.errors import UsageError

SHOWN = 30  # names in a message, at most


class Layout(NamedTuple):
    """How a release lies on disk, where that is not <testset>/[<class>/]{0_real,1_fake}.

    What is our own layout already is found in any case.
    """

    also: Mapping[str, Sequence[str]] = {}  # test set -> other paths that its folder may have
    split: str = ""  # the folder in each test set that holds its test images
    pairs: Mapping[str, Sequence[str]] = {}
    """Test set -> plain folders of its reals and its fakes; "" for reals that --real gives."""
    reals: Mapping[str, str] = {}
    """Test set that may hold fakes alone -> folder in our layout that holds its reals."""


class Released(NamedTuple):
    """What of a benchmark was found in a folder."""

    testsets: dict[str, Samples]  # in the benchmark's order
    unasked: list[str]  # test sets of the benchmark that are there and were not asked for
    others: list[str]  # folders, or test sets of a manifest, that the benchmark does not have


def find_released(
    root: str,
    order: Sequence[str],
    layout: Layout,
    *,
    benchmark: str,
    wanted: Sequence[str] = (),
    split: str = "",
    real: str = "",
) -> Released:
    """Return those test sets of `order`, or those `wanted` of it, that `root` holds.

    `root` is a folder or a manifest. Raises UsageError that names what was looked for where it
    holds none of them, or not all that are `wanted`; and as `find_testsets` does.
    """
    check_wanted(wanted, order, benchmark)
    if not os.path.exists(root):
        raise UsageError(f"{root}: no such folder")
    places, others = _places(root, order, layout)
    asked = [name for name in order if name in (wanted or order)]
    if missing := [name for name in wanted if name not in places]:
        raise UsageError(f"--testsets: {_listed(missing)} not in {root}; it holds {_held(places)}")
    if not places:
        below = os.path.join(root, "test")
        hint = f"; its test sets may be in {below}" if os.path.isdir(below) else ""
        raise UsageError(
            f"{root}: holds none of the test sets of --benchmark {benchmark}, which are"
            f" {_listed(order)}{hint} (docs/evaluation.md says how its release lies on disk)"
        )
    unasked = [name for name in places if name not in asked]
    chosen = {name: places[name] for name in asked if name in places}
    found = _samples(root, chosen, layout, benchmark=benchmark, split=split, real=real)
    return Released({name: found[name] for name in chosen}, unasked, others)


def testsets_there(root: str, order: Sequence[str], layout: Layout) -> list[str]:
    """Return those of `order` that `root`, a folder or a manifest, holds; none where it is not
    there. Looks at no image.
    """
    return list(_places(root, order, layout)[0]) if os.path.exists(root) else []


def check_wanted(wanted: Sequence[str], order: Sequence[str], benchmark: str) -> None:
    """Raise UsageError where --testsets names one that the benchmark does not have."""
    if foreign := [name for name in wanted if name not in order]:
        raise UsageError(
            f"--testsets: {_listed(foreign)} not among those of --benchmark {benchmark}, which are"
            f" {_listed(order)}"
        )


def _places(root: str, order: Sequence[str], layout: Layout) -> tuple[dict[str, str], list[str]]:
    """Return the path of each test set that is there, and the names of what is none of them."""
    return _in_manifest(root, order) if is_manifest(root) else _in_folder(root, order, layout)


def _in_manifest(path: str, order: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    names = set(read_manifest(path).testsets.names)
    return {name: name for name in order if name in names}, sorted(names - {*order, ""})


def _in_folder(root: str, order: Sequence[str], layout: Layout) -> tuple[dict[str, str], list[str]]:
    """Return the path below `root` of each test set that is there, and which folders are none.

    The path of a set that is a pair of plain folders is "".
    """
    folders = subfolders(root)
    own = os.path.basename(os.path.abspath(root))
    if label_folders(folders):  # `root` is a test set itself
        return ({own: "."} if own in order else {}), [] if own in order else [own]
    places: dict[str, str] = {}
    known = {*REALS_OF.values(), *layout.reals.values()}
    for name in order:
        pair = layout.pairs.get(name)
        paths = [p for p in (name, *layout.also.get(name, ())) if _is_folder(root, p)]
        if pair and _is_plain(root, pair):
            places[name] = ""
            known |= set(pair)
        elif paths:
            places[name] = paths[0]
            known.add(paths[0].split("/")[0])
    return places, [name for name in folders if name not in known]


def _is_folder(root: str, path: str) -> bool:
    return os.path.isdir(os.path.join(root, path))


def _is_plain(root: str, pair: Sequence[str]) -> bool:
    """Return whether these folders are there, and hold images under no label."""
    paths = [os.path.join(root, folder) for folder in pair if folder]
    return all(os.path.isdir(path) and not label_folders(subfolders(path)) for path in paths)


def _samples(
    root: str,
    places: Mapping[str, str],
    layout: Layout,
    *,
    benchmark: str,
    split: str,
    real: str,
) -> dict[str, Samples]:
    if is_manifest(root):
        return find_testsets(root, list(places), split=split, real=real)
    found: dict[str, Samples] = {}
    groups: dict[tuple[str, str], dict[str, str]] = {}  # parent folder, split -> folder -> name
    for name, place in places.items():
        if place == ".":
            found |= find_testsets(root, split=split, real=real)
        elif place:
            parent, folder = os.path.split(place)
            part = split or _split_of(os.path.join(root, place), layout.split)
            groups.setdefault((parent, part), {})[folder] = name
        else:
            reals, fakes = layout.pairs[name]
            reals = os.path.join(root, reals) if reals else real
            if not reals:
                raise UsageError(
                    f"--benchmark {benchmark}: {os.path.join(root, fakes)} holds fakes alone, as"
                    " released; give the folder of the real images with --real"
                )
            (found[name],) = find_testsets(
                "", real=reals, fakes=[os.path.join(root, fakes)]
            ).values()
    for (parent, part), names in groups.items():
        below = find_testsets(os.path.join(root, parent), list(names), split=part, real=real)
        found |= {name: below[folder] for folder, name in names.items()}
    for name in found:
        reals = os.path.join(root, layout.reals.get(name, ""))
        if name in layout.reals and found[name].labels.all() and os.path.isdir(reals):
            found[name] = concat_by_path(found[name], find_samples(reals, both_labels=False))
    return found


def _split_of(folder: str, split: str) -> str:
    """Return `split` where the folder of a test set, or one in it, holds a folder of this name."""
    inner = subfolders(folder) if split else []
    deeper = (subfolders(os.path.join(folder, name)) for name in inner)
    return split if split in inner or any(split in names for names in deeper) else ""


def _held(places: Mapping[str, str]) -> str:
    return _listed(list(places)) if places else "none of them"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
