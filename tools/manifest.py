"""List a data set's images in one file: `python -m tools.manifest dataset --out manifest.csv`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from data.manifest_file import write_manifest
from data.samples import SPLITS, Samples, class_of
from data.sources import find_all_sets
from options.manifest_options import ManifestOptions
from options.parse import parse
from util.console import as_typed, say
from util.errors import UsageError, run
from util.progress import Progress, begin, end


def rows(sets: Mapping[str, Samples], folder: str) -> Iterator[dict[str, Any]]:
    """Yield a row for every image: its path relative to `folder`, and, where the file is there, its
    size and time. The class is the folder above the label folder, if it lies within the set.
    """
    total = sum(len(its.labels) for its in sets.values())
    with Progress(total, "listing", unit="image", leave=True, delay=1) as bar:
        for name, samples in sets.items():
            split = name if name in SPLITS else "test"
            way = os.path.relpath(samples.root, folder)
            real = os.path.relpath(os.path.realpath(samples.root), os.path.realpath(folder))
            way = real if way.startswith("..") else way  # ".." of a link is its target's
            for index, label in enumerate(samples.labels.tolist()):
                path = samples.relative(index)
                base = real if path.startswith("../") else way
                row = {
                    "path": os.path.normpath(os.path.join(base, path)).replace(os.sep, "/"),
                    "label": label,
                    "testset": name.removeprefix("test/") if split == "test" else "",
                    "class": class_of(path),
                    "split": split,
                }
                try:
                    state = os.stat(samples.path(index))
                    row |= {"size": state.st_size, "mtime_ns": state.st_mtime_ns}
                except OSError:  # a dead link: opening it will tell
                    pass
                bar.update()
                yield row


def write(options: ManifestOptions) -> None:
    """Write the manifest that `options` ask for; raise UsageError where it is there already."""
    begun = begin(options.quiet)
    if os.path.exists(options.out) and not options.overwrite:
        raise UsageError(f"--out {options.out}: is there already; add --overwrite to replace it")
    dataroot = options.dataroot[0] if options.dataroot else ""
    sets = find_all_sets(
        dataroot,
        split=options.split,
        real=options.real,
        fakes=options.fake,
        val_fraction=options.val_fraction,
    )
    count = write_manifest(options.out, rows(sets, os.path.dirname(options.out) or "."))
    say(f"{options.out}: {count:,} images in {len(sets)} sets")
    end(begun, as_typed("-m", "tools.verify", options.out))


if __name__ == "__main__":
    run(lambda: write(parse(ManifestOptions)))
