"""Choose a part of a miniature's images: `python -m studies.subset --photographs 4 --out F.csv`."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data.manifest_file import write_manifest
from data.order import find_pairs
from data.samples import Samples, class_of, subsample
from data.sources import find_all_sets
from options.parse import parse
from options.studies_options import SubsetOptions
from tools.manifest import rows
from util.errors import UsageError, run

COLUMNS = ("path", "label", "testset", "class", "split")  # no times: images may be built anew


class Pair(NamedTuple):
    """A real image and the fake that was made of it."""

    photograph: str
    kind: str  # class folder
    indices: tuple[int, ...]  # of both images


def photograph_of(path: str) -> str:
    """Return the photograph of an image called <photograph>_<shrunk by>_<x>_<y>.<ending>.

    Raises UsageError for another name.
    """
    parts = Path(path).stem.rsplit("_", 3)
    if len(parts) < 4 or not all(part.isdigit() for part in parts[1:]):
        raise UsageError(f"{path}: is not named as minibench.build names images")
    return parts[0]


def pairs_of(samples: Samples) -> list[Pair]:
    """Return the pairs of training images. Raises UsageError where one lacks its other."""
    pairs = [tuple(map(int, indices)) for indices in find_pairs(samples)]
    paths = [samples.relative(real) for real, _ in pairs]
    return [
        Pair(photograph_of(path), class_of(path), indices)
        for path, indices in zip(paths, pairs, strict=True)
    ]


def nested_order(kinds: Mapping[str, str], seed: int) -> list[str]:
    """Return the photographs (given with their classes) in an order of which every beginning is a
    subset, balanced between classes as far as they go, and drawn by `seed`.
    """
    rng = np.random.default_rng([seed, 1])
    by_kind: dict[str, list[str]] = defaultdict(list)
    for name in sorted(kinds):
        by_kind[kinds[name]].append(name)
    shuffled = [list(rng.permutation(by_kind[kind])) for kind in rng.permutation(sorted(by_kind))]
    turns = range(max(map(len, shuffled), default=0))
    return [str(names[turn]) for turn in turns for names in shuffled if turn < len(names)]


def choose_pairs(
    pairs: list[Pair],
    *,
    photographs: int | None = None,
    as_many_as: int | None = None,
    fraction: float = 1,
    seed: int,
) -> list[Pair]:
    """Return the pairs of the first photographs of the nested order, as many as the first
    `as_many_as` have, and of these the share `fraction`. For one seed all choices are nested.

    Raises UsageError where there are not so many photographs, or no pair is left.
    """
    order = nested_order({pair.photograph: pair.kind for pair in pairs}, seed)
    if max(photographs or 0, as_many_as or 0) > len(order):
        raise UsageError(f"--photographs {photographs}: there are only {len(order)}")
    shuffled = [pairs[i] for i in np.random.default_rng([seed, 2]).permutation(len(pairs))]
    chosen = [pair for pair in shuffled if pair.photograph in order[:photographs]]
    if as_many_as:
        most = sum(pair.photograph in order[:as_many_as] for pair in pairs)
        if most > len(chosen):
            raise UsageError(
                f"--as_many_as {as_many_as}: these have {most} pairs of images, --photographs"
                f" {photographs} only {len(chosen)}"
            )
        chosen = chosen[:most]
    chosen = chosen[: round(fraction * len(chosen))]
    if not chosen:
        raise UsageError(f"--fraction {fraction:g}: no image is left")
    return chosen


def main() -> None:
    """Choose as the command line says, and write the manifest."""
    options = parse(SubsetOptions)
    sets = find_all_sets(options.dataroot)
    train = sets.pop("train", None)
    if train is None:
        raise UsageError(f"--dataroot {options.dataroot}: holds no folder train")
    chosen = choose_pairs(
        pairs_of(train),
        photographs=options.photographs,
        as_many_as=options.as_many_as,
        fraction=options.fraction,
        seed=options.seed,
    )
    indices = sorted(index for pair in chosen for index in pair.indices)
    if options.most:
        most, seed = options.most, options.seed
        sets = {name: subsample(its, most, seed, per_label=True) for name, its in sets.items()}
    sets["train"] = train.take(np.array(indices))
    every = rows(sets, os.path.dirname(options.out) or ".")
    write_manifest(options.out, ({name: row[name] for name in COLUMNS} for row in every))
    print(
        f"{options.out}: {len(indices)} training images of"
        f" {len({pair.photograph for pair in chosen})} photographs"
    )


if __name__ == "__main__":
    run(main)
